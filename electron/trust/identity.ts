import { createPrivateKey, KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LanyardError } from '../../shared/errors.ts';
import type { NodeId } from '../../shared/ids.ts';
import { createFile, replaceFile } from '../disk.ts';
import { groupedFingerprint, keyFingerprint, readDeviceCertificate, shortFingerprint } from './certificate.ts';

export const IDENTITY_FILE = 'identity.json';

/** The key of this install, its certificate, and what follows from them. */
export interface DeviceIdentity {
  readonly id: NodeId;
  /** The id in groups of four, for comparing by eye. */
  readonly fingerprint: string;
  readonly shortFingerprint: string;
  /** PEM, signed by the key itself. */
  readonly certificate: string;
  /** PKCS #8 PEM, for TLS. Never leaves this process but in the identity file. */
  readonly key: string;
  /** ECDSA with SHA-256, r and s of 32 bytes each. */
  sign(bytes: Uint8Array): Buffer;
}

/** Seals the key for the disk, as Electron's `safeStorage.encryptString` and `decryptString` do. */
export interface KeyWrap {
  wrap(text: string): Buffer;
  /** @throws when it was sealed by another user or machine */
  unwrap(bytes: Buffer): string;
}

const fileSchema = z.strictObject({
  format: z.literal(1),
  certificate: z.string(),
  key: z.discriminatedUnion('form', [
    z.strictObject({ form: z.literal('plain'), pem: z.string() }),
    z.strictObject({ form: z.literal('wrapped'), base64: z.string() }),
  ]),
});
type IdentityFile = z.infer<typeof fileSchema>;

/** Certificates live from before any clock to after any device: clocks are not trusted, and the roster, not time, ends trust. */
const NOT_BEFORE = new Date('2020-01-01T00:00:00Z');
const NOT_AFTER = new Date('2049-12-31T23:59:59Z');
const FILE_BYTES = 64 * 1024;

/**
 * The identity of the install that keeps its data in `folder`; made at the first start. A key that lies there plainly is
 * sealed as soon as there is a `wrap`.
 * @throws LanyardError INVALID when the file is damaged, readable by others, or sealed with a seal that is not at hand:
 * a new key would be a new device, which nobody knows
 */
export async function openIdentity(folder: string, options: { readonly wrap?: KeyWrap } = {}): Promise<DeviceIdentity> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, IDENTITY_FILE);
  const text = (await readPrivateFile(path)) ?? (await create(path, options.wrap));
  const file = parse(text, path);
  const keyPem = openKey(file, path, options.wrap);
  const identity = toIdentity(file.certificate, keyPem, path);
  if (options.wrap !== undefined && file.key.form === 'plain') await replaceFile(path, serialize(file.certificate, keyPem, options.wrap));
  return identity;
}

function toIdentity(certificate: string, keyPem: string, path: string): DeviceIdentity {
  try {
    const device = readDeviceCertificate(certificate);
    const key = createPrivateKey(keyPem);
    if (!device.certificate.checkPrivateKey(key)) throw new Error('key and certificate do not belong together');
    return {
      id: device.id,
      fingerprint: groupedFingerprint(device.id),
      shortFingerprint: shortFingerprint(device.id),
      certificate,
      key: keyPem,
      sign: (bytes) => sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }),
    };
  } catch (cause) {
    throw damaged(path, cause);
  }
}

/** Two programs may start in a new folder at once: the first file wins, and both use it. */
async function create(path: string, wrap: KeyWrap | undefined): Promise<string> {
  const { certificate, key } = await makeCertificate();
  const text = serialize(certificate, key, wrap);
  if (await createFile(path, text)) return text;
  const winner = await readPrivateFile(path);
  if (winner === undefined) throw damaged(path, new Error('it went away while it was read'));
  return winner;
}

function serialize(certificate: string, keyPem: string, wrap: KeyWrap | undefined): string {
  const key: IdentityFile['key'] =
    wrap === undefined ? { form: 'plain', pem: keyPem } : { form: 'wrapped', base64: wrap.wrap(keyPem).toString('base64') };
  return `${JSON.stringify({ format: 1, certificate, key } satisfies IdentityFile, null, 2)}\n`;
}

/**
 * A P-256 key and an X.509 certificate (RFC 5280) signed with it, good for both ends of TLS and for signing nobody else.
 * The library is loaded here and nowhere else: it is needed once in a device's life.
 */
async function makeCertificate(): Promise<{ readonly certificate: string; readonly key: string }> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const id = keyFingerprint(KeyObject.from(keys.publicKey));
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: `01${randomBytes(15).toString('hex')}`,
      name: `CN=${id}`,
      keys,
      signingAlgorithm: algorithm,
      notBefore: NOT_BEFORE,
      notAfter: NOT_AFTER,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: id }]),
      ],
    },
    crypto,
  );
  return {
    certificate: new X509Certificate(Buffer.from(certificate.rawData)).toString(),
    key: KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** @returns undefined when there is none */
async function readPrivateFile(path: string): Promise<string | undefined> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const { mode, size } = await file.stat();
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      throw new LanyardError({
        code: 'INVALID',
        message: `The key in ${path} can be read by other users of this machine.`,
        hint: `Run: chmod 600 '${path}'. If somebody may have read it, remove the file and join the farm again.`,
      });
    if (size > FILE_BYTES) throw damaged(path, new Error('it is too large'));
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function parse(text: string, path: string): IdentityFile {
  try {
    return fileSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw damaged(path, cause);
  }
}

function openKey({ key }: IdentityFile, path: string, wrap: KeyWrap | undefined): string {
  if (key.form === 'plain') return key.pem;
  try {
    if (wrap === undefined) throw new Error('no keyring');
    return wrap.unwrap(Buffer.from(key.base64, 'base64'));
  } catch (cause) {
    throw new LanyardError(
      {
        code: 'INVALID',
        message: `The key in ${path} is sealed with a keyring that is not open here.`,
        hint: 'Start the Lanyard app as the user who made it, or use another data folder.',
      },
      { cause },
    );
  }
}

function damaged(path: string, cause: unknown): LanyardError {
  return new LanyardError(
    {
      code: 'INVALID',
      message: `The identity in ${path} cannot be read.`,
      hint: 'Restore it from a backup, or remove it: this device then gets a new id and joins the farm again.',
    },
    { cause },
  );
}
