import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTokens } from './tokens.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokens-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a token is known again after a restart, and only its hash is on disk', async () => {
  const path = join(folder, 'tokens.json');
  const token = await (await openTokens(path)).create('ada', 'submitter');
  expect((await openTokens(path)).authenticate(token)).toEqual({ subject: 'ada', role: 'submitter' });
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
