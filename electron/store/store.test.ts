import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FarmId, JobId, NodeId } from '../../shared/ids.ts';
import type { JobSpecInput } from '../../shared/job.ts';
import { attemptRow, batch, blob, counts, jobRow, newJob, nodeRow, silent, taskRow } from '../../tests/fakes/store-rows.ts';
import type { Store } from '../ports/store.ts';
import { openStore } from './store.ts';

const job = (id: number): JobId => id as JobId;
let folder: string;
let store: Store;

const open = (name = 'farm.db'): Store =>
  openStore({ path: join(folder, name), farm: 'a-farm' as FarmId, wallMs: () => 1_700_000_000_000, logger: silent });
const reopen = async (): Promise<void> => {
  await store.close();
  store = open();
};
const ids = (found: { readonly jobs: readonly { readonly row: { readonly id: number } }[] }): number[] =>
  found.jobs.map(({ row }) => row.id);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanyard-store-'));
  store = open();
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

describe('what is written comes back after a restart', () => {
  test('a job, its specification, its tasks, attempts and outputs', async () => {
    const spec = {
      name: 'Kugel',
      command: ['render', '{frame}'],
      tasks: { kind: 'frames', frames: '1-9' },
      input: blob('a'),
    } satisfies Partial<JobSpecInput>;
    const whole = newJob(1, { spec, owner: 'ben', inputBytes: 77, row: { taskCount: 9, held: true, priority: 3, reason: 'waits' } });
    const failed = taskRow(1, 0, {
      state: 'FAILED',
      attempt: 2,
      retriesUsed: 1,
      requeues: 4,
      preemptions: 2,
      node: null,
      avoid: ['node-a', 'node-b'] as NodeId[],
      finishedAt: 9,
      exitCode: -11,
      reason: 'exit',
      message: 'was "killed" \u00e4',
    });
    const done = taskRow(1, 8, { state: 'COMPLETED', reason: 'completed', exitCode: 0 });
    const first = attemptRow(1, 8, 1, { reason: 'node-lost', exitCode: null, startedAt: null, message: 'gone' });
    const outputs = [
      { path: 'a/\u00fc.png', bytes: 12, blob: blob('b') },
      { path: 'z.txt', bytes: 0, blob: blob('c') },
    ];
    const second = attemptRow(1, 8, 2, { node: 'node-b' as NodeId, outputs });
    store.commit(batch({ ...whole, tasks: [failed, done], attempts: [first, second] }));
    await reopen();

    expect(store.spec(job(1))).toEqual(whole.specs[0]?.stored);
    expect(store.job(job(1))).toEqual({ row: whole.jobs[0], name: 'Kugel', owner: 'ben' });
    expect(store.task(job(1), 0)).toEqual(failed);
    expect(store.tasks(job(1), { fromIndex: 0, limit: 10 })).toEqual([failed, done]);
    expect(store.attempts(job(1), 8)).toEqual([first, second]);
    expect(store.outputs(job(1))).toEqual(outputs.map((output) => ({ index: 8, ...output })));
    expect(store.outputs(job(1), 0)).toEqual([]);
  });

  test('what ended on a machine, page by page, newest first, and which job brought an input', async () => {
    const spec = { name: 'Kugel', input: blob('a') } satisfies Partial<JobSpecInput>;
    const later = newJob(2, { spec: { ...spec, name: 'Kugel again' }, owner: 'ben' });
    const rows = [1, 2, 3].map((number) => attemptRow(1, 0, number, { finishedAt: 1_000 * number, node: 'node-b' as NodeId }));
    store.commit(batch({ ...newJob(1, { spec, owner: 'ana' }), tasks: [taskRow(1, 0)], attempts: rows }));
    store.commit(
      batch({ ...later, attempts: [attemptRow(2, 0, 1, { finishedAt: 2_500, node: 'node-b' as NodeId }), attemptRow(2, 1, 1)] }),
    );
    await reopen();
    const page = (limit: number, offset: number) => store.nodeAttempts('node-b' as NodeId, { limit, offset });
    expect(page(2, 0)).toEqual({
      attempts: [
        { row: rows[2], jobName: 'Kugel', owner: 'ana' },
        { row: attemptRow(2, 0, 1, { finishedAt: 2_500, node: 'node-b' as NodeId }), jobName: 'Kugel again', owner: 'ben' },
      ],
      total: 4,
    });
    expect(page(10, 3).attempts.map(({ row }) => row.number)).toEqual([1]);
    expect(store.nodeAttempts('node-z' as NodeId, { limit: 1, offset: 0 })).toEqual({ attempts: [], total: 0 });
    expect(store.newestJobOf(blob('a'))).toEqual({ id: 2, name: 'Kugel again' });
    expect(store.newestJobOf(blob('b'))).toBeUndefined();
    store.commit(batch({ removedJobs: [job(2)] }));
    expect(page(10, 0).total).toBe(3);
  });

  test('nodes, and the names of nodes that were removed', async () => {
    const polled = nodeRow('node-b', { carrier: 'poll', adminAvailability: 'draining' });
    store.commit(batch({ ...newJob(1), tasks: [taskRow(1, 0)], nodes: [nodeRow('node-a'), polled] }));
    const health = {
      unhealthyUntil: 7_000,
      strikes: 1,
      probation: false,
      convictions: ['1.0'],
      completedSince: 2,
      failedJob: 1,
      reason: 'full',
    };
    const sick = nodeRow('node-a', { lastSeenAt: 5, health });
    store.commit(batch({ nodes: [sick], removedNodes: ['node-b' as NodeId] }));
    await reopen();
    expect(store.load().nodes).toEqual([sick]);
    expect(store.node('node-b' as NodeId)).toBeUndefined();
    store.commit(batch({ removedNodes: ['node-a' as NodeId, 'never-seen' as NodeId] }));
    await reopen();
    expect(store.load().nodes).toEqual([]);
    expect(store.task(job(1), 0)?.node).toBe('node-a');
  });

  test('how long the last complete tasks of a job ran, in the order in which they ended', async () => {
    const ran = (index: number, finishedAt: number, ranForMs: number | null) => attemptRow(1, index, 1, { finishedAt, ranForMs });
    const attempts = [
      ran(0, 100, 9),
      ran(1, 300, 30),
      ran(2, 200, 20),
      ran(3, 400, null),
      attemptRow(1, 4, 1, { reason: 'exit', ranForMs: 5 }),
    ];
    store.commit(batch({ ...newJob(1, { row: { taskCount: 9 } }), attempts }));
    await reopen();
    const node = 'node-a';
    expect(store.runs(job(1), 2)).toEqual([
      { node, ranForMs: 20 },
      { node, ranForMs: 30 },
    ]);
    expect(store.runs(job(2), 2)).toEqual([]);
  });

  test('the last word on a row counts', async () => {
    store.commit(batch({ ...newJob(1), tasks: [taskRow(1, 0)] }));
    const row = jobRow(1, { state: 'COMPLETED', counts: counts({ COMPLETED: 1 }), finishedAt: 8, retries: 2 });
    store.commit(batch({ jobs: [row], tasks: [taskRow(1, 0, { state: 'COMPLETED', finishedAt: 8 })] }));
    await reopen();
    expect(store.job(job(1))?.row).toEqual(row);
    expect(store.task(job(1), 0)?.state).toBe('COMPLETED');
  });

  test('an input that arrived after the submission', async () => {
    store.commit(batch(newJob(1)));
    expect(store.spec(job(1))?.spec.input).toBeUndefined();
    store.commit(batch({ inputs: [{ job: job(1), input: blob('d'), bytes: 5 }] }));
    await reopen();
    expect(store.spec(job(1))).toMatchObject({ inputBytes: 5, spec: { input: blob('d') } });
  });
});

