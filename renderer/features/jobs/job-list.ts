import type { JobView } from '../../../shared/view.ts';
import { endedCount } from '../../ui/state.tsx';

/** What the queue shows of all that is known, and in which order. */
export interface JobWish {
  readonly show: JobGroup;
  /** Words that all stand in a job's id, name or owner. */
  readonly search: string;
  readonly sort: JobSort;
  readonly descending: boolean;
}

export type JobGroup = 'all' | 'active' | 'waiting' | 'failed' | 'completed';
export type JobSort = 'id' | 'name' | 'owner' | 'state' | 'progress' | 'priority' | 'started';

const GROUPS: Readonly<Record<JobGroup, (job: JobView) => boolean>> = {
  all: () => true,
  active: (job) => job.state === 'RUNNING' || job.state === 'ASSIGNED',
  waiting: (job) => job.state === 'QUEUED' || job.state === 'SUBMITTED',
  failed: (job) => job.state === 'FAILED' || job.state === 'TIMED_OUT' || job.state === 'CANCELLED',
  completed: (job) => job.state === 'COMPLETED',
};

const names = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
const STATE_ORDER: readonly JobView['state'][] = [
  'RUNNING',
  'ASSIGNED',
  'QUEUED',
  'SUBMITTED',
  'FAILED',
  'TIMED_OUT',
  'CANCELLED',
  'COMPLETED',
];
const ORDERS: Readonly<Record<JobSort, (a: JobView, b: JobView) => number>> = {
  id: (a, b) => a.id - b.id,
  name: (a, b) => names.compare(a.name, b.name),
  owner: (a, b) => names.compare(a.owner, b.owner),
  state: (a, b) => STATE_ORDER.indexOf(a.state) - STATE_ORDER.indexOf(b.state),
  progress: (a, b) => endedCount(a.counts) / a.taskCount - endedCount(b.counts) / b.taskCount,
  priority: (a, b) => a.priority - b.priority,
  started: (a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0),
};

/**
 * The ids of the jobs to show, in order. The order that the store has already (newest first) costs no sorting.
 * @param newestFirst all ids, in descending order
 */
export function chooseJobs(jobs: ReadonlyMap<number, JobView>, newestFirst: readonly number[], wish: JobWish): readonly number[] {
  const words = wish.search.toLowerCase().split(/\s+/).filter(Boolean);
  const isWanted = GROUPS[wish.show];
  const chosen =
    wish.show === 'all' && words.length === 0
      ? newestFirst
      : newestFirst.filter((id) => {
          const job = jobs.get(id);
          return job !== undefined && isWanted(job) && fits(job, words);
        });
  if (wish.sort === 'id') return wish.descending ? chosen : [...chosen].reverse();
  const order = ORDERS[wish.sort];
  const sign = wish.descending ? -1 : 1;
  return [...chosen].sort((a, b) => sign * order(jobs.get(a) as JobView, jobs.get(b) as JobView) || b - a);
}

function fits(job: JobView, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const text = `${job.id} ${job.name} ${job.owner}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
