import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LanyardError } from '../../shared/errors.ts';
import type { FarmId, JobId } from '../../shared/ids.ts';
import { batch, newJob, silent, taskRow } from '../../tests/fakes/store-rows.ts';
import type { Store } from '../ports/store.ts';
import { SCHEMA_VERSION } from './schema.ts';
import { writeError } from './sqlite-errors.ts';
import { openStore } from './store.ts';
import { createWriter } from './writer.ts';

let folder: string;
let path: string;
const farm = 'a-farm' as FarmId;
const open = (options: { readonly startEmpty?: boolean; readonly farm?: FarmId } = {}): Store =>
  openStore({ path, farm, wallMs: () => Date.UTC(2026, 1, 3, 4, 5, 6), logger: silent, ...options });

function refused(action: () => unknown): LanyardError {
  try {
    action();
  } catch (error) {
    if (error instanceof LanyardError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanyard-database-'));
  path = join(folder, 'data', 'farm.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A farm with jobs enough to fill pages beyond the first. */
async function fillFarm(): Promise<void> {
  const store = open();
  store.commit(batch({ ...newJob(1), tasks: Array.from({ length: 2_000 }, (_, index) => taskRow(1, index)) }));
  await store.close();
}

describe('opening', () => {
  test('makes the farm once', async () => {
    await fillFarm();
    const store = open();
    expect(store.nextJobId()).toBe(2);
    await store.close();
  });

  test('is refused for another farm, and changes nothing then', async () => {
    await fillFarm();
    const bytes = readFileSync(path);
    const error = refused(() => open({ farm: 'another-farm' as FarmId }));
    expect(error).toMatchObject({ code: 'CONFLICT', message: expect.stringMatching(/another farm \(a-farm\).*\(another-farm\)/) });
    expect(error.hint).toContain('data folder');
    expect(readFileSync(path)).toEqual(bytes);
    await open().close();
  });

  test('is refused while another has it open, and possible again after', async () => {
    const store = open();
    expect(refused(open)).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('in use by another process') });
    await store.close();
    await open().close();
  });

  test('is refused for a newer version', async () => {
    await fillFarm();
    const newer = new DatabaseSync(path);
    newer.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    newer.close();
    const error = refused(open);
    expect(error.code).toBe('CONFLICT');
    expect(error.message).toContain(`has version ${SCHEMA_VERSION + 1}; this Lanyard knows versions up to ${SCHEMA_VERSION}`);
    expect(refused(open).code).toBe('CONFLICT');
  });

  test("is refused for another program's database, which stays untouched", () => {
    mkdirSync(join(folder, 'data'));
    const other = new DatabaseSync(path);
    other.exec('CREATE TABLE friend (name TEXT)');
    other.close();
    const before = readFileSync(path);
    expect(refused(open)).toMatchObject({ code: 'INVALID', message: expect.stringContaining("not one of Lanyard's") });
    expect(readFileSync(path)).toEqual(before);
  });

  test('is refused where only the log of a database is left', () => {
    mkdirSync(join(folder, 'data'));
    writeFileSync(`${path}-wal`, 'frames');
    expect(refused(open)).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('is gone, but its log') });
  });

  test('says so when the folder cannot be made', () => {
    writeFileSync(join(folder, 'data'), 'a file where the folder should be');
    expect(open).toThrow();
  });
});

