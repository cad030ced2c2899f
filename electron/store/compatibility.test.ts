import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FarmId, JobId, NodeId } from '../../shared/ids.ts';
import { TASK_STATES } from '../../shared/job.ts';
import { batch, blob, counts, newJob, nodeRow, silent, taskRow } from '../../tests/fakes/store-rows.ts';
import { SCHEMA_VERSION } from './schema.ts';
import { openStore } from './store.ts';

const VERSIONS = new URL('./versions/', import.meta.url);
const job = 3 as JobId;
const farm = 'a-farm' as FarmId;
/** In the order of their codes. */
const VERSION_1_REASONS = [
  ...['completed', 'exit', 'out-of-memory', 'timeout', 'output-missing', 'input-refused', 'image-unavailable', 'input-unavailable'],
  ...['executor-unavailable', 'infrastructure', 'node-lost', 'owner-interrupted', 'preempted', 'limit-unavailable'],
  ...['coordinator-restarted', 'cancelled'],
];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanyard-versions-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function openVersion(version: number) {
  const path = join(folder, 'farm.db');
  const database = new DatabaseSync(path);
  database.exec(readFileSync(new URL(`version-${version}.sql`, VERSIONS), 'utf8'));
  database.close();
  return openStore({ path, farm, wallMs: () => 0, logger: silent });
}

test('every version has its file here', () => {
  expect(readdirSync(VERSIONS).sort()).toEqual(Array.from({ length: SCHEMA_VERSION }, (_, index) => `version-${index + 1}.sql`).sort());
});

test('a version 1 file opens with all that it holds, and can be written', async () => {
  const store = openVersion(1);
  expect(store.nextJobId()).toBe(10);
  const { jobs, nodes } = store.load();
  expect(jobs.map((loaded) => loaded.row.id)).toEqual([job]);
  expect(jobs[0]?.row.counts).toEqual(
    Object.fromEntries(TASK_STATES.map((state) => [state, state === 'SUBMITTED' ? 0 : state === 'QUEUED' ? 2 : 1])),
  );
  expect(jobs[0]?.stored).toMatchObject({
    owner: 'ana',
    inputBytes: 1234,
    spec: {
      name: 'Shot 12',
      image: 'blender:4',
      input: blob('a'),
      tasks: { kind: 'frames', frames: '1-8', chunk: 1 },
      timeoutMs: 3_600_000,
    },
  });
  expect(jobs[0]?.tasks.map((task) => task.state)).toEqual(TASK_STATES.slice(1));
  expect(jobs[0]?.tasks[4]).toEqual(
    taskRow(3, 5, {
      state: 'FAILED',
      avoid: ['node-a' as NodeId],
      node: null,
      exitCode: 2,
      reason: 'exit',
      message: 'exit code 2',
      retriesUsed: 1,
      requeues: 2,
      attempt: 3,
      finishedAt: 1_700_000_000_900,
    }),
  );
  expect(nodes).toEqual([
    nodeRow('node-a'),
    nodeRow('node-b', { carrier: 'poll', adminAvailability: 'draining' }),
    nodeRow('node-c', { adminAvailability: 'paused' }),
  ]);
  const reasons = [...store.attempts(job, 4), ...store.attempts(job, 5)].map((attempt) => attempt.reason);
  expect(reasons).toEqual(VERSION_1_REASONS);
  expect(store.outputs(job)).toEqual([{ index: 4, path: 'out/0005.png', bytes: 99, blob: blob('b') }]);
  expect(store.job(4 as JobId)).toMatchObject({
    owner: 'ben',
    row: { state: 'CANCELLED', held: true, restState: 'CANCELLED', counts: counts({ CANCELLED: 1 }), reason: 'cancelled by ben' },
  });
  store.commit(batch(newJob(10)));
  expect(store.nextJobId()).toBe(11);
  await store.close();
});

test('a version 2 file has the places of jobs and what owners have had; jobs of version 1 stand in the order of their ids', async () => {
  const store = openVersion(2);
  expect(store.load().owners).toEqual([{ owner: 'ana', usage: 123_456.5, at: 1_700_000_000_000 }]);
  expect(store.job(job)?.row.position).toBe(0.5);
  expect(store.job(4 as JobId)?.row.position).toBe(4);
  await store.close();
});

test('a version 3 file finds what a machine has done, and the jobs of an input; so does one that was brought up to it', async () => {
  for (const version of [1, 2, 3, 4]) {
    const store = openVersion(version);
    const { attempts, total } = store.nodeAttempts('node-a' as NodeId, { limit: 3, offset: 1 });
    expect(total).toBe(VERSION_1_REASONS.length);
    expect(attempts.map(({ jobName, owner }) => [jobName, owner])).toEqual(Array(3).fill(['Shot 12', 'ana']));
    expect(store.newestJobOf(blob('a'))).toEqual({ id: job, name: 'Shot 12' });
    await store.close();
    rmSync(join(folder, 'farm.db'));
  }
});

test('a version 4 file has what was decided after a canary, and asks for it', async () => {
  const store = openVersion(4);
  expect(store.spec(job)).toMatchObject({
    spec: { canary: { approval: 'by-hand', least: {} }, requirements: { cpu: 0.75, ramMb: 256 }, timeoutMs: 120_000, input: blob('a') },
    decision: { by: 'ana', asked: { cpu: 1, ramMb: 512, timeoutMs: 3_600_000 }, runs: [{ index: 0, cpuMs: 5_000 }] },
  });
  expect(store.spec(4 as JobId)).not.toHaveProperty('decision');
  await store.close();
});

