import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LanyardError } from '../../shared/errors.ts';
import type { FarmId } from '../../shared/ids.ts';
import { jobSpecSchema } from '../../shared/job.ts';
import { coordinatorSettingsSchema } from '../../shared/settings.ts';
import { createManualClock, type ManualClock } from '../../tests/fakes/clock.ts';
import { silent } from '../../tests/fakes/store-rows.ts';
import { openBlobs } from '../files/blobs.ts';
import type { Store } from '../ports/store.ts';
import { openStore } from '../store/store.ts';
import { openCatalog } from './catalog.ts';
import { FarmLife } from './farm-life.ts';
import { JobReader } from './job-reader.ts';
import { Submissions } from './submissions.ts';

const BY = { subject: 'ana', roles: ['submitter'] } as const;
const spec = jobSpecSchema.parse({ command: 'true' });
let folder: string;
let store: Store;
let clock: ManualClock;
let commits: number;
let isFull: boolean;
let life: FarmLife;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanyard-submissions-'));
  clock = createManualClock();
  commits = 0;
  isFull = false;
  const stored = openStore({ path: join(folder, 'farm.db'), farm: 'a-farm' as FarmId, wallMs: clock.wallMs, logger: silent });
  store = {
    ...stored,
    commit(batch) {
      if (isFull) throw new LanyardError({ code: 'DISK_FULL', message: 'the disk is full' });
      commits += 1;
      return stored.commit(batch);
    },
  };
});
afterEach(async () => {
  life.stop();
  await store.close();
  rmSync(folder, { recursive: true });
});

/** @param msEach how long it takes to look at the clock, and so to take a job */
async function submissions(msEach: number): Promise<Submissions> {
  const settings = coordinatorSettingsSchema.parse({});
  life = new FarmLife({ store, clock, logger: silent, settings, perform() {}, opened() {}, failed() {} });
  const catalog = openCatalog(store);
  const slow = {
    ...clock,
    elapsedMs() {
      clock.advance(msEach);
      return clock.elapsedMs();
    },
  };
  const reader = new JobReader({ life, store, catalog, comingMachines: () => [] });
  const blobs = await openBlobs(join(folder, 'blobs'));
  return new Submissions({ life, store, catalog, reader, blobs, clock: slow, defaultImage: null, checkInput: async () => undefined });
}

test('many jobs that are taken quickly share a transaction', async () => {
  const many = await submissions(0);
  expect(await many.submitAll(Array(100).fill(spec), BY)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  expect(commits).toBe(1);
});

test('jobs that take long to take let others have their turn, and are stored as they come', async () => {
  const many = await submissions(6);
  let isDone = false;
  let turns = 0;
  const submitted = many.submitAll(Array(20).fill(spec), BY).finally(() => {
    isDone = true;
  });
  for (; !isDone; turns++) await turn();
  expect(await submitted).toHaveLength(20);
  expect(commits).toBeGreaterThanOrEqual(5);
  expect(turns).toBeGreaterThanOrEqual(commits);
});

test('when the disk becomes full on the way, what is stored is answered so, and only that', async () => {
  const many = await submissions(6);
  const submitted = many.submitAll(Array(20).fill(spec), BY);
  while (commits < 3) await turn();
  isFull = true;
  const results = await submitted;
  const taken = results.filter((one) => typeof one === 'number');
  expect(taken).toEqual(store.load().jobs.map(({ row }) => row.id));
  expect(taken.length).toBeGreaterThan(0);
  expect(results.slice(taken.length)).toEqual(Array(20 - taken.length).fill(expect.objectContaining({ code: 'DISK_FULL' })));
  expect(results.length).toBeGreaterThan(taken.length);
  // As a whole, when nothing of it is stored.
  await expect(many.submitAll([spec, spec], BY)).rejects.toMatchObject({ code: 'DISK_FULL' });
});
