import { describe, expect, test } from 'vitest';
import type { JobId, NodeId } from '../../shared/ids.ts';
import type { TaskRow } from '../../shared/job.ts';
import { blob, held, newJob, policy, TestFarm } from './farm.fixture.ts';
import { isWaiting, jobRow, nodeSummary, taskRow } from './queries.ts';

const JOB = 1 as JobId;

describe('cancelling a job', () => {
  test.each(['SUBMITTED', 'QUEUED', 'ASSIGNED', 'RUNNING'])('ends it from %s, and nothing of it is placed any more', (state) => {
    const world = new TestFarm();
    world.submit(1, { taskCount: 2, inputReady: state !== 'SUBMITTED' });
    if (state === 'ASSIGNED' || state === 'RUNNING') world.join('ash', { maxParallel: 1 });
    if (state === 'RUNNING') world.start('1.0.1');
    expect(world.jobState(1)).toBe(state);
    world.cancel(1);
    expect(world.jobRows.get(1)).toMatchObject({
      state: 'CANCELLED',
      restState: 'CANCELLED',
      counts: { CANCELLED: 2 },
      reason: 'cancelled by ann',
      finishedAt: world.now.wallMs,
    });
    world.join('birch');
    expect(world.assigned()).toEqual([]);
    expect(jobRow(world.farm, JOB)).toBeUndefined();
  });

  test('stores a row only for the tasks that have one', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: 1_000 });
    world.cancel(1);
    expect(world.of('save-task').map(({ row }) => [row.index, row.state, row.reason])).toEqual([[0, 'CANCELLED', 'cancelled']]);
    expect(world.jobRows.get(1)?.counts.CANCELLED).toBe(1_000);
  });

  test('that has ended, or never was, changes nothing', () => {
    const world = new TestFarm();
    expect(world.cancel(1)).toEqual([]);
  });
});

describe('cancelling one task', () => {
  test('leaves the others alone, and it is never placed', () => {
    const world = new TestFarm();
    world.submit(1, { taskCount: 3 });
    world.cancel(1, 1);
    expect(world.taskRows.get('1.1')).toMatchObject({ state: 'CANCELLED', attempt: 0, message: 'cancelled by ann' });
    expect(isWaiting(world.farm, JOB, 1)).toBe(false);
    world.join('ash', { maxParallel: 4 });
    expect(world.assigned()).toEqual(['1.0.1@ash', '1.2.1@ash']);
    world.end('1.0.1');
    world.end('1.2.1');
    expect(world.jobRows.get(1)).toMatchObject({ state: 'CANCELLED', counts: { COMPLETED: 2, CANCELLED: 1 } });
  });

  test('twice, or after its end, changes nothing', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: 3 });
    world.end('1.0.1');
    world.cancel(1, 2);
    expect(world.cancel(1, 2)).toEqual([]);
    expect(world.cancel(1, 0)).toEqual([]);
    expect(world.cancel(1, 3)).toEqual([]);
  });

  test('ends the job when it was the last', () => {
    const world = new TestFarm();
    world.submit(1);
    world.cancel(1, 0);
    expect(world.jobState(1)).toBe('CANCELLED');
  });
});

describe('holding a job', () => {
  test('keeps its waiting tasks back and lets its attempts go on, until it is released', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: 2 });
    world.turn({ type: 'hold', job: JOB, held: true });
    world.end('1.0.1');
    expect(world.assigned()).toEqual([]);
    expect(world.jobRows.get(1)?.held).toBe(true);
    world.turn({ type: 'hold', job: JOB, held: false });
    expect(world.assigned()).toEqual(['1.1.1@ash']);
  });
});

test('a new priority moves a job in the queue', () => {
  const world = new TestFarm();
  world.submit(1);
  world.submit(2);
  world.submit(3);
  world.turn({ type: 'set-priority', job: 3 as JobId, priority: 80 }, { type: 'set-priority', job: JOB, priority: 10 });
  world.join('ash', { maxParallel: 3 });
  expect(world.assigned()).toEqual(['3.0.1@ash', '2.0.1@ash', '1.0.1@ash']);
});

describe('a job that waits for its input', () => {
  test('is SUBMITTED until the input is there', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1, { inputReady: false });
    expect(world.jobRows.get(1)).toMatchObject({ state: 'SUBMITTED', restState: 'SUBMITTED', queuedAt: null });
    world.turn({ type: 'input-ready', job: JOB, input: blob('a') });
    expect(world.assigned()).toEqual(['1.0.1@ash']);
  });

  test('is FAILED with the reason when the input cannot be had', () => {
    const world = new TestFarm();
    world.submit(1, { inputReady: false, taskCount: 5 });
    world.turn({ type: 'input-failed', job: JOB, message: 'no such host' });
    expect(world.jobRows.get(1)).toMatchObject({ state: 'FAILED', restState: 'FAILED', counts: { FAILED: 5 }, reason: 'no such host' });
  });
});

test('a job cannot be submitted twice', () => {
  const world = new TestFarm();
  world.submit(1);
  expect(() => world.submit(1)).toThrow('already');
});

