import { expect, test } from 'vitest';
import type { JobView } from '../../../shared/view.ts';
import { findJobs, queueOf } from './queue-place.ts';

const COUNTS = { SUBMITTED: 0, QUEUED: 1, ASSIGNED: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, TIMED_OUT: 0, CANCELLED: 0 };

function job(id: number, change: Partial<JobView> = {}): JobView {
  const times = { submittedAt: id, queuedAt: id, startedAt: null, finishedAt: null, eta: null, canaryPhase: null };
  const waiting = { state: 'QUEUED', counts: COUNTS, held: false, taskCount: 1, retries: 0, reason: null } as const;
  return { id, name: `shot ${id}`, owner: 'ines', priority: 50, position: id, ...waiting, ...times, ...change };
}

test('a job waits with those of its owner and priority, in the order in which they stand', () => {
  const jobs = [
    job(1),
    job(2, { owner: 'otto' }),
    job(3, { priority: 75 }),
    job(4, { state: 'COMPLETED' }),
    job(5, { counts: { ...COUNTS, QUEUED: 0, RUNNING: 1 }, state: 'RUNNING' }),
    job(6),
    job(7, { position: 0.5 }),
  ];
  expect(queueOf(job(6), jobs).map(({ id }) => id)).toEqual([7, 1, 6]);
});

test('a job is found by its whole number or a part of its name', () => {
  const jobs = [job(1), job(12), job(21, { name: 'Comp 1' })];
  const find = (words: string, most = 10) => findJobs(jobs, words, most).map(({ id }) => id);
  expect(find('')).toEqual([1, 12, 21]);
  expect(find('', 2)).toEqual([1, 12]);
  expect(find('#12')).toEqual([12]);
  expect(find('comp')).toEqual([21]);
  expect(find('nothing')).toEqual([]);
});
