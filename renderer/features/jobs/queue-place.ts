import type { JobView } from '../../../shared/view.ts';
import { isLive } from '../../ui/state.tsx';

/** Where a job can be put among those of its owner and priority, as the coordinator is asked for it. */
export type Place = 'first' | 'last' | { readonly before: number };

/** Whether something of the job is still to be placed. */
export function isWaiting(job: JobView): boolean {
  return isLive(job) && job.counts.SUBMITTED + job.counts.QUEUED > 0;
}

/** The jobs that wait with this one for the same owner at the same priority, itself among them, in their order. */
export function queueOf(job: JobView, jobs: Iterable<JobView>): readonly JobView[] {
  const queue = [...jobs].filter(
    (one) => one.id === job.id || (isWaiting(one) && one.owner === job.owner && one.priority === job.priority),
  );
  return queue.sort((one, other) => one.position - other.position || one.id - other.id);
}

/** Those whose number or name has these words in it, up to so many. */
export function findJobs(jobs: readonly JobView[], words: string, most: number): readonly JobView[] {
  const wanted = words.trim().toLowerCase().replace(/^#/, '');
  return jobs.filter(({ id, name }) => String(id) === wanted || name.toLowerCase().includes(wanted)).slice(0, most);
}
