import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatConnectionString, parseConnectionString } from './connection-string.ts';
import { openTokens } from './tokens.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokens-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a token is known again after a restart, and only its hash is on disk', async () => {
  const path = join(folder, 'tokens.json');
  const token = await (await openTokens(path)).create('ada', 'submitter');
  expect((await openTokens(path)).authenticate(token)).toEqual({ subject: 'ada', roles: ['submitter'] });
  expect(await readFile(path, 'utf8')).not.toContain(token);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a token that was never made is nobody', async () => {
  const tokens = await openTokens(join(folder, 'tokens.json'));
  await tokens.create('ada', 'admin');
  expect(tokens.authenticate('lyd_guess')).toBeUndefined();
  expect(tokens.authenticate('')).toBeUndefined();
});

test('a damaged token file stops the start instead of letting everybody or nobody in', async () => {
  const path = join(folder, 'tokens.json');
  await writeFile(path, '{"version":1,"tokens":[{"sha256":"short"}]}');
  await expect(openTokens(path)).rejects.toMatchObject({ code: 'INVALID', message: expect.stringContaining(path) });
});

test('a token ends after ninety days, or when it was said, or never', async () => {
  let now = Date.UTC(2026, 0, 1);
  const tokens = await openTokens(join(folder, 'tokens.json'), () => now);
  const usual = await tokens.create('ci', 'submitter');
  const short = await tokens.create('ci', 'submitter', { lifeMs: 1_000 });
  const lasting = await tokens.create('worker', 'worker', { lifeMs: null });
  now += 1_000;
  expect([usual, short, lasting].map((token) => tokens.authenticate(token)?.subject)).toEqual(['ci', undefined, 'worker']);
  now += 90 * 24 * 3_600_000;
  expect([usual, short, lasting].map((token) => tokens.authenticate(token)?.subject)).toEqual([undefined, undefined, 'worker']);
  await tokens.close();
});

test('a revoked token is nobody at once, and after a restart', async () => {
  const path = join(folder, 'tokens.json');
  const tokens = await openTokens(path);
  const kept = await tokens.create('ada', 'admin', { name: 'laptop' });
  const lost = await tokens.create('ci', 'submitter', { name: 'build server' });
  const id = tokens.list().find(({ name }) => name === 'build server')?.id ?? '';
  const revoked = tokens.revoke(id);
  expect(tokens.authenticate(lost)).toBeUndefined();
  expect(await revoked).toMatchObject({ subject: 'ci', role: 'submitter' });
  expect(await tokens.revoke(id)).toBeUndefined();
  const again = await openTokens(path);
  expect([again.authenticate(lost), again.authenticate(kept)?.subject]).toEqual([undefined, 'ada']);
  await again.close();
});

test('the list tells of the last use, to the hour, and of no token', async () => {
  let now = Date.UTC(2026, 0, 1);
  const path = join(folder, 'tokens.json');
  const tokens = await openTokens(path, () => now);
  const token = await tokens.create('ci', 'submitter');
  expect(tokens.list()).toMatchObject([{ subject: 'ci', lastUsedAt: null, expiresAt: now + 90 * 24 * 3_600_000 }]);
  tokens.authenticate(token);
  now += 1_000;
  tokens.authenticate(token);
  expect(tokens.list()[0]?.lastUsedAt).toBe(now - 1_000);
  now += 3_600_000;
  tokens.authenticate(token);
  await tokens.close();
  const again = await openTokens(path, () => now);
  expect(again.list()[0]?.lastUsedAt).toBe(now);
  expect(JSON.stringify(again.list())).not.toContain(token.slice(4));
});

test('nothing is written that the next start could not read', async () => {
  const path = join(folder, 'tokens.json');
  const tokens = await openTokens(path);
  await expect(tokens.create('x'.repeat(201), 'viewer')).rejects.toMatchObject({ code: 'INVALID', field: 'name' });
  await expect(tokens.create('ci', 'viewer', { lifeMs: 0.5 })).rejects.toMatchObject({ code: 'INVALID', field: 'expiresAt' });
  await tokens.create('ci', 'viewer');
  expect((await openTokens(path)).list()).toHaveLength(1);
});

test('a file of version 1 is read, and its tokens go on without an end', async () => {
  const path = join(folder, 'tokens.json');
  const sha256 = createHash('sha256').update('lyd_old').digest('hex');
  await writeFile(path, JSON.stringify({ version: 1, tokens: [{ sha256, subject: 'ada', role: 'admin' }] }));
  const tokens = await openTokens(path);
  expect(tokens.authenticate('lyd_old')).toEqual({ subject: 'ada', roles: ['admin'] });
  await tokens.create('ci', 'viewer');
  expect(JSON.parse(await readFile(path, 'utf8')).version).toBe(2);
  expect((await openTokens(path)).list()).toHaveLength(2);
});

test('a connection string carries token, address and fingerprint, and nothing else passes for one', async () => {
  const fingerprint = 'abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrsa';
  for (const address of ['render-01.local:7420', '10.0.0.5:7420', '[fd00::1]:7420']) {
    const parts = { token: 'lyd_x-Y_9', address, fingerprint };
    expect(parseConnectionString(formatConnectionString(parts))).toEqual(parts);
  }
  const good = formatConnectionString({ token: 'lyd_x', address: 'a:1', fingerprint });
  for (const bad of [good.replace('+https', '+http'), good.slice(0, -1), good.replace(':1', ''), good.replace('@a', '@a/b'), 'lyd_x'])
    expect(() => parseConnectionString(bad)).toThrow('not a connection string');
});