describe('load', () => {
  test('gives the jobs that have not ended, their counts taken from their tasks', () => {
    const row = { taskCount: 10, state: 'RUNNING' } as const;
    store.commit(batch({ ...newJob(1, { row }), tasks: [taskRow(1, 2), taskRow(1, 3, { state: 'COMPLETED' })] }));
    store.commit(batch({ ...newJob(2, { row: { state: 'FAILED' } }), tasks: [taskRow(2, 0, { state: 'FAILED' })] }));
    store.commit(batch(newJob(3, { row: { taskCount: 4, restState: 'SUBMITTED', state: 'SUBMITTED' } })));
    const { jobs } = store.load();
    expect(jobs.map((loaded) => loaded.row.id)).toEqual([1, 3]);
    expect(jobs[0]?.row.counts).toEqual(counts({ QUEUED: 8, RUNNING: 1, COMPLETED: 1 }));
    expect(jobs[0]?.tasks.map((task) => task.index)).toEqual([2, 3]);
    expect(jobs[0]?.stored).toEqual(store.spec(job(1)));
    expect(jobs[1]?.row.counts).toEqual(counts({ SUBMITTED: 4 }));
  });
});

describe('commit', () => {
  test('is all or nothing', async () => {
    store.commit(batch({ ...newJob(1), attempts: [attemptRow(1, 0, 1)] }));
    const doomed = batch({
      ...newJob(2),
      tasks: [taskRow(2, 0, { node: 'node-new' as NodeId })],
      attempts: [attemptRow(1, 0, 1)],
    });
    expect(() => store.commit(doomed)).toThrow(/UNIQUE/);
    expect(store.job(job(2))).toBeUndefined();
    expect(store.nextJobId()).toBe(2);
    const nodes = ['node-other', 'node-new', 'node-a'] as NodeId[];
    store.commit(batch({ ...newJob(2), tasks: nodes.map((node, index) => taskRow(2, index, { node })) }));
    await reopen();
    expect(store.tasks(job(2), { fromIndex: 0, limit: 9 }).map((task) => task.node)).toEqual(nodes);
  });

  test('refuses a second result of one task, a job without a specification and a specification without a job', () => {
    const outputs = [{ path: 'a.png', bytes: 1, blob: blob('a') }];
    store.commit(batch({ ...newJob(1), attempts: [attemptRow(1, 0, 1, { outputs })] }));
    expect(() => store.commit(batch({ attempts: [attemptRow(1, 0, 2, { outputs })] }))).toThrow(/UNIQUE/);
    expect(() => store.commit(batch({ jobs: [jobRow(5)] }))).toThrow('job 5 has no row in job');
    expect(() => store.commit(batch({ specs: newJob(5).specs }))).toThrow('without its first row');
    expect(() => store.commit(batch({ inputs: [{ job: job(5), input: blob('a'), bytes: 1 }] }))).toThrow('job 5 has no row in spec');
  });

  test('removes a job with all that belongs to it, and no other', async () => {
    const outputs = [{ path: 'a.png', bytes: 1, blob: blob('b') }];
    for (const id of [1, 2]) {
      const whole = newJob(id, { spec: { input: blob(String(id)) }, inputBytes: 1 });
      store.commit(batch({ ...whole, tasks: [taskRow(id, 0)], attempts: [attemptRow(id, 0, 1, { outputs })] }));
    }
    expect(store.referencedBlobs()).toEqual(new Set([blob('1'), blob('2'), blob('b')]));
    store.commit(batch({ removedJobs: [job(1)] }));
    await reopen();
    expect(store.job(job(1))).toBeUndefined();
    expect(store.spec(job(1))).toBeUndefined();
    expect(store.task(job(1), 0)).toBeUndefined();
    expect(store.attempts(job(1), 0)).toEqual([]);
    expect(store.outputs(job(1))).toEqual([]);
    expect(store.outputs(job(2))).toHaveLength(1);
    expect(store.referencedBlobs()).toEqual(new Set([blob('2'), blob('b')]));
  });

  test('never gives an id twice, removed or not', async () => {
    expect(store.nextJobId()).toBe(1);
    store.commit(batch(newJob(7)));
    store.commit(batch({ removedJobs: [job(7)] }));
    expect(store.nextJobId()).toBe(8);
    await reopen();
    expect(store.nextJobId()).toBe(8);
  });
});

