import { expect, test } from 'vitest';
import type { JobView } from '../../../shared/view.ts';
import { restText } from './estimate.ts';
import { chooseJobs, chooseJobsInSlices, type JobWish } from './job-list.ts';

const COUNTS = { SUBMITTED: 0, QUEUED: 0, ASSIGNED: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, TIMED_OUT: 0, CANCELLED: 0 };

function job(id: number, change: Partial<JobView> = {}): JobView {
  return {
    id,
    name: `job ${id}`,
    owner: 'ines',
    state: 'QUEUED',
    priority: 50,
    position: 1,
    held: false,
    taskCount: 10,
    counts: COUNTS,
    retries: 0,
    submittedAt: id,
    queuedAt: id,
    startedAt: null,
    finishedAt: null,
    eta: null,
    canaryPhase: null,
    reason: null,
    ...change,
  };
}

const WISH: JobWish = { show: 'all', search: '', sort: 'id', descending: true };

function choose(jobs: readonly JobView[], wish: Partial<JobWish>): readonly number[] {
  const ids = jobs.map((one) => one.id).sort((a, b) => b - a);
  return chooseJobs(new Map(jobs.map((one) => [one.id, one])), ids, { ...WISH, ...wish });
}

test('the order of the store is taken as it is', () => {
  const ids = [3, 2, 1];
  expect(chooseJobs(new Map(ids.map((id) => [id, job(id)])), ids, WISH)).toBe(ids);
});

test('every word of a search must stand in the number, name or owner', () => {
  const jobs = [job(1, { name: 'Bake wood', owner: 'ada' }), job(2, { name: 'Bake stone' }), job(31, { name: 'Comp' })];
  expect(choose(jobs, { search: 'BAKE ada' })).toEqual([1]);
  expect(choose(jobs, { search: 'bake' })).toEqual([2, 1]);
  expect(choose(jobs, { search: '31' })).toEqual([31]);
  expect(choose(jobs, { search: 'bake comp' })).toEqual([]);
});

test('groups hold their states', () => {
  const jobs = [job(1, { state: 'RUNNING' }), job(2, { state: 'TIMED_OUT' }), job(3, { state: 'COMPLETED' }), job(4)];
  expect(choose(jobs, { show: 'active' })).toEqual([1]);
  expect(choose(jobs, { show: 'waiting' })).toEqual([4]);
  expect(choose(jobs, { show: 'failed' })).toEqual([2]);
  expect(choose(jobs, { show: 'completed' })).toEqual([3]);
});

test('jobs that sort alike stand with the newest first, and names count numbers', () => {
  const jobs = [job(1, { name: 'shot 10' }), job(2, { name: 'shot 9' }), job(3, { name: 'shot 9' })];
  expect(choose(jobs, { sort: 'name', descending: false })).toEqual([3, 2, 1]);
  expect(choose(jobs, { sort: 'priority', descending: true })).toEqual([3, 2, 1]);
});

test('what is left is told as a range, in the unit of its larger end, and not without an estimate', () => {
  const rest = (earliest: number, latest: number) => restText({ eta: { earliest, latest } }, 1_000);
  expect(restText({ eta: null }, 1_000)).toBeNull();
  expect(rest(131_000, 201_000)).toBe('2–4 min');
  expect(rest(6_200, 6_900)).toBe('5–6 s');
  // The estimate may have passed.
  expect(rest(0, 500)).toBe('1 s');
});

test('in slices the same jobs are chosen, in the same order', async () => {
  const many = new Map(Array.from({ length: 5_000 }, (_, index) => [index + 1, job(index + 1, { name: `shot ${index % 7}` })]));
  const ids = [...many.keys()].reverse();
  for (const wish of [
    { show: 'all', search: 'shot 3', sort: 'id', descending: true },
    { show: 'waiting', search: '', sort: 'name', descending: false },
  ] as const)
    expect(await chooseJobsInSlices(many, ids, wish, () => false)).toEqual(chooseJobs(many, ids, wish));
});
