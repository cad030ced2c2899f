import { expect, test } from 'vitest';
import type { JobId } from '../../shared/ids.ts';
import { CONFIG, newJob, TestFarm } from './farm.fixture.ts';
import { createFarm, step } from './step.ts';

function after(...jobs: number[]) {
  return { after: jobs.map((job) => ({ job: job as JobId, ended: null })) };
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
  world.submit(2, { after: [{ job: 1 as JobId, ended: 'COMPLETED' }] });
  expect(world.jobState(2)).toBe('QUEUED');
});

test.each(['FAILED', 'TIMED_OUT', 'CANCELLED'] as const)('a dependency that has already ended %s cancels the job at once', (ended) => {
  const world = new TestFarm();
  world.submit(2, { after: [{ job: 1 as JobId, ended }] });
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
