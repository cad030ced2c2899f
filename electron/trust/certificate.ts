import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import { LanyardError } from '../../shared/errors.ts';
import type { NodeId } from '../../shared/ids.ts';
import { TRUST_LIMITS } from '../../shared/trust.ts';
import { encodeBase32 } from './base32.ts';

/** Keys have one length each, so a key's fingerprint is the SHA-256 of its SPKI in DER, in base32. */
export function keyFingerprint(key: KeyObject): string {
  return encodeBase32(
    createHash('sha256')
      .update(key.export({ type: 'spki', format: 'der' }))
      .digest(),
  );
}

/** The fingerprint of a certificate's public key. @throws when it is no certificate */
export function spkiFingerprint(certificate: string | Buffer | X509Certificate): string {
  return keyFingerprint((certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate)).publicKey);
}

/** A device is named after its key: whoever has the key is the device. */
export function nodeIdOf(certificate: string | Buffer | X509Certificate): NodeId {
  return spkiFingerprint(certificate) as NodeId;
}

/** The whole fingerprint in groups of four, for comparing by eye. */
export function groupedFingerprint(fingerprint: string): string {
  return (fingerprint.match(/.{1,4}/g) ?? []).join('-');
}

/** The first eight characters: a label to tell devices apart on a screen, far too short to trust in. */
export function shortFingerprint(fingerprint: string): string {
  return groupedFingerprint(fingerprint.slice(0, 8));
}

/**
 * Reads a device's certificate from a stranger.
 * @param pem exactly one certificate in the spelling of `X509Certificate.toString`, so that TLS, which reads all
 * certificates of a text, sees what is looked at here
 * @throws LanyardError INVALID unless it is signed by its own P-256 key and is no authority over others
 */
export function readDeviceCertificate(pem: string): { readonly id: NodeId; readonly certificate: X509Certificate } {
  const certificate = pem.length > TRUST_LIMITS.certificateLength ? undefined : tryParse(pem);
  if (certificate === undefined || certificate.toString() !== pem) throw refused('it is not one certificate in PEM form');
  const key = certificate.publicKey;
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw refused('its key is not of P-256');
  if (certificate.ca) throw refused('it may sign for others');
  if (!certificate.verify(key)) throw refused('it is not signed by its own key');
  return { id: nodeIdOf(certificate), certificate };
}

function tryParse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function refused(reason: string): LanyardError {
  return new LanyardError({ code: 'INVALID', field: 'certificate', message: `This device's certificate is refused: ${reason}.` });
}
