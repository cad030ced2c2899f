import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turnOver } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FarmId, JobId } from '../../shared/ids.ts';
import { jobSpecSchema } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import { coordinatorSettingsSchema } from '../../shared/settings.ts';
import { createManualClock } from '../../tests/fakes/clock.ts';
import { silent } from '../../tests/fakes/store-rows.ts';
import { description } from '../core/farm.fixture.ts';
import { createFarm } from '../core/step.ts';
import type { Store, WriteBatch } from '../ports/store.ts';
import { openStore } from '../store/store.ts';
import { farmConfig, newJob, recoveredEvent } from './recovery.ts';
import { startTurns, type Turns } from './turns.ts';

const folder = mkdtempSync(join(tmpdir(), 'lanyard-turns-'));
const spec = jobSpecSchema.parse({ command: 'true' });
let store: Store;
let turns: Turns;
/** Jobs in each commit, and what was waited for and done, in order. */
let happened: string[];
/** Turns that wait in a thread for the disk, until the test lets them go on. */
let disk: PromiseWithResolvers<void>[];
let failures: string[];
/** Attempts that each turn had sent. */
let sent: number[];

beforeEach(() => {
  [happened, disk, failures, sent] = [[], [], [], []];
  store = openStore({ path: join(folder, 'farm.db'), farm: 'a-farm' as FarmId, wallMs: () => 1_700_000_000_000, logger: silent });
  turns = startTurns({
    farm: createFarm(farmConfig(coordinatorSettingsSchema.parse({}))),
    store: {
      commit(batch: WriteBatch) {
        happened.push(`commit ${batch.specs.length}`);
        return store.commit(batch);
      },
      async sync() {
        const gate = Promise.withResolvers<void>();
        disk.push(gate);
        await gate.promise;
        await store.sync();
        happened.push('on disk');
      },
      syncNow() {
        store.syncNow();
        happened.push('on disk at once');
      },
    },
    clock: createManualClock(),
    perform(effects) {
      happened.push(`perform ${effects.filter(({ type }) => type === 'save-job').length}`);
      sent.push(effects.filter(({ type }) => type === 'assign').length);
    },
    onFailure: ({ message }) => failures.push(message),
  });
  turns.post(recoveredEvent(store.load(), store));
});
afterEach(async () => {
  turns.stop();
  await store.close();
  for (const suffix of ['', '-wal', '-shm', '.lock']) rmSync(join(folder, `farm.db${suffix}`), { force: true });
});

let nextJob = 1;
function submit(count: number): Promise<void> {
  for (let done = 0; done < count; done++) {
    const job = nextJob++ as JobId;
    turns.post({ type: 'job-submitted', job: newJob(job, 'ana', spec, 1, true, []) }, (batch) =>
      batch.addSpec({ job, stored: { spec, owner: 'ana', inputBytes: null } }),
    );
  }
  return turns.settled();
}

test('a turn of few changes waits for the disk on the spot', async () => {
  await submit(2);
  expect(happened).toEqual(['commit 2', 'on disk at once', 'perform 2']);
  expect(turns.isSettled).toBe(true);
});

test('nothing is done about a larger turn before it is on disk; what happens meanwhile is the next turn, all of it', async () => {
  const first = submit(100);
  await turnOver();
  const [second, third] = [submit(1), submit(1)];
  await turnOver();
  expect(happened).toEqual(['commit 100']);
  expect(turns.isSettled).toBe(false);
  disk[0]?.resolve();
  await first;
  expect(happened).toEqual(['commit 100', 'on disk', 'perform 100']);
  await Promise.all([second, third]);
  expect(happened.slice(3)).toEqual(['commit 2', 'on disk at once', 'perform 2']);
});

test('a sync that fails ends this life of the farm: whoever waits is told, and nothing is done', async () => {
  const first = submit(100);
  await turnOver();
  const second = submit(1);
  disk[0]?.reject(new Error('the disk is gone'));
  await expect(first).rejects.toThrow('the disk is gone');
  await expect(second).rejects.toThrow('the disk is gone');
  await expect(turns.settled()).rejects.toThrow('the disk is gone');
  expect([happened, failures]).toEqual([['commit 100'], ['the disk is gone']]);
});

test('the end waits for a turn on its way, and for what was posted meanwhile', async () => {
  const first = submit(100);
  await turnOver();
  const second = submit(1);
  turns.stop();
  expect(happened).toEqual(['commit 100', 'on disk at once', 'perform 100', 'commit 1', 'on disk at once', 'perform 1']);
  await Promise.all([first, second]);
  disk[0]?.resolve();
  await turnOver();
  await expect(submit(1)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(happened.filter((what) => what.startsWith('perform'))).toEqual(['perform 100', 'perform 1']);
});

describe('whoever only waits for the disk', () => {
  test('goes on before what follows from a larger turn is done, and whoever waits for that too after it', async () => {
    const all = submit(100).then(() => happened.push('settled'));
    const stored = turns.stored().then(() => happened.push('stored'));
    await turnOver();
    disk[0]?.resolve();
    await stored;
    expect(happened).toEqual(['commit 100', 'on disk', 'stored']);
    expect(turns.isSettled).toBe(false);
    await all;
    expect(happened.slice(3)).toEqual(['perform 100', 'settled']);
    expect(turns.isSettled).toBe(true);
  });

  test('sees the end do what is left to do, once, before what came meanwhile', async () => {
    const all = submit(100);
    const stored = turns.stored();
    await turnOver();
    disk[0]?.resolve();
    await stored;
    const more = submit(1);
    turns.stop();
    await Promise.all([all, more]);
    await turnOver();
    expect(happened).toEqual(['commit 100', 'on disk', 'perform 100', 'commit 1', 'on disk at once', 'perform 1']);
  });

  test('has what it waited for when the next event ends this life of the farm; what follows is left to the next', async () => {
    const all = submit(100);
    const stored = turns.stored();
    await turnOver();
    disk[0]?.resolve();
    await stored;
    turns.post({ type: 'job-submitted', job: undefined as never });
    await expect(all).rejects.toThrow(TypeError);
    await turnOver();
    expect(happened).toEqual(['commit 100', 'on disk']);
    expect(failures).toHaveLength(1);
  });
});

test('a turn places so much and the next the rest, with nothing else happening meanwhile', async () => {
  const count = LIMITS.turnPlacements + 5;
  const node = description('ash', { maxParallel: count, cpu: count, ramMb: 1_000_000, diskMb: 1_000_000, executors: ['host'] });
  const job = nextJob++ as JobId;
  turns.post({ type: 'node-registered', node, carrier: 'link', attempts: [], cached: [] });
  turns.post({ type: 'job-submitted', job: newJob(job, 'ana', spec, count, true, []) }, (batch) =>
    batch.addSpec({ job, stored: { spec, owner: 'ana', inputBytes: null } }),
  );
  const first = turns.settled();
  await turnOver();
  disk[0]?.resolve();
  await first;
  expect(sent).toEqual([LIMITS.turnPlacements]);
  expect(turns.isSettled).toBe(false);
  await turnOver();
  expect(sent).toEqual([LIMITS.turnPlacements, 5]);
  expect(turns.isSettled).toBe(true);
  expect(store.tasks(job, { fromIndex: 0, limit: count, states: ['ASSIGNED'] })).toHaveLength(count);
});
