import type { JobId } from '../../shared/ids.ts';
import type { JobState } from '../../shared/job.ts';
import type { Dependency } from './events.ts';
import { activityOf, type FarmState, type Job } from './state.ts';

/** Jobs that wait for jobs. */

/**
 * Notes what a new job waits for.
 * @returns a sentence when it waits in vain: a dependency has ended otherwise than COMPLETED, or is not there
 */
export function noteDependencies(farm: FarmState, job: Job, after: readonly Dependency[]): string | undefined {
  for (const { job: id, ended } of after) {
    if (ended === 'COMPLETED') continue;
    if (ended !== null) return inVain(id, ended);
    if (!farm.jobs.has(id)) return `job ${id}, which it waits for, is not there`;
    const activity = activityOf(job);
    activity.waitsFor ??= new Set();
    activity.waitsFor.add(id);
    const waiting = farm.dependents.get(id) ?? new Set();
    waiting.add(job.id);
    farm.dependents.set(id, waiting);
  }
  return undefined;
}

/** The job waits no more, because it has ended. */
export function forgetDependencies(farm: FarmState, job: Job): void {
  for (const id of job.activity?.waitsFor ?? []) {
    const waiting = farm.dependents.get(id);
    waiting?.delete(job.id);
    if (waiting?.size === 0) farm.dependents.delete(id);
  }
}

/** @returns the jobs that waited for a job that has ended; they wait for it no more */
export function takeDependents(farm: FarmState, id: JobId): Job[] {
  const waiting = farm.dependents.get(id);
  if (waiting === undefined) return [];
  farm.dependents.delete(id);
  const jobs: Job[] = [];
  for (const dependent of waiting) {
    const job = farm.jobs.get(dependent);
    if (job === undefined) continue;
    job.activity?.waitsFor?.delete(id);
    jobs.push(job);
  }
  return jobs;
}

/** @returns why a job that waits for another waits in vain */
export function inVain(id: JobId, state: JobState): string {
  return `job ${id}, which it waits for, ended ${state}`;
}
