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

/** What a job is found and ordered by. */
interface Keys {
  readonly view: JobView;
  /** Id, name and owner in lower case. */
  readonly text: string;
  /** Numbers in names are ordered as numbers: each is filled up with zeros. */
  readonly name: string;
  readonly owner: string;
}

/** Jobs by id; more than one store may stand behind it. */
export type JobLookup = Pick<ReadonlyMap<number, JobView>, 'get' | 'has' | 'size'>;

const keysById = new Map<number, Keys>();

/** Made once for each name: making them for a hundred thousand jobs at every letter that is typed would cost many frames. */
function keysOf(job: JobView): Keys {
  const known = keysById.get(job.id);
  if (known !== undefined && known.view.name === job.name && known.view.owner === job.owner) return known;
  const ordered = (text: string) => text.toLowerCase().replace(/\d{1,15}/g, (digits) => digits.padStart(15, '0'));
  const text = `${job.id} ${job.name} ${job.owner}`.toLowerCase();
  const keys = { view: job, text, name: ordered(job.name), owner: ordered(job.owner) };
  keysById.set(job.id, keys);
  return keys;
}

/** Forgets the keys of jobs that are gone, once they are many. */
function forgetKeys(jobs: JobLookup): void {
  if (keysById.size < 2 * jobs.size + 1_000) return;
  for (const id of keysById.keys()) if (!jobs.has(id)) keysById.delete(id);
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
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
  name: (a, b) => byText(keysOf(a).name, keysOf(b).name),
  owner: (a, b) => byText(keysOf(a).owner, keysOf(b).owner),
  state: (a, b) => STATE_ORDER.indexOf(a.state) - STATE_ORDER.indexOf(b.state),
  progress: (a, b) => endedCount(a.counts) / a.taskCount - endedCount(b.counts) / b.taskCount,
  priority: (a, b) => a.priority - b.priority,
  started: (a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0),
};

/**
 * The ids of the jobs to show, in order. The order that the store has already (newest first) costs no sorting.
 * @param newestFirst all ids, in descending order
 */
export function chooseJobs(jobs: JobLookup, newestFirst: readonly number[], wish: JobWish): readonly number[] {
  const isChosen = chooser(jobs, wish);
  return ordered(jobs, isChosen === null ? newestFirst : newestFirst.filter(isChosen), wish);
}

/** Jobs looked at between two looks at the clock. */
const STEP = 250;
/** Of one frame (ms): the rest is for whoever scrolls and types. */
const SLICE_MS = 4;
const nextFrame = () =>
  new Promise<unknown>((resolve) =>
    typeof document === 'undefined' || document.hidden ? setTimeout(resolve) : requestAnimationFrame(resolve),
  );

/**
 * As `chooseJobs`, in slices between which the screen goes on: for a long list.
 * @returns null when `isOver` before the end
 */
export async function chooseJobsInSlices(
  jobs: JobLookup,
  newestFirst: readonly number[],
  wish: JobWish,
  isOver: () => boolean,
): Promise<readonly number[] | null> {
  const isChosen = chooser(jobs, wish);
  if (isChosen === null) return ordered(jobs, newestFirst, wish);
  const chosen: number[] = [];
  let begun = performance.now();
  for (let at = 0; at < newestFirst.length; at += STEP) {
    if (performance.now() - begun > SLICE_MS) {
      await nextFrame();
      if (isOver()) return null;
      begun = performance.now();
    }
    for (const id of newestFirst.slice(at, at + STEP)) if (isChosen(id)) chosen.push(id);
  }
  return ordered(jobs, chosen, wish);
}

/** @returns null when all jobs are chosen */
function chooser(jobs: JobLookup, wish: JobWish): ((id: number) => boolean) | null {
  const words = wish.search.toLowerCase().split(/\s+/).filter(Boolean);
  const isWanted = GROUPS[wish.show];
  if (wish.show === 'all' && words.length === 0) return null;
  return (id) => {
    const job = jobs.get(id);
    return job !== undefined && isWanted(job) && fits(job, words);
  };
}

function ordered(jobs: JobLookup, chosen: readonly number[], { sort, descending }: JobWish): readonly number[] {
  if (sort === 'id') return descending ? chosen : [...chosen].reverse();
  const order = ORDERS[sort];
  const sign = descending ? -1 : 1;
  forgetKeys(jobs);
  return chosen
    .map((id) => jobs.get(id))
    .filter((job) => job !== undefined)
    .sort((a, b) => sign * order(a, b) || b.id - a.id)
    .map(({ id }) => id);
}

function fits(job: JobView, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const { text } = keysOf(job);
  return words.every((word) => text.includes(word));
}
