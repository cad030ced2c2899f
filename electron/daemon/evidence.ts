import { attemptId, type JobId } from '../../shared/ids.ts';
import { type AttemptRow, END_REASONS, type JobRow } from '../../shared/job.ts';
import type { Explanation } from '../../shared/view.ts';
import type { Store } from '../ports/store.ts';

/** Tasks looked at for one that has a failed attempt. */
const TASKS_LOOKED_AT = 50;

/** @returns the newest failed attempt of a task, or of the first task of the job that has one; the log is read by whoever shows it */
export function findEvidence(store: Store, row: JobRow, index?: number): Explanation['evidence'] {
  const { counts, retries, state } = row;
  if (index !== undefined) return asEvidence(lastFailure(store, row.id, index));
  if (state === 'COMPLETED' || counts.FAILED + counts.TIMED_OUT + retries === 0) return null;
  const failed = store.tasks(row.id, { fromIndex: 0, limit: 1, states: ['FAILED', 'TIMED_OUT'] });
  const others = failed.length > 0 ? failed : store.tasks(row.id, { fromIndex: 0, limit: TASKS_LOOKED_AT });
  for (const task of others) {
    const found = asEvidence(lastFailure(store, row.id, task.index));
    if (found !== null) return found;
  }
  return null;
}

function lastFailure(store: Store, job: JobId, index: number): AttemptRow | undefined {
  return store.attempts(job, index).findLast(({ reason }) => END_REASONS[reason].blames === 'job');
}

function asEvidence(row: AttemptRow | undefined): Explanation['evidence'] {
  return row === undefined ? null : { attempt: attemptId(row.job, row.index, row.number), node: row.node, log: '' };
}
