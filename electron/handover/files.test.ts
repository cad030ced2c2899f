import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isMovable, listFiles, removeLeftovers } from './files.ts';

const NEVER = [
  'identity.json',
  'roster.json',
  'farm-key.pem',
  'connection.json',
  '../tokens.json',
  'logs/../identity.json',
  'logs/1/../../identity.json',
  'blobs/blobs/..',
  'blobs/blobs/a/../../../identity.json',
  '/etc/passwd',
  'logs//etc/passwd',
  'logs/a\0b',
  'logs\\..\\identity.json',
  'logs',
  '',
  `logs/${'a/'.repeat(9)}a`,
];

test.each(NEVER)('%j is never handed over', (path) => {
  expect(isMovable(path)).toBe(false);
});

test('a farm is its database, blobs, logs, templates, tokens and audit log, and of the rest of the folder nothing is told', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-handover-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const files = {
    'identity.json': 'the key',
    'farm-key.pem': 'another key',
    'tokens.json': '{}',
    'audit.jsonl': '',
    'audit.1.jsonl': 'x',
    'blobs/blobs/ab/abc': 'blob',
    'blobs/partial/abc': 'half',
    'logs/1/0/0.1.log': '',
    'templates/mine.json': '{}',
    'worker/blobs/x': 'cache',
    'copy.sqlite': 'database',
    'handover.sqlite': 'left behind',
    'handover/logs/1': 'left behind',
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const whileItWorks = await listFiles(folder, undefined);
  expect(whileItWorks.files.map(({ path }) => path).toSorted()).toEqual(['blobs/blobs/ab/abc', 'logs/1/0/0.1.log']);
  const all = await listFiles(folder, join(folder, 'copy.sqlite'));
  expect(all.files.toSorted((one, other) => (one.path < other.path ? -1 : 1))).toEqual([
    { path: 'audit.1.jsonl', bytes: 1 },
    { path: 'audit.jsonl', bytes: 0 },
    { path: 'blobs/blobs/ab/abc', bytes: 4 },
    { path: 'farm.sqlite', bytes: 8 },
    { path: 'logs/1/0/0.1.log', bytes: 0 },
    { path: 'templates/mine.json', bytes: 2 },
    { path: 'tokens.json', bytes: 2 },
  ]);
  await removeLeftovers(folder);
  await expect(
    listFiles(folder, join(folder, 'handover.sqlite')).then(({ files: left }) => left.map(({ path }) => path)),
  ).resolves.not.toContain('farm.sqlite');
});