describe('a damaged file', () => {
  const damages: Record<string, () => void> = {
    'is no database': () => writeFileSync(path, Buffer.alloc(20_000, 'x')),
    'is empty': () => truncateSync(path, 0),
    'is cut short': () => truncateSync(path, statSync(path).size - 10_000),
    'has a page overwritten': () => {
      const bytes = readFileSync(path);
      bytes.fill(0xa5, bytes.length - 8_192);
      writeFileSync(path, bytes);
    },
  };
  for (const [name, damage] of Object.entries(damages))
    test(`that ${name} is set aside, and the farm does not start empty`, async () => {
      await fillFarm();
      damage();
      const damaged = readFileSync(path);
      const error = refused(open);
      const aside = `${path}.damaged-2026-02-03T04-05-06.000Z`;
      expect(error.code).toBe('UNAVAILABLE');
      expect(error.message).toContain(`set aside as ${aside}`);
      expect(error.hint).toContain('Restore a backup');
      expect(readFileSync(aside)).toEqual(damaged);
      const again = refused(open);
      expect(again.message).toBe(error.message);
      expect(again.hint).toBe(error.hint);
      expect(readdirSync(join(folder, 'data'))).not.toContain('farm.db');
    });

  test('can be replaced by a backup', async () => {
    await fillFarm();
    copyFileSync(path, join(folder, 'backup.db'));
    truncateSync(path, 0);
    refused(open);
    copyFileSync(join(folder, 'backup.db'), path);
    const store = open();
    expect(store.load().jobs).toHaveLength(1);
    await store.close();
    rmSync(path);
    await open().close();
  });

  test('can be given up for an empty farm, when asked', async () => {
    await fillFarm();
    truncateSync(path, 0);
    refused(() => open({ startEmpty: true }));
    const store = open({ startEmpty: true });
    expect(store.load().jobs).toEqual([]);
    await store.close();
    await open().close();
  });

  test('is set aside again when the backup is damaged too', async () => {
    await fillFarm();
    truncateSync(path, 0);
    refused(open);
    writeFileSync(path, 'not a backup');
    expect(refused(open).message).toContain('is damaged');
  });
});

test('a row that was edited into nonsense is named, not believed', async () => {
  await fillFarm();
  const editor = new DatabaseSync(path);
  editor.exec('UPDATE task SET state = 99 WHERE task_index = 7');
  editor.close();
  const store = open();
  expect(refused(() => store.load())).toMatchObject({ code: 'INTERNAL', message: expect.stringContaining('a task: state') });
  expect(store.task(1 as JobId, 6)?.state).toBe('RUNNING');
  await store.close();
});

describe('a full disk', () => {
  const many = Array.from({ length: 20_000 }, (_, index) => taskRow(1, index, { message: 'a long message '.repeat(20) }));

  test('writes nothing of the batch and goes on when there is room', async () => {
    await fillFarm();
    const database = new DatabaseSync(path);
    const writer = createWriter(database);
    const pages = Number(database.prepare('PRAGMA page_count').get()?.page_count);
    database.exec(`PRAGMA max_page_count = ${pages + 50}`);
    const commit = (): void => {
      try {
        writer.commit(batch({ ...newJob(2), tasks: many }));
      } catch (error) {
        throw writeError(error, path);
      }
    };
    expect(refused(commit)).toMatchObject({ code: 'DISK_FULL', hint: expect.stringContaining('Make room') });
    expect(database.prepare('SELECT count(*) AS jobs FROM job').get()?.jobs).toBe(1);
    expect(writer.nextJobId()).toBe(2);
    database.exec('PRAGMA max_page_count = 1000000');
    commit();
    expect(writer.nextJobId()).toBe(3);
    database.close();
  });

  test.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)('of a real file system', async () => {
    mkdirSync(join(folder, 'data'));
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', join(folder, 'data')]);
    try {
      writeFileSync(join(folder, 'data', 'ballast'), Buffer.alloc(1_000_000));
      const store = open();
      store.commit(batch(newJob(1)));
      const fill = (): void => {
        for (let from = 0; from < many.length; from += 100) store.commit(batch({ tasks: many.slice(from, from + 100) }));
      };
      expect(refused(fill).code).toBe('DISK_FULL');
      const written = store.tasks(1 as JobId, { fromIndex: 0, limit: 100_000 }).length;
      expect(written).toBeGreaterThan(0);
      expect(written % 100).toBe(0);
      rmSync(join(folder, 'data', 'ballast'));
      store.commit(batch(newJob(2)));
      await store.close();
      const reopened = open();
      expect(reopened.nextJobId()).toBe(3);
      expect(reopened.tasks(1 as JobId, { fromIndex: 0, limit: 100_000 })).toHaveLength(written);
      await reopened.close();
    } finally {
      execFileSync('/bin/umount', [join(folder, 'data')]);
    }
  });
});