describe('retrying', () => {
  test('begins failed tasks anew with all their retries, leaves completed ones, and lets the attempt numbers go on', () => {
    const world = new TestFarm();
    const once = policy({}, { maxRetries: 1 });
    world.join('ash');
    world.submit(1, { taskCount: 2, policy: once });
    world.end('1.0.1');
    world.end('1.1.1', 'exit');
    world.end('1.1.2', 'exit');
    expect(world.jobState(1)).toBe('FAILED');
    world.turn({ type: 'retry', job: world.stored(1) });
    expect(world.assigned()).toEqual(['1.1.3@ash']);
    expect(world.taskRows.get('1.1')).toMatchObject({ retriesUsed: 0, avoid: [] });
    world.end('1.1.3');
    expect(world.jobRows.get(1)).toMatchObject({ state: 'COMPLETED', counts: { COMPLETED: 2 }, reason: null });
  });

  test('places the tasks that a cancel kept from ever being placed', () => {
    const world = new TestFarm();
    world.submit(1, { taskCount: 3 });
    world.cancel(1);
    world.turn({ type: 'retry', job: world.stored(1) });
    world.join('ash', { maxParallel: 4 });
    expect(world.assigned()).toHaveLength(3);
  });

  test('a living job begins its ended tasks anew and leaves the others', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: 3, policy: policy({}, { maxRetries: 0 }) });
    world.end('1.0.1', 'exit');
    world.turn({ type: 'retry', job: world.stored(1) });
    expect(taskRow(world.farm, JOB, 0)).toMatchObject({ state: 'QUEUED', attempt: 1 });
    expect(jobRow(world.farm, JOB)?.counts).toMatchObject({ FAILED: 0, QUEUED: 2, ASSIGNED: 1 });
  });

  test('a complete job changes nothing', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1);
    world.end('1.0.1');
    expect(world.turn({ type: 'retry', job: world.stored(1) })).toEqual([]);
  });
});

describe('after a restart', () => {
  function half(): TestFarm {
    const world = new TestFarm();
    world.join('birch', { labels: { idle: '' }, cpu: 0 });
    world.join('ash');
    world.submit(1, { taskCount: 4 });
    world.start('1.0.1');
    world.end('1.1.1');
    world.start('1.2.1');
    return world;
  }

  test('tasks go on where they were: counts from the rows, the rest implicit', () => {
    const world = half();
    world.restart();
    expect(jobRow(world.farm, JOB)).toMatchObject({ state: 'RUNNING', counts: { RUNNING: 2, COMPLETED: 1, QUEUED: 1 } });
    expect(nodeSummary(world.farm, 'ash' as NodeId)?.status).toBe('BUSY');
    expect(nodeSummary(world.farm, 'birch' as NodeId)?.status).toBe('OFFLINE');
  });

  test('a node that comes back in time keeps what it names and loses what it does not', () => {
    const world = half();
    world.restart();
    world.pass(29_999);
    world.join('ash', {}, [held('1.0.1')]);
    expect(world.of('welcome')).toEqual([{ type: 'welcome', node: 'ash', keep: ['1.0.1'], stop: [] }]);
    expect(world.of('save-attempt').map(({ row }) => [row.index, row.reason])).toEqual([[2, 'coordinator-restarted']]);
    expect(world.taskRows.get('1.2')).toMatchObject({ retriesUsed: 0, requeues: 1 });
    world.end('1.0.1');
    expect(world.of('acknowledge')[0]?.accepted).toBe(true);
  });

  test('a node that does not come back in time loses all', () => {
    const world = half();
    world.restart();
    world.pass(30_000);
    expect(world.of('save-attempt').map(({ row }) => row.reason)).toEqual(['node-lost', 'node-lost']);
    expect(jobRow(world.farm, JOB)?.counts).toMatchObject({ QUEUED: 3, COMPLETED: 1 });
  });

  test('an attempt on a node that is not stored is queued again', () => {
    const before = half();
    const rows = [...before.taskRows.values()].map((row): TaskRow => ({ ...row, node: 'gone' as NodeId }));
    const world = new TestFarm();
    world.turn({ type: 'recovered', jobs: [{ ...before.stored(1), tasks: rows }], nodes: [], owners: [] });
    expect(jobRow(world.farm, JOB)?.counts).toMatchObject({ QUEUED: 3, COMPLETED: 1 });
    expect(world.of('save-attempt').map(({ row }) => [row.index, row.node, row.reason])).toEqual([
      [0, 'gone', 'coordinator-restarted'],
      [2, 'gone', 'coordinator-restarted'],
    ]);
    world.join('ash', { maxParallel: 8 });
    expect(world.assigned().sort()).toEqual(['1.0.2@ash', '1.2.2@ash', '1.3.1@ash']);
  });

  test('a running attempt gets its whole timeout again, by the steady clock', () => {
    const world = half();
    world.restart();
    world.join('ash', {}, [held('1.0.1'), held('1.2.1')]);
    world.passAlive(3_600_000, 'ash');
    expect(jobRow(world.farm, JOB)?.counts.RUNNING).toBe(2);
  });

  test('jobs that wait for jobs go on waiting', () => {
    const world = new TestFarm();
    world.submit(1);
    world.submit(2, { after: [{ job: JOB, until: 'complete' as const, ended: null }] });
    world.restart();
    world.join('ash');
    expect(world.assigned()).toEqual(['1.0.1@ash']);
    world.end('1.0.1');
    expect(world.assigned()).toEqual(['2.0.1@ash']);
  });
});

test('the rows of a new job say when it was submitted and queued', () => {
  const world = new TestFarm();
  world.turn({ type: 'job-submitted', job: newJob(1, { taskCount: 7 }) });
  expect(world.jobRows.get(1)).toMatchObject({
    state: 'QUEUED',
    submittedAt: world.now.wallMs,
    queuedAt: world.now.wallMs,
    startedAt: null,
    finishedAt: null,
    counts: { QUEUED: 7 },
  });
});
