import { describe, expect, test } from 'vitest';
import type { JobId } from '../../shared/ids.ts';
import type { Dependency } from './events.ts';
import { explainJob } from './explain.ts';
import { CONFIG, newJob, TestFarm } from './farm.fixture.ts';
import { createFarm, step } from './step.ts';

function tasksAfter(job: number, completed: number[] = [], ended: Dependency['ended'] = null) {
  return { after: [{ job: job as JobId, until: 'tasks' as const, ended, completed }] };
}

function after(...jobs: number[]) {
  return { after: jobs.map((job) => ({ job: job as JobId, until: 'complete' as const, ended: null })) };
}

test('a job waits in SUBMITTED until all that it waits for are COMPLETED', () => {
  const world = new TestFarm();
  world.join('ash');
  world.submit(1);
  world.submit(2);
  world.submit(3, after(1, 2));
  world.end('1.0.1');
  expect(world.jobState(3)).toBe('SUBMITTED');
  world.end('2.0.1');
  expect(world.assigned()).toEqual(['3.0.1@ash']);
});

test('a dependency that has already completed is none', () => {
  const world = new TestFarm();
  world.submit(2, { after: [{ job: 1 as JobId, until: 'complete', ended: 'COMPLETED' }] });
  expect(world.jobState(2)).toBe('QUEUED');
});

test.each(['FAILED', 'TIMED_OUT', 'CANCELLED'] as const)('a dependency that has already ended %s cancels the job at once', (ended) => {
  const world = new TestFarm();
  world.submit(2, { after: [{ job: 1 as JobId, until: 'complete', ended }] });
  expect(world.jobRows.get(2)).toMatchObject({ state: 'CANCELLED', reason: `job 1, which it waits for, ended ${ended}` });
});

test('a dependency that nobody knows cancels the job', () => {
  const world = new TestFarm();
  world.submit(2, after(1));
  expect(world.jobRows.get(2)).toMatchObject({ state: 'CANCELLED', reason: 'job 1, which it waits for, is not there' });
});

test('a job that ends otherwise cancels its dependents, and they theirs, each naming its own', () => {
  const world = new TestFarm();
  world.submit(1);
  world.submit(2, after(1));
  world.submit(3, after(2));
  world.cancel(1);
  expect(world.jobRows.get(2)).toMatchObject({ state: 'CANCELLED', reason: 'job 1, which it waits for, ended CANCELLED' });
  expect(world.jobRows.get(3)).toMatchObject({ state: 'CANCELLED', reason: 'job 2, which it waits for, ended CANCELLED' });
  expect(world.farm.dependents.size).toBe(0);
});

test('a long chain is cancelled as a whole, without recursion', () => {
  const farm = createFarm(CONFIG);
  const now = { wallMs: 0, elapsedMs: 0 };
  step(farm, { type: 'job-submitted', job: newJob(1) }, now);
  for (let id = 2; id <= 20_000; id++) step(farm, { type: 'job-submitted', job: newJob(id, after(id - 1)) }, now);
  step(farm, { type: 'cancel', job: 1 as JobId, by: 'ann' }, now);
  expect(farm.jobs.size).toBe(0);
  expect(farm.dependents.size).toBe(0);
});

test('a job waits for its input and its dependencies alike', () => {
  const world = new TestFarm();
  world.join('ash');
  world.submit(1);
  world.submit(2, { ...after(1), inputReady: false });
  world.end('1.0.1');
  expect(world.jobState(2)).toBe('SUBMITTED');
  world.turn({ type: 'input-ready', job: 2 as JobId, input: 'a'.repeat(64) as never });
  expect(world.assigned()).toEqual(['2.0.1@ash']);
});

test.each(['completed', 'input-refused'] as const)('a job that waits for an end goes when the other ends, here %s', (reason) => {
  const world = new TestFarm();
  world.join('ash');
  world.submit(1);
  world.submit(2, { after: [{ job: 1 as JobId, until: 'ended', ended: null }] });
  expect(explainJob(world.farm, 2 as JobId).summary).toBe('It waits: it begins when job 1 has ended.');
  world.end('1.0.1', reason);
  expect(world.assigned()).toEqual(['2.0.1@ash']);
});

