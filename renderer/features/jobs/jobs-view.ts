import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { JobSort, JobWish } from './job-list.ts';

interface JobsView extends JobWish {
  readonly selected: ReadonlySet<number>;
  /** The row that the keyboard is on. */
  readonly current: number | null;
}

/** How the queue was left, so that it is the same when one comes back from a job. */
export const jobsView = createStore<JobsView>(() => ({
  show: 'all',
  search: '',
  sort: 'id',
  descending: true,
  selected: new Set(),
  current: null,
}));

export function useJobsView<T>(select: (view: JobsView) => T): T {
  return useStore(jobsView, select);
}

export function toggleSort(sort: JobSort): void {
  jobsView.setState((view) =>
    view.sort === sort
      ? { descending: !view.descending }
      : { sort, descending: sort === 'id' || sort === 'started' || sort === 'priority' || sort === 'progress' },
  );
}

/** @param upTo the ids in sight, when all between the current row and this one are meant */
export function toggleJob(id: number, upTo?: readonly number[]): void {
  jobsView.setState((view) => {
    const selected = new Set(view.selected);
    if (upTo === undefined || view.current === null) {
      if (!selected.delete(id)) selected.add(id);
    } else {
      const [first, last] = [upTo.indexOf(view.current), upTo.indexOf(id)].sort((a, b) => a - b) as [number, number];
      for (const one of upTo.slice(Math.max(0, first), last + 1)) selected.add(one);
    }
    return { selected, current: id };
  });
}

export function selectJobs(ids: Iterable<number>): void {
  jobsView.setState({ selected: new Set(ids) });
}
