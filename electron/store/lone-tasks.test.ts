import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FarmId, JobId, NodeId } from '../../shared/ids.ts';
import type { AttemptRow, TaskRow } from '../../shared/job.ts';
import { attemptRow, batch, blob, jobRow, newJob, silent, taskRow } from '../../tests/fakes/store-rows.ts';
import type { Store, WriteBatch } from '../ports/store.ts';
import { EVERY_ATTEMPT, EVERY_TASK } from './lone-tasks.ts';
import { openStore } from './store.ts';

let folder: string;
let store: Store;

const open = () => openStore({ path: join(folder, 'farm.db'), farm: 'a-farm' as FarmId, wallMs: () => 0, logger: silent });
const rowsOf = (table: 'spec' | 'task' | 'attempt') => {
  const database = new DatabaseSync(join(folder, 'farm.db'), { readOnly: true });
  const total = database.prepare(`SELECT count(*) AS total FROM ${table}`).get()?.total;
  database.close();
  return total;
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanyard-lone-'));
  store = open();
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

/** A stream of numbers below `below` that is the same each time (mulberry32). */
function draws(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** One task's life as the core writes it, turn by turn: placed, ended, queued again, retried by a person, several of it in one turn. */
class Life {
  private readonly draw: (below: number) => number;
  private now = 1_700_000_000_000;
  private task = taskRow(0, 0, { state: 'QUEUED', attempt: 0, node: null, assignedAt: null, startedAt: null });

  constructor(seed: number) {
    this.draw = draws(seed);
  }

  turn(): { readonly task: TaskRow; readonly attempts: readonly AttemptRow[] } {
    const attempts: AttemptRow[] = [];
    for (let events = 1 + this.draw(4); events > 0; events--) attempts.push(...this.event());
    return { task: this.task, attempts };
  }

  private event(): readonly AttemptRow[] {
    const { task } = this;
    this.now += 10;
    if (task.state === 'QUEUED') {
      const node = `node-${'ab'[this.draw(2)]}` as NodeId;
      this.task = { ...task, state: 'ASSIGNED', attempt: task.attempt + 1, node, assignedAt: this.now };
      return [];
    }
    if (task.state === 'ASSIGNED' || task.state === 'RUNNING') return this.draw(3) === 0 ? this.start() : this.end();
    this.task = { ...task, state: 'QUEUED', node: null, assignedAt: null, startedAt: null, finishedAt: null, exitCode: null, reason: null };
    return [];
  }

  private start(): readonly AttemptRow[] {
    this.task = { ...this.task, state: 'RUNNING', startedAt: this.now };
    return [];
  }

  private end(): readonly AttemptRow[] {
    const { task } = this;
    const { attempt: number, node, startedAt } = task;
    const reason = (['completed', 'exit', 'node-lost'] as const)[this.draw(3)] as 'completed' | 'exit' | 'node-lost';
    const ended = { reason, message: null, exitCode: reason === 'exit' ? 2 : 0, finishedAt: this.now };
    const known = { assignedAt: task.assignedAt as number, startedAt, ranForMs: this.draw(5) === 0 ? null : this.draw(100) };
    if (reason === 'node-lost')
      this.task = { ...task, ...ended, state: 'QUEUED', node: null, assignedAt: null, startedAt: null, finishedAt: null };
    else this.task = { ...task, ...ended, state: reason === 'completed' ? 'COMPLETED' : 'FAILED' };
    return [attemptRow(0, 0, number, { node: node as NodeId, ...ended, ...known })];
  }
}

test('whatever happens to the only task of a job, as much is known of it as of one of several', () => {
  const [lone, other] = [1, 2] as JobId[] as [JobId, JobId];
  const of = (job: JobId, { task, attempts }: ReturnType<Life['turn']>): Partial<WriteBatch> => ({
    tasks: [{ ...task, job }],
    attempts: attempts.map((attempt) => ({ ...attempt, job })),
  });
  const seen = (job: JobId) => ({
    task: { ...store.task(job, 0), job: 0 },
    tasks: store.tasks(job, { fromIndex: 0, limit: 9 }).map((task) => ({ ...task, job: 0 })),
    failed: store.tasks(job, { fromIndex: 0, limit: 9, states: ['FAILED', 'QUEUED'] }).length,
    attempts: store.attempts(job, 0).map((attempt) => ({ ...attempt, job: 0 })),
    runs: store.runs(job, 9),
  });
  for (let seed = 1; seed <= 12; seed++) {
    store.commit(batch(newJob(lone)));
    store.commit(batch(newJob(other, { row: { taskCount: 2 } })));
    const life = new Life(seed);
    for (let turn = 0; turn < 12; turn++) {
      const written = life.turn();
      // The job's own row is written with it, or not.
      const jobs = seed % 2 === 0 ? [jobRow(lone), jobRow(other, { taskCount: 2 })] : [];
      const [one, two] = [of(lone, written), of(other, written)];
      store.commit(
        batch({ jobs, tasks: [...(one.tasks ?? []), ...(two.tasks ?? [])], attempts: [...(one.attempts ?? []), ...(two.attempts ?? [])] }),
      );
      expect(seen(lone), `seed ${seed}, turn ${turn}`).toEqual(seen(other));
      const { attempts, total } = store.nodeAttempts('node-a' as NodeId, { limit: 100, offset: 0 });
      expect(total).toBe(attempts.length);
      expect(attempts.filter(({ row }) => row.job === lone)).toHaveLength(attempts.length / 2);
      expect(attempts.map(({ row }) => row.finishedAt)).toEqual(attempts.map(({ row }) => row.finishedAt).sort((a, b) => b - a));
    }
    store.commit(batch({ removedJobs: [lone, other] }));
  }
});

test('pages of tasks and attempts are read in the order of an index, and not sorted', () => {
  const database = new DatabaseSync(join(folder, 'farm.db'), { readOnly: true });
  const plan = (sql: string) =>
    database
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map(({ detail }) => String(detail))
      .join();
  const plans = [
    plan(`SELECT * FROM ${EVERY_TASK} WHERE job = 1 AND task_index >= 5 ORDER BY task_index LIMIT 9`),
    plan(`SELECT * FROM ${EVERY_ATTEMPT} WHERE node = 1 ORDER BY finished_at DESC LIMIT 9 OFFSET 9`),
  ];
  database.close();
  expect(plans.join()).toMatch(/MERGE.*attempt_by_node.*job_by_node/);
  expect(plans.join()).not.toMatch(/TEMP B-TREE|SCAN/);
});

test('a job of one task that goes well takes a row, and the row of its specification', async () => {
  store.commit(batch({ ...newJob(1), tasks: [taskRow(1, 0, { state: 'ASSIGNED' })] }));
  const { finishedAt, exitCode, reason } = attemptRow(1, 0, 1);
  const ended = { state: 'COMPLETED', finishedAt, exitCode, reason } as const;
  store.commit(batch({ jobs: [jobRow(1, { state: 'COMPLETED' })], tasks: [taskRow(1, 0, ended)], attempts: [attemptRow(1, 0, 1)] }));
  expect([rowsOf('spec'), rowsOf('task'), rowsOf('attempt')]).toEqual([1, 0, 0]);
  await store.close();
  store = open();
  expect(store.attempts(1 as JobId, 0)).toEqual([attemptRow(1, 0, 1)]);
  expect(store.task(1 as JobId, 0)).toEqual(taskRow(1, 0, ended));
  const again = batch({ tasks: [taskRow(1, 0, ended)], attempts: [attemptRow(1, 0, 1)] });
  expect(() => store.commit(again)).toThrow('has no row in job');
});

describe('jobs of one specification', () => {
  const same = newJob(1).specs[0]?.stored as WriteBatch['specs'][number]['stored'];
  const like = (id: number, stored = same, state: 'QUEUED' | 'SUBMITTED' = 'QUEUED') =>
    batch({ specs: [{ job: id as JobId, stored }], jobs: [jobRow(id, { state })] });
  const specs = (...ids: number[]) => ids.map((id) => store.spec(id as JobId)?.spec.name);

  test('share a row of it, which goes with the last of them', () => {
    for (const id of [1, 2, 3]) store.commit(like(id));
    expect(rowsOf('spec')).toBe(1);
    store.commit(batch({ removedJobs: [1 as JobId] }));
    expect(specs(1, 2, 3)).toEqual([undefined, 'job 1', 'job 1']);
    store.commit(like(4));
    store.commit(batch({ removedJobs: [3 as JobId] }));
    expect(specs(2, 3, 4)).toEqual(['job 1', undefined, 'job 1']);
    expect(rowsOf('spec')).toBe(2);
    store.commit(batch({ removedJobs: [2 as JobId] }));
    expect(rowsOf('spec')).toBe(1);
    store.commit(batch({ removedJobs: [4 as JobId] }));
    expect(rowsOf('spec')).toBe(0);
  });

  test('share none with a job that was not written, is far away, or may yet be told more', () => {
    const doomed = batch({ ...like(1), tasks: [taskRow(9, 0)], attempts: [attemptRow(9, 0, 1), attemptRow(9, 0, 1)] });
    expect(() => store.commit(doomed)).toThrow(/UNIQUE/);
    for (const id of [2, 3, 1_002]) store.commit(like(id));
    expect([rowsOf('spec'), ...specs(2, 3, 1_002)]).toEqual([2, 'job 1', 'job 1', 'job 1']);
    store.commit(like(1_003, same, 'SUBMITTED'));
    store.commit(batch({ inputs: [{ job: 1_003 as JobId, input: blob('a'), bytes: 5 }] }));
    store.commit(like(1_004));
    expect(rowsOf('spec')).toBe(3);
    expect(store.spec(1_004 as JobId)?.spec.input).toBeUndefined();
    const canary = { ...same, spec: { ...same.spec, canary: { approval: 'by-hand', least: {} } } } as unknown as typeof same;
    for (const id of [1_005, 1_006]) store.commit(like(id, canary));
    expect(rowsOf('spec')).toBe(5);
  });
});
