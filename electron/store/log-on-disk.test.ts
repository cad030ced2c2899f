import { copyFileSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FarmId } from '../../shared/ids.ts';
import { batch, newJob, silent, taskRow } from '../../tests/fakes/store-rows.ts';
import type { Store } from '../ports/store.ts';
import { openStore } from './store.ts';

let folder: string;
let path: string;
let store: Store;
let warnings: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanyard-log-'));
  path = join(folder, 'farm.db');
  warnings = [];
  const logger = { ...silent, warn: (message: string) => warnings.push(message) };
  store = openStore({ path, farm: 'a-farm' as FarmId, wallMs: () => 1_700_000_000_000, logger });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const TASKS = 3_000;
function commitJob(id: number): void {
  const tasks = Array.from({ length: TASKS }, (_, index) => taskRow(id, index));
  expect(store.commit(batch({ ...newJob(id, { row: { taskCount: TASKS } }), tasks }))).toBe(TASKS + 2);
}

/** @returns how many tasks are in the database itself, without its log: what is left when only that has reached the disk */
function tasksWithoutLog(): number {
  const copy = join(folder, 'copy.db');
  copyFileSync(path, copy);
  const database = new DatabaseSync(copy);
  const tasks = Number(database.prepare('SELECT count(*) AS count FROM task').get()?.count);
  database.close();
  return tasks;
}

test('a long log is carried into the database, and begun anew', async () => {
  const sizes: number[] = [];
  for (let id = 1; id <= 60; id++) {
    commitJob(id);
    await store.sync();
    sizes.push(statSync(`${path}-wal`).size);
  }
  expect(tasksWithoutLog()).toBeGreaterThan(0);
  const [before, after] = [sizes[9] ?? 0, sizes[10] ?? 0];
  expect(Math.max(...sizes)).toBeLessThan(40 * (after - before));
  // Not cut off: what is there already is written over sooner than a file grows.
  expect(sizes.at(-1)).toBe(Math.max(...sizes));
  expect(warnings).toEqual([]);
});

test('it is carried too while small turns wait for the disk on the spot', async () => {
  for (let id = 1; id <= 20; id++) {
    commitJob(id);
    store.syncNow();
  }
  await store.close();
  expect(tasksWithoutLog()).toBe(20 * TASKS);
});

test('it is carried without the thread, where that ends', async () => {
  const end = (thread: Worker) => void thread.terminate();
  process.on('worker', end);
  for (let id = 1; id <= 25; id++) {
    commitJob(id);
    await store.sync();
  }
  process.off('worker', end);
  expect(tasksWithoutLog()).toBeGreaterThan(0);
  expect(warnings).toEqual(['the log of the database was not carried into it by its thread']);
});

test('it is not closed under a sync, nor while it is carried', async () => {
  for (let id = 1; id <= 25; id++) {
    commitJob(id);
    if (id < 25) store.syncNow();
  }
  const synced = store.sync();
  await store.close();
  await synced;
  expect(tasksWithoutLog()).toBe(25 * TASKS);
});

test('what is read while it is carried keeps the log, and loses nothing', async () => {
  commitJob(1);
  await store.sync();
  const reader = new DatabaseSync(path, { readOnly: true });
  reader.exec('BEGIN');
  const count = () => Number(reader.prepare('SELECT count(*) AS count FROM task').get()?.count);
  expect(count()).toBe(TASKS);
  for (let id = 2; id <= 30; id++) {
    commitJob(id);
    await store.sync();
  }
  expect(count()).toBe(TASKS);
  reader.exec('COMMIT');
  expect(count()).toBe(30 * TASKS);
  reader.close();
});

test.each([
  ['in a thread', () => store.sync()],
  ['on the spot', async () => store.syncNow()],
])('after a sync %s that failed, all that can be read is written anew before anybody builds on it', async (_, sync) => {
  commitJob(1);
  renameSync(`${path}-wal`, `${path}-away`);
  await expect(sync()).rejects.toThrow('ENOENT');
  expect(tasksWithoutLog()).toBe(0);
  renameSync(`${path}-away`, `${path}-wal`);
  expect(store.load().jobs.map(({ row }) => row.id)).toEqual([1]);
  expect(tasksWithoutLog()).toBe(TASKS);
  commitJob(2);
  await sync();
});
