import { appendFile, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openAudit } from './audit.ts';
import { silent, temporaryFolder } from './trust.fixture.ts';

const open = (folder: string, fileBytes?: number) =>
  openAudit({ folder, wallMs: () => 1_000, logger: silent, ...(fileBytes === undefined ? {} : { fileBytes }) });

test('what is recorded is on disk after a flush, newest first, page by page', async () => {
  const folder = await temporaryFolder();
  const audit = await open(folder);
  for (let count = 1; count <= 5; count += 1) audit.record('job-submitted', 'ada', { target: `job ${count}` });
  await audit.flush();
  expect((await readFile(join(folder, 'audit.jsonl'), 'utf8')).split('\n')).toHaveLength(6);
  expect((await stat(join(folder, 'audit.jsonl'))).mode & 0o777).toBe(0o600);
  const first = await audit.page({ limit: 2 });
  expect(first).toMatchObject([{ sequence: 5, target: 'job 5', at: 1_000 }, { sequence: 4 }]);
  expect(await audit.page({ before: 4, limit: 10 })).toMatchObject([{ sequence: 3 }, { sequence: 2 }, { sequence: 1 }]);
  await audit.close();
});

test('numbers go on after a restart, and a line that a crash cut is removed', async () => {
  const folder = await temporaryFolder();
  const before = await open(folder);
  before.record('farm-created', 'ada');
  await before.close();
  await appendFile(join(folder, 'audit.jsonl'), '{"sequence":2,"at":');
  const audit = await open(folder);
  audit.record('token-created', 'ada', { target: 'ci' });
  await audit.flush();
  expect(await audit.page({ limit: 10 })).toMatchObject([{ sequence: 2, event: 'token-created' }, { sequence: 1 }]);
  await audit.close();
});

test('a name cannot begin a line of its own, nor fill the disk', async () => {
  const folder = await temporaryFolder();
  const audit = await open(folder);
  audit.record('pairing-refused', 'x\n{"sequence":9}', { detail: 'y'.repeat(100_000) });
  await audit.flush();
  const entries = await audit.page({ limit: 10 });
  expect(entries).toHaveLength(1);
  expect(entries[0]?.detail).toHaveLength(500);
  await audit.close();
});

test('the log is bounded: the oldest file goes', async () => {
  const folder = await temporaryFolder();
  const audit = await open(folder, 1_000);
  for (let count = 1; count <= 300; count += 1) {
    audit.record('access-refused', '10.0.0.1', { detail: 'x'.repeat(100) });
    await audit.flush();
  }
  expect(await readdir(folder)).toHaveLength(8);
  const entries = await audit.page({ limit: 1_000 });
  expect(entries.length).toBeLessThan(60);
  expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => 300 - index));
  await audit.close();
  await writeFile(join(folder, 'audit.jsonl'), '');
  const again = await open(folder, 1_000);
  again.record('farm-created', 'ada');
  await again.flush();
  expect((await again.page({ limit: 1 }))[0]?.sequence).toBeGreaterThan(290);
  await again.close();
});
