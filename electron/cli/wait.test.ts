import { expect, test } from 'vitest';
import type { JobView } from '../../shared/view.ts';
import { progressText } from './wait.ts';

const counts = { SUBMITTED: 0, QUEUED: 0, ASSIGNED: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, TIMED_OUT: 0, CANCELLED: 0 };

test('the bar shows what has ended, and says what is left only when the farm can tell', () => {
  const job = { id: 7, state: 'RUNNING', taskCount: 24, eta: null } as JobView;
  expect(progressText({ ...job, counts: { ...counts, QUEUED: 23, RUNNING: 1 } }, 2_000)).toBe(
    `job 7 RUNNING [${'.'.repeat(24)}] 0 of 24 done, 1 running, 2.0 s`,
  );
  expect(progressText({ ...job, canaryPhase: 'waiting', counts: { ...counts, QUEUED: 21, COMPLETED: 3 } }, 2_000)).toMatch(
    /3 of 24 done, 2\.0 s, waits for approval \(lanyard canary 7\)$/,
  );
  const eta = { earliest: 110_000, latest: 130_000 };
  expect(progressText({ ...job, eta, counts: { ...counts, QUEUED: 11, RUNNING: 1, COMPLETED: 10, FAILED: 2 } }, 12_000, 100_000)).toBe(
    `job 7 RUNNING [${'#'.repeat(12)}${'.'.repeat(12)}] 10 of 24 done, 1 running, 2 failed, 12 s, done in 10 s to 30 s`,
  );
});
