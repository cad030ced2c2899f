import { createStore, type StoreApi } from 'zustand/vanilla';
import type { LanyardClient } from '../../../shared/lanyard-client.ts';
import type { TaskView } from '../../../shared/view.ts';

export const PAGE_TASKS = 500;
/** Pages kept; the ones in sight are always the newest of them. */
const KEPT_PAGES = 40;
/** Least time between two readings of the same pages (ms). */
const REFRESH_MS = 700;

interface Pages {
  readonly pages: ReadonlyMap<number, readonly TaskView[]>;
  readonly error: unknown;
}

/** The tasks of a job that are in sight, read page by page: a job may have ten million. */
export interface TaskPages {
  readonly store: StoreApi<Pages>;
  /** Says which tasks are in sight; they are read, and again when the job changes. */
  show(first: number, last: number): void;
  /** The job has changed: what is in sight is read again, soon. */
  changed(): void;
  close(): void;
}

export function createTaskPages(client: LanyardClient, job: number): TaskPages {
  const store = createStore<Pages>(() => ({ pages: new Map(), error: null }));
  let wanted: readonly number[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isClosed = false;

  const read = async (pageNumber: number) => {
    try {
      const query = { limit: PAGE_TASKS, offset: pageNumber * PAGE_TASKS };
      const { tasks } = await client.call('listTasks', { params: { job }, query });
      if (isClosed) return;
      store.setState(({ pages }) => {
        const next = new Map(pages);
        next.delete(pageNumber);
        next.set(pageNumber, tasks);
        for (const oldest of next.keys()) {
          if (next.size <= KEPT_PAGES) break;
          if (!wanted.includes(oldest)) next.delete(oldest);
        }
        return { pages: next, error: null };
      });
    } catch (error) {
      if (!isClosed) store.setState({ error });
    }
  };
  return {
    store,
    show(first, last) {
      const from = Math.floor(first / PAGE_TASKS);
      wanted = Array.from({ length: Math.floor(last / PAGE_TASKS) - from + 1 }, (_, index) => from + index);
      const { pages } = store.getState();
      for (const page of wanted) if (!pages.has(page)) void read(page);
    },
    changed() {
      timer ??= setTimeout(() => {
        timer = undefined;
        for (const page of wanted) void read(page);
      }, REFRESH_MS);
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

export function taskAt(pages: Pages['pages'], index: number): TaskView | undefined {
  return pages.get(Math.floor(index / PAGE_TASKS))?.[index % PAGE_TASKS];
}
