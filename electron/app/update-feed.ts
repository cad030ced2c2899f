import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { LanyardError } from '../../shared/errors.ts';

/** What a feed says of the newest version. Its text names the installers with their SHA-512. */
export interface Feed {
  readonly version: string;
  readonly text: string;
}

/** The name of the feed of a system, as electron-builder writes it. */
export function feedName(platform: NodeJS.Platform, arch: string): string {
  if (platform === 'win32') return 'latest.yml';
  if (platform === 'darwin') return 'latest-mac.yml';
  return arch === 'x64' ? 'latest-linux.yml' : `latest-linux-${arch}.yml`;
}

/** @param text PEM, or the base64 of DER, as a setting has it in one line. @throws LanyardError INVALID */
export function parseUpdateKey(text: string): KeyObject {
  try {
    const key = text.includes('BEGIN')
      ? createPublicKey(text)
      : createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
    if (key.asymmetricKeyType !== 'ed25519') throw new Error(`it is of the type ${key.asymmetricKeyType}`);
    return key;
  } catch (cause) {
    throw new LanyardError({ code: 'INVALID', field: 'updateKey', message: 'The update key is no Ed25519 public key.' }, { cause });
  }
}

/**
 * Takes a feed only with the signature of the key over its very bytes (Ed25519, base64: `.ci/sign-feed.mjs` makes it).
 * @throws LanyardError FORBIDDEN, INVALID
 */
export function verifyFeed(bytes: Uint8Array, signature: string, key: KeyObject): Feed {
  if (!verify(null, bytes, key, Buffer.from(signature.trim(), 'base64')))
    throw new LanyardError({ code: 'FORBIDDEN', message: 'The update is not signed by the key that this app trusts; it is left alone.' });
  const text = Buffer.from(bytes).toString('utf8');
  const version = /^version: ['"]?(\d+\.\d+\.\d+(?:-[\w.]+)?)['"]?\s*$/m.exec(text)?.[1];
  if (version === undefined) throw new LanyardError({ code: 'INVALID', message: 'The update feed names no version.' });
  return { version, text };
}

/** Whether `candidate` comes after `current`; of the same numbers, a release comes after its previews. Never a step back. */
export function isNewer(candidate: string, current: string): boolean {
  const [numbers, preview] = partsOf(candidate);
  const [currentNumbers, currentPreview] = partsOf(current);
  for (const [index, number] of numbers.entries()) {
    const other = currentNumbers[index] ?? 0;
    if (number !== other) return number > other;
  }
  if (preview === undefined || currentPreview === undefined) return preview === undefined && currentPreview !== undefined;
  return preview.localeCompare(currentPreview, 'en', { numeric: true }) > 0;
}

function partsOf(version: string): readonly [readonly number[], string | undefined] {
  const dash = version.indexOf('-');
  const numbers = (dash === -1 ? version : version.slice(0, dash)).split('.').map(Number);
  return [numbers, dash === -1 ? undefined : version.slice(dash + 1)];
}
