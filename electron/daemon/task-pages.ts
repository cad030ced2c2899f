import type { JobRow, TaskRow, TaskState } from '../../shared/job.ts';
import type { Store } from '../ports/store.ts';

/** Rows read from the store at once. */
const CHUNK_ROWS = 5_000;

export interface FoundTask {
  readonly index: number;
  /** Undefined for a task that never moved. */
  readonly row: TaskRow | undefined;
}

/**
 * One page of a job's tasks. Tasks that never moved have no rows: they are the gaps between the rows, all in the job's
 * rest state, so that a page of a million queued tasks reads nothing.
 */
export function findTasks(
  store: Store,
  job: JobRow,
  query: { readonly limit: number; readonly offset: number; readonly states?: readonly TaskState[] | undefined },
): { readonly found: readonly FoundTask[]; readonly total: number } {
  const { limit, offset, states } = query;
  if (states === undefined) return { found: slice(store, job, offset, limit), total: job.taskCount };
  const total = states.reduce((sum, state) => sum + job.counts[state], 0);
  if (!states.includes(job.restState)) {
    const rows = store.tasks(job.id, { fromIndex: 0, limit: offset + limit, states });
    return { found: rows.slice(offset).map((row) => ({ index: row.index, row })), total };
  }
  return { found: scan(store, job, states, offset, limit), total };
}

function slice(store: Store, job: JobRow, from: number, limit: number): FoundTask[] {
  const to = Math.min(from + limit, job.taskCount);
  if (to <= from) return [];
  const rows = new Map(store.tasks(job.id, { fromIndex: from, limit: to - from }).map((row) => [row.index, row]));
  return Array.from({ length: to - from }, (_, position) => ({ index: from + position, row: rows.get(from + position) }));
}

/** Walks rows and gaps together until the page is full. */
function scan(store: Store, job: JobRow, states: readonly TaskState[], offset: number, limit: number): FoundTask[] {
  const found: FoundTask[] = [];
  let toSkip = offset;
  for (let from = 0; from < job.taskCount && found.length < limit; from += CHUNK_ROWS) {
    for (const task of slice(store, job, from, CHUNK_ROWS)) {
      if (!states.includes(task.row?.state ?? job.restState)) continue;
      if (toSkip > 0) toSkip -= 1;
      else if (found.length < limit) found.push(task);
    }
  }
  return found;
}
