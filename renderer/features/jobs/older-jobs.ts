import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { LanyardClient } from '../../../shared/lanyard-client.ts';
import type { JobView } from '../../../shared/view.ts';
import { farmStore } from '../../store/farm-store.ts';
import type { JobGroup } from './job-list.ts';

const PAGE = 1_000;
/** Pages read for one click while they hold nothing that is not in sight already. */
const MOST_PAGES = 5;
const ENDED: Readonly<Partial<Record<JobGroup, readonly JobView['state'][]>>> = {
  all: ['COMPLETED', 'FAILED', 'TIMED_OUT', 'CANCELLED'],
  failed: ['FAILED', 'TIMED_OUT', 'CANCELLED'],
  completed: ['COMPLETED'],
};

interface OlderJobs {
  readonly jobs: ReadonlyMap<number, JobView>;
  /** Rows of the coordinator's list that were read for what is looked for now. */
  readonly read: number;
  readonly isReading: boolean;
  /** There is nothing more of what is looked for. */
  readonly isAll: boolean;
  readonly error: unknown;
}

const NONE: OlderJobs = { jobs: new Map(), read: 0, isReading: false, isAll: false, error: null };

/** Jobs that ended before those that the farm's stream carries, read page by page when somebody asks for them. */
export const olderJobs = createStore<OlderJobs>(() => NONE);

export function useOlderJobs<T>(select: (older: OlderJobs) => T): T {
  return useStore(olderJobs, select);
}

/** Something else is looked for. What was read stays known, and is found as any other job. */
export function lookAnew(): void {
  olderJobs.setState({ read: 0, isAll: false, error: null });
}

/** Whether older jobs can be among those of the group. */
export function hasOlder(show: JobGroup): boolean {
  return ENDED[show] !== undefined;
}

/** Reads on until there is a job that was not known. @param search part of a name */
export async function readOlderJobs(client: LanyardClient, show: JobGroup, search: string): Promise<void> {
  const states = ENDED[show];
  if (states === undefined || olderJobs.getState().isReading) return;
  olderJobs.setState({ isReading: true, error: null });
  try {
    for (let page = 0, found = 0; page < MOST_PAGES && found === 0; page += 1) {
      const { read } = olderJobs.getState();
      const query = { state: states, order: 'newest', limit: PAGE, offset: read, ...(search === '' ? {} : { search }) } as const;
      const { jobs: rows, total } = await client.call('listJobs', { query });
      const fresh = rows.filter(({ id }) => !farmStore.getState().jobs.has(id) && !olderJobs.getState().jobs.has(id));
      found = fresh.length;
      const isAll = rows.length === 0 || read + rows.length >= total;
      const jobs = new Map([...olderJobs.getState().jobs, ...fresh.map((job) => [job.id, job] as const)]);
      olderJobs.setState({ read: read + rows.length, isAll, jobs });
      if (isAll) return;
    }
  } catch (error) {
    olderJobs.setState({ error });
  } finally {
    olderJobs.setState({ isReading: false });
  }
}
