import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isNodeId } from '../../shared/ids.ts';
import { deviceIdSchema } from '../../shared/trust.ts';
import { nodeIdOf, readDeviceCertificate } from './certificate.ts';
import { IDENTITY_FILE, openIdentity } from './identity.ts';
import { makeIdentity, temporaryFolder } from './trust.fixture.ts';

test('a device keeps its identity, in a file that only its owner reads', async () => {
  const folder = await temporaryFolder();
  const first = await openIdentity(folder);
  const second = await openIdentity(folder);
  expect(second).toMatchObject({ id: first.id, key: first.key, certificate: first.certificate });
  expect((await stat(join(folder, IDENTITY_FILE))).mode & 0o777).toBe(0o600);
  expect(isNodeId(first.id) && deviceIdSchema.safeParse(first.id).success).toBe(true);
  expect(first.fingerprint.replaceAll('-', '')).toBe(first.id);
  expect(first.fingerprint.startsWith(first.shortFingerprint)).toBe(true);
});

test('programs that start in one folder at the same moment are one device', async () => {
  const folder = await temporaryFolder();
  const all = await Promise.all([1, 2, 3, 4].map(() => openIdentity(folder)));
  expect(new Set(all.map(({ id }) => id)).size).toBe(1);
});

test('the certificate holds for any clock, signs for nobody, and its key signs', async () => {
  const device = await makeIdentity();
  const certificate = new X509Certificate(device.certificate);
  expect(certificate.ca).toBe(false);
  expect(certificate.validFromDate.getUTCFullYear()).toBe(2020);
  expect(certificate.validToDate.getUTCFullYear()).toBe(2049);
  const bytes = Buffer.from('words');
  expect(verify('sha256', bytes, { key: createPublicKey(device.certificate), dsaEncoding: 'ieee-p1363' }, device.sign(bytes))).toBe(true);
});

test('a key that others can read is refused, with the command that helps', async () => {
  const folder = await temporaryFolder();
  await openIdentity(folder);
  await chmod(join(folder, IDENTITY_FILE), 0o640);
  await expect(openIdentity(folder)).rejects.toMatchObject({ code: 'INVALID', hint: expect.stringContaining('chmod 600') });
});

test('a damaged file, or one with the key of another, stops the start', async () => {
  const folder = await temporaryFolder();
  await openIdentity(folder);
  const path = join(folder, IDENTITY_FILE);
  const own = await readFile(path, 'utf8');
  await writeFile(path, JSON.stringify({ ...JSON.parse(own), certificate: (await makeIdentity()).certificate }));
  await expect(openIdentity(folder)).rejects.toMatchObject({ code: 'INVALID' });
  await writeFile(path, own.slice(0, 100));
  await expect(openIdentity(folder)).rejects.toMatchObject({ code: 'INVALID' });
});

test('a keyring seals a key that lay there plainly; without it the key is out of reach', async () => {
  const folder = await temporaryFolder();
  const plain = await openIdentity(folder);
  const wrap = { wrap: (text: string) => Buffer.from(text).reverse(), unwrap: (bytes: Buffer) => Buffer.from(bytes).reverse().toString() };
  expect((await openIdentity(folder, { wrap })).id).toBe(plain.id);
  expect(await readFile(join(folder, IDENTITY_FILE), 'utf8')).not.toContain('PRIVATE KEY');
  expect((await openIdentity(folder, { wrap })).key).toBe(plain.key);
  await expect(openIdentity(folder)).rejects.toMatchObject({ code: 'INVALID', message: expect.stringContaining('keyring') });
});

test('text with two certificates is refused: TLS would trust both', async () => {
  const [one, two] = [await makeIdentity(), await makeIdentity()];
  expect(readDeviceCertificate(one.certificate).id).toBe(nodeIdOf(one.certificate));
  expect(() => readDeviceCertificate(one.certificate + two.certificate)).toThrow('not one certificate');
  expect(() => readDeviceCertificate('words')).toThrow('not one certificate');
});
