import { isTerminal, type TaskState } from '../../shared/job.ts';
import type { JobView, NodeView, ViewEvent } from '../../shared/view.ts';

/** What the tray, the notifications and the dock need to know of the farm, kept from its event stream. */
export interface Glance {
  readonly farmName: string;
  /** This machine, once it has registered. */
  readonly node: NodeView | undefined;
  /** Jobs that have not ended. */
  readonly jobs: ReadonlyMap<number, JobView>;
  /** Ended tasks of those jobs, 0 to 1; null when there are none. */
  readonly progress: number | null;
}

export interface Change {
  readonly glance: Glance;
  /** Jobs that have ended since the last event. */
  readonly ended: readonly JobView[];
}

const ENDED: readonly TaskState[] = ['COMPLETED', 'FAILED', 'TIMED_OUT', 'CANCELLED'];

/** @param node this machine's own. @returns takes one event after the other */
export function createFarmWatch(node: string): (event: ViewEvent) => Change {
  let farmName = '';
  let own: NodeView | undefined;
  const jobs = new Map<number, JobView>();
  let newest = 0;
  return (event) => {
    const before = new Map(jobs);
    const newestBefore = event.type === 'snapshot' ? Number.POSITIVE_INFINITY : newest;
    if (event.type === 'snapshot') {
      farmName = event.farm.name;
      own = undefined;
      jobs.clear();
    } else for (const job of event.removedJobs) jobs.delete(job);
    own = event.nodes.find(({ description }) => description.id === node) ?? own;
    const ended: JobView[] = [];
    for (const job of event.jobs) {
      newest = Math.max(newest, job.id);
      if (!isTerminal(job.state)) jobs.set(job.id, job);
      else {
        jobs.delete(job.id);
        // One that ended while nobody watched, or before this app ran, is no news; one that came and went between two events is.
        if (before.has(job.id) || job.id > newestBefore) ended.push(job);
      }
    }
    return { glance: { farmName, node: own, jobs, progress: progressOf(jobs) }, ended };
  };
}

function progressOf(jobs: ReadonlyMap<number, JobView>): number | null {
  let tasks = 0;
  let ended = 0;
  for (const { taskCount, counts } of jobs.values()) {
    tasks += taskCount;
    for (const state of ENDED) ended += counts[state];
  }
  return tasks === 0 ? null : ended / tasks;
}