describe('jobs', () => {
  const states = ['COMPLETED', 'QUEUED', 'RUNNING', 'FAILED'] as const;
  beforeEach(() => {
    for (let id = 1; id <= 20; id++) {
      const owner = id % 2 === 0 ? 'ana' : 'ben';
      const name = id % 5 === 0 ? `Stra\u00dfe \u00c4pfel_${id} 100%` : `shot ${id}`;
      store.commit(batch(newJob(id, { owner, spec: { name }, row: { state: states[id % 4] ?? 'QUEUED', priority: (id * 7) % 10 } })));
    }
  });
  const page = { order: 'newest', limit: 100, offset: 0 } as const;

  test('newest first, in pages, with the whole number', () => {
    const found = store.jobs({ ...page, limit: 3, offset: 2 });
    expect(ids(found)).toEqual([18, 17, 16]);
    expect(found.total).toBe(20);
    expect(store.jobs({ ...page, offset: 40 })).toEqual({ jobs: [], total: 20 });
  });

  test('oldest first', () => {
    expect(ids(store.jobs({ ...page, order: 'oldest', limit: 3 }))).toEqual([1, 2, 3]);
  });

  test('by priority and then age, and behind them what has ended, newest first', () => {
    const found = store.jobs({ ...page, order: 'priority' });
    expect(found.total).toBe(20);
    expect(found.jobs.slice(0, 4).map(({ row }) => [row.priority, row.id])).toEqual([
      [9, 17],
      [8, 14],
      [7, 1],
      [6, 18],
    ]);
    expect(ids(found).slice(10)).toEqual([20, 19, 16, 15, 12, 11, 8, 7, 4, 3]);
    const from = (offset: number) => ids(store.jobs({ ...page, order: 'priority', limit: 4, offset }));
    for (let offset = 0; offset <= 24; offset += 4) expect(from(offset)).toEqual(ids(found).slice(offset, offset + 4));
    expect(ids(store.jobs({ ...page, order: 'priority', states: ['FAILED'], owner: 'ben' }))).toEqual([19, 15, 11, 7, 3]);
  });

  test('of some states and one owner', () => {
    const found = store.jobs({ ...page, states: ['RUNNING', 'QUEUED', 'RUNNING'] });
    expect(ids(found)).toEqual([18, 17, 14, 13, 10, 9, 6, 5, 2, 1]);
    expect(found.total).toBe(10);
    expect(ids(store.jobs({ ...page, owner: 'ana', states: ['RUNNING'] }))).toEqual([18, 14, 10, 6, 2]);
    expect(store.jobs({ ...page, owner: 'carl' })).toEqual({ jobs: [], total: 0 });
    expect(store.jobs({ ...page, states: [] })).toEqual({ jobs: [], total: 0 });
  });

  test('by a part of the name in any case and script, without wildcards', () => {
    expect(ids(store.jobs({ ...page, search: '\u00e4PFEL_' }))).toEqual([20, 15, 10, 5]);
    expect(ids(store.jobs({ ...page, search: 'SHOT 1' }))).toEqual([19, 18, 17, 16, 14, 13, 12, 11, 1]);
    expect(store.jobs({ ...page, search: '0%' }).total).toBe(4);
    expect(store.jobs({ ...page, search: 't%1' }).total).toBe(0);
    expect(store.jobs({ ...page, search: '' }).total).toBe(20);
  });
});