describe('a job whose tasks wait for those of another, one by one,', () => {
  test('places each when its counterpart is complete, in that order', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 3 });
    world.submit(1, { taskCount: 3 });
    world.submit(2, { taskCount: 3, ...tasksAfter(1) });
    expect(world.jobState(2)).toBe('QUEUED');
    expect(explainJob(world.farm, 2 as JobId).summary).toBe('It waits: its 3 waiting tasks wait for their counterparts in job 1.');
    world.end('1.2.1');
    expect(world.assigned()).toEqual(['2.2.1@ash']);
    world.end('1.0.1');
    expect(world.assigned()).toEqual(['2.0.1@ash']);
    world.end('2.2.1');
    world.end('1.1.1');
    expect(world.farm.dependents.size).toBe(0);
    expect(world.assigned()).toEqual(['2.1.1@ash']);
    for (const attempt of ['2.0.1', '2.1.1']) world.end(attempt);
    expect(world.jobState(2)).toBe('COMPLETED');
  });

  test('knows what was complete before it came', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: 2 });
    world.end('1.0.1');
    world.submit(2, { taskCount: 2, priority: 90, ...tasksAfter(1, [0]) });
    world.end('1.1.1');
    expect(world.assigned()).toEqual(['2.0.1@ash']);
  });

  test('loses only the tasks whose counterparts do not complete, with a reason', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 4 });
    world.submit(1, { taskCount: 2 });
    world.submit(2, { taskCount: 2, ...tasksAfter(1) });
    world.end('1.0.1');
    world.end('1.1.1', 'input-refused');
    world.end('2.0.1');
    expect(world.taskRows.get('2.1')).toMatchObject({ state: 'CANCELLED', message: 'task 1.1, which it waits for, did not complete' });
    expect(world.jobRows.get(2)).toMatchObject({
      state: 'CANCELLED',
      reason: '1 of its tasks waited for tasks of job 1, which did not complete',
    });
  });

  test('ends as a whole when nothing of the other completed', () => {
    const world = new TestFarm();
    world.submit(1, { taskCount: 2 });
    world.submit(2, { taskCount: 2, ...tasksAfter(1) });
    world.cancel(1);
    expect(world.jobRows.get(2)).toMatchObject({ state: 'CANCELLED', reason: 'job 1, which it waits for, ended CANCELLED' });
    world.submit(3, { taskCount: 2, ...tasksAfter(1, [0], 'CANCELLED') });
    expect(world.jobRows.get(3)).toMatchObject({ state: 'RUNNING', counts: { QUEUED: 1, CANCELLED: 1 } });
  });

  test('waits for them again after a restart', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 2 });
    world.submit(1, { taskCount: 3 });
    world.submit(2, { taskCount: 3, ...tasksAfter(1) });
    world.end('1.1.1');
    world.restart();
    expect(explainJob(world.farm, 2 as JobId).summary).toContain('busy');
    world.join('ash', { maxParallel: 2 });
    world.cancel(2, 1);
    expect(explainJob(world.farm, 2 as JobId).summary).toBe('It waits: its 2 waiting tasks wait for their counterparts in job 1.');
  });

  test('runs a retried task only behind its retried counterpart', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: 2 });
    world.submit(2, { taskCount: 2, ...tasksAfter(1) });
    world.end('1.0.1', 'input-refused');
    world.end('1.1.1');
    world.end('2.1.1');
    expect(world.jobState(2)).toBe('CANCELLED');
    world.turn({ type: 'retry', job: world.stored(1) }, { type: 'retry', job: { ...world.stored(2), ...tasksAfter(1, [1]) } });
    expect(world.assigned()).toEqual(['1.0.2@ash']);
    world.end('1.0.2');
    expect(world.assigned()).toEqual(['2.0.1@ash']);
  });
});
