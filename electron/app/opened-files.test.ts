import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createOpenedFiles } from './opened-files.ts';

it('reads files by their tokens, and nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-opened-'));
  const path = join(folder, 'a.zip');
  await writeFile(path, 'abcdef');
  const files = createOpenedFiles();
  const opened = await files.add(path);
  expect(opened).toMatchObject({ name: 'a.zip', bytes: 6 });
  expect(files.path(opened.token)).toBe(path);
  expect(Buffer.from(await files.read(opened.token, 1, 4)).toString()).toBe('bcd');
  await expect(files.read(path, 0, 1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(files.add(folder)).rejects.toMatchObject({ code: 'INVALID' });
  await expect(files.add('a.zip')).rejects.toMatchObject({ code: 'INVALID' });
  await truncate(path, 2);
  await expect(files.read(opened.token, 0, 6)).rejects.toMatchObject({ code: 'INVALID' });
  await rm(folder, { recursive: true });
});

it('forgets the oldest of too many', async () => {
  const files = createOpenedFiles();
  const first = await files.add(import.meta.filename);
  for (let more = 0; more < 256; more += 1) await files.add(import.meta.filename);
  expect(() => files.path(first.token)).toThrow('no longer open');
});