describe('tasks', () => {
  test('by index, from one on, of some states', () => {
    const cycle = ['COMPLETED', 'FAILED', 'RUNNING', 'CANCELLED'] as const;
    const tasks = Array.from({ length: 40 }, (_, index) => taskRow(1, index, { state: cycle[index % 4] ?? 'RUNNING' }));
    store.commit(batch({ ...newJob(1, { row: { taskCount: 50 } }), tasks }));
    const indexes = (query: Parameters<Store['tasks']>[1]): number[] => store.tasks(job(1), query).map((task) => task.index);
    expect(indexes({ fromIndex: 37, limit: 10 })).toEqual([37, 38, 39]);
    expect(indexes({ fromIndex: 10, limit: 4, states: ['FAILED', 'CANCELLED'] })).toEqual([11, 13, 15, 17]);
    expect(indexes({ fromIndex: 0, limit: 3, states: ['RUNNING', 'FAILED'] })).toEqual([1, 2, 5]);
    expect(indexes({ fromIndex: 0, limit: 3, states: [] })).toEqual([]);
  });
});

describe('what is read together', () => {
  test('is as it is when read alone, and changes come afterwards as before', () => {
    store.commit(batch({ ...newJob(1), tasks: [taskRow(1, 0)] }));
    expect(store.readTogether(() => [store.spec(job(1)), store.task(job(1), 0)])).toEqual([store.spec(job(1)), store.task(job(1), 0)]);
    store.commit(batch(newJob(2)));
    expect(store.readTogether(() => store.job(job(2))?.row.id)).toBe(2);
  });

  test('ends with an error of whoever reads', () => {
    const read = () => {
      store.spec(job(1));
      throw new Error('stopped reading');
    };
    expect(() => store.readTogether(read)).toThrow('stopped reading');
    store.commit(batch(newJob(1)));
    expect(store.readTogether(() => store.job(job(1))?.row.id)).toBe(1);
  });
});

test('closing twice does no harm', async () => {
  await store.close();
  await store.close();
  store = open();
});

describe('backup', () => {
  test('is a whole farm of its own, taken while the farm works', async () => {
    store.commit(batch({ ...newJob(1), tasks: [taskRow(1, 0)] }));
    let copied = false;
    const done = store.backup(join(folder, 'copy.db')).finally(() => {
      copied = true;
    });
    for (let id = 2; !copied; id++) {
      store.commit(batch(newJob(id)));
      await setImmediate();
    }
    await done;
    const copy = open('copy.db');
    expect(copy.task(job(1), 0)).toEqual(taskRow(1, 0));
    expect(copy.load().jobs).toHaveLength(copy.nextJobId() - 1);
    await copy.close();
  });

  test('replaces an older one only when it is whole', async () => {
    store.commit(batch(newJob(1)));
    await store.backup(join(folder, 'copy.db'));
    await expect(store.backup(join(folder, 'no', 'such', 'folder', 'copy.db'))).rejects.toThrow();
    store.commit(batch(newJob(2)));
    await store.backup(join(folder, 'copy.db'));
    const copy = open('copy.db');
    expect(copy.nextJobId()).toBe(3);
    await copy.close();
  });
});
