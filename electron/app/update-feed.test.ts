import { generateKeyPairSync, sign } from 'node:crypto';
import { expect, it } from 'vitest';
import { feedName, isNewer, parseUpdateKey, verifyFeed } from './update-feed.ts';

const pair = generateKeyPairSync('ed25519');
const key = parseUpdateKey(pair.publicKey.export({ format: 'pem', type: 'spki' }).toString());
const FEED = Buffer.from('version: 9.9.9\nfiles:\n  - url: Lanyard.AppImage\n    sha512: abc\n');
const signature = sign(null, FEED, pair.privateKey).toString('base64');

it('takes a feed with the right signature, over the very bytes', () => {
  expect(verifyFeed(FEED, `${signature}\n`, key)).toMatchObject({ version: '9.9.9' });
  const changed = Buffer.from(FEED.toString().replace('abc', 'abd'));
  for (const [bytes, text] of [
    [changed, signature],
    [FEED, ''],
    [FEED, 'no signature at all'],
    [FEED, sign(null, FEED, generateKeyPairSync('ed25519').privateKey).toString('base64')],
  ] as const)
    expect(() => verifyFeed(bytes, text, key)).toThrow('not signed by the key');
});

it('takes no feed without a version, and no key of another kind', () => {
  const empty = Buffer.from('files: []\n');
  expect(() => verifyFeed(empty, sign(null, empty, pair.privateKey).toString('base64'), key)).toThrow('names no version');
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'pem', type: 'spki' }).toString();
  for (const text of [other, 'abc', '']) expect(() => parseUpdateKey(text)).toThrow('no Ed25519 public key');
  const line = pair.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  expect(parseUpdateKey(line).equals(key)).toBe(true);
});

it('knows what is newer, and never goes back', () => {
  for (const [candidate, current] of [
    ['0.1.1', '0.1.0'],
    ['0.10.0', '0.9.9'],
    ['1.0.0', '1.0.0-beta.2'],
    ['1.0.0-beta.10', '1.0.0-beta.9'],
    ['1.0.1-beta.1', '1.0.0'],
  ] as const) {
    expect(isNewer(candidate, current), candidate).toBe(true);
    expect(isNewer(current, candidate), current).toBe(false);
  }
  expect(isNewer('1.0.0', '1.0.0')).toBe(false);
});

it('looks for the feed of its own system', () => {
  expect(feedName('linux', 'arm64')).toBe('latest-linux-arm64.yml');
  expect(feedName('linux', 'x64')).toBe('latest-linux.yml');
  expect(feedName('win32', 'x64')).toBe('latest.yml');
});
