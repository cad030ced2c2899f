import { expect, it } from 'vitest';
import type { TaskState } from '../../shared/job.ts';
import type { JobView, Totals, ViewEvent } from '../../shared/view.ts';
import { createFarmWatch } from './farm-watch.ts';

const COUNTS = { SUBMITTED: 0, QUEUED: 0, ASSIGNED: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, TIMED_OUT: 0, CANCELLED: 0 };
const TOTALS: Totals = { jobs: COUNTS, tasks: COUNTS, nodes: { IDLE: 0, BUSY: 0, UNHEALTHY: 0, OFFLINE: 0 }, cpu: { used: 0, total: 0 } };

const job = (id: number, state: TaskState, ended = 0): JobView => ({
  id,
  name: `job ${id}`,
  owner: 'ines',
  state,
  priority: 50,
  position: 1,
  held: false,
  taskCount: 4,
  counts: { ...COUNTS, COMPLETED: ended, QUEUED: 4 - ended },
  retries: 0,
  reason: null,
  submittedAt: id,
  queuedAt: null,
  startedAt: null,
  finishedAt: null,
  eta: null,
  canaryPhase: null,
});
const snapshot = (...jobs: JobView[]): ViewEvent => ({
  type: 'snapshot',
  cursor: 1,
  farm: { id: 'f', name: 'lab' },
  jobs,
  nodes: [],
  totals: TOTALS,
});
const delta = (...jobs: JobView[]): ViewEvent => ({
  type: 'delta',
  cursor: 2,
  jobs,
  removedJobs: [],
  nodes: [],
  removedNodes: [],
  totals: TOTALS,
});

it('tells each end once: of jobs that were seen at work, and of those that came and went between two events', () => {
  const take = createFarmWatch('node');
  const ended = (event: ViewEvent) => take(event).ended.map(({ id }) => id);
  expect(ended(snapshot(job(2, 'RUNNING'), job(1, 'COMPLETED')))).toEqual([]);
  expect(ended(delta(job(2, 'COMPLETED'), job(3, 'FAILED')))).toEqual([2, 3]);
  // Something else of them changed.
  expect(ended(delta(job(1, 'COMPLETED'), job(2, 'COMPLETED'), job(3, 'FAILED')))).toEqual([]);
  // While nobody watched one ended that is no news, and one that is.
  expect(ended(delta(job(4, 'RUNNING')))).toEqual([]);
  expect(ended(snapshot(job(5, 'COMPLETED'), job(4, 'CANCELLED')))).toEqual([4]);
});

it('adds up how far all that runs is', () => {
  const take = createFarmWatch('node');
  expect(take(snapshot(job(1, 'RUNNING', 1), job(2, 'RUNNING', 3))).glance.progress).toBe(0.5);
  expect(take(delta(job(1, 'COMPLETED', 4))).glance.progress).toBe(0.75);
  expect(take(delta(job(2, 'COMPLETED', 4))).glance.progress).toBeNull();
});