test('a version 4 file has what attempts have used; nobody knows it of those of version 2', async () => {
  const usages = async (version: number) => {
    const store = openVersion(version);
    const attempts = [...store.attempts(job, 4), ...store.attempts(job, 5).slice(0, 1)];
    await store.close();
    rmSync(join(folder, 'farm.db'));
    return attempts.map(({ ranForMs, cpuMs, peakRamMb }) => [ranForMs, cpuMs, peakRamMb]);
  };
  const blank = [null, null, null];
  expect(await usages(4)).toEqual([[100, 1_250, 96], blank]);
  expect(await usages(2)).toEqual([blank, blank]);
});

test('a version 5 file has what failures have led to, and how often tasks made room; nothing of that is known of those of version 4', async () => {
  const known = async (version: number) => {
    const store = openVersion(version);
    const { jobs, nodes } = store.load();
    await store.close();
    rmSync(join(folder, 'farm.db'));
    return { health: nodes.map(({ health }) => health), preemptions: jobs[0]?.tasks.map(({ preemptions }) => preemptions) };
  };
  const health = {
    unhealthyUntil: 1_700_000_060_000,
    strikes: 2,
    probation: false,
    convictions: ['3.5'],
    completedSince: 1,
    failedJob: 3,
    reason: 'job 3: the engine is down',
  };
  expect(await known(5)).toEqual({ health: [null, health, null], preemptions: [0, 0, 0, 0, 2, 0, 0] });
  expect(await known(4)).toEqual({ health: [null, null, null], preemptions: [0, 0, 0, 0, 0, 0, 0] });
});

test('a version 6 file has the only tasks of jobs in their rows, and one specification for jobs that say the same', async () => {
  const store = openVersion(6);
  const [running, done] = [5 as JobId, 6 as JobId];
  expect(store.load().jobs.map(({ row, tasks }) => [row.id, row.counts.RUNNING, tasks.length])).toEqual([
    [job, 1, 7],
    [running, 1, 1],
  ]);
  expect(store.task(running, 0)).toEqual(taskRow(5, 0));
  expect(store.spec(done)).toEqual(store.spec(running));
  expect(store.attempts(done, 0).map(({ number, node, reason, ranForMs }) => [number, node, reason, ranForMs])).toEqual([
    [1, 'node-a', 'exit', 9],
    [2, 'node-b', 'completed', 90],
  ]);
  await store.close();
});

test('a version 7 file lists jobs that wait, run and have ended', async () => {
  const store = openVersion(7);
  const list = (order: 'newest' | 'priority') => store.jobs({ order, limit: 10, offset: 0 }).jobs.map(({ row }) => row.id);
  expect(list('newest')).toEqual([6, 5, 4, 3]);
  expect(list('priority')).toEqual([3, 5, 6, 4]);
  await store.close();
});

test('the only tasks of jobs move into the rows of their jobs', async () => {
  const path = join(folder, 'farm.db');
  const database = new DatabaseSync(path);
  database.exec(readFileSync(new URL('version-5.sql', VERSIONS), 'utf8'));
  database.exec(`INSERT INTO spec (job, json) VALUES (5, '{"name":"one","command":"true"}');
    INSERT INTO job VALUES (5, 'one', 'one', 'ben', 3, 50, 0, 1, 1, '[0,0,0,1,0,0,0,0]', 0, 1, 1, 1, NULL, NULL, 5);
    INSERT INTO task VALUES (5, 0, 3, 2, 1, 0, 2, '["node-a"]', 1700000000100, 1700000000200, NULL, NULL, NULL, NULL, 0);
    INSERT INTO attempt VALUES (5, 0, 1, 1, 1, NULL, 2, 1, 1, 3, 9, 8, 7);`);
  database.close();
  const store = openStore({ path, farm, wallMs: () => 0, logger: silent });
  const one = 5 as JobId;
  const before = taskRow(5, 0, { attempt: 2, retriesUsed: 1, node: 'node-b' as NodeId, avoid: ['node-a' as NodeId] });
  expect(store.task(one, 0)).toEqual(before);
  expect(store.load().jobs.find(({ row }) => row.id === one)?.tasks).toEqual([before]);
  store.commit(batch({ tasks: [{ ...before, state: 'CANCELLED', finishedAt: 7 }] }));
  expect(store.tasks(one, { fromIndex: 0, limit: 9 })).toEqual([{ ...before, state: 'CANCELLED', finishedAt: 7 }]);
  expect(store.attempts(one, 0).map(({ number }) => number)).toEqual([1]);
  await store.close();
});

test('a version 1 file, whose farm has no key yet, becomes the first farm that opens it, and no other after', async () => {
  await openVersion(1).close();
  const path = join(folder, 'farm.db');
  await openStore({ path, farm, wallMs: () => 0, logger: silent }).close();
  const bytes = readFileSync(path);
  expect(() => openStore({ path, farm: 'another-farm' as FarmId, wallMs: () => 0, logger: silent })).toThrow(
    /is of another farm \(a-farm\)/,
  );
  expect(readFileSync(path)).toEqual(bytes);
});
