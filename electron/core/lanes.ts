import type { Bucket, Job, Lane, Turn } from './model.ts';

/**
 * The waiting jobs of one class, priority and owner in the order of their positions, which is that of their submission unless a person
 * moves one.
 *
 * A lane is a list that only grows at its end and is read from its front, beside a second, short one for jobs that come back. A job that
 * leaves is only marked (`Job.lane`); its entry goes when it comes to the front, or when more than half of a lane is such entries. So
 * every operation is O(1) or, for a job that comes back, a binary search.
 */

/** Gone entries that are not worth tidying. */
const STALE_ENTRIES = 64;

export function createLane(bucket: Bucket, turn: Turn): Lane {
  const { owner } = turn;
  return {
    bucket,
    turn,
    owner,
    jobs: [],
    first: 0,
    returned: [],
    live: 0,
    share: 0,
    age: 0,
    standing: 'out',
    isRanked: false,
    position: 0,
  };
}

export function enterLane(lane: Lane, job: Job): void {
  job.lane = lane;
  lane.live++;
  lane.bucket.live++;
  insert(lane, job);
}

export function leaveLane(lane: Lane, job: Job): void {
  job.lane = null;
  lane.live--;
  lane.bucket.live--;
  const entries = lane.jobs.length - lane.first + lane.returned.length;
  if (lane.live === 0) clear(lane);
  else if (entries > 2 * lane.live + STALE_ENTRIES) tidy(lane);
}

/** @returns the job that is next in the lane */
export function firstOf(lane: Lane): Job | undefined {
  while (lane.first < lane.jobs.length && lane.jobs[lane.first]?.lane !== lane) dropFirst(lane);
  while (lane.returned.length > 0 && lane.returned.at(-1)?.lane !== lane) lane.returned.pop();
  const first = lane.jobs[lane.first] ?? undefined;
  const returned = lane.returned.at(-1);
  if (first === undefined) return returned;
  return returned === undefined || standsBefore(first, returned) ? first : returned;
}

/** @returns up to `count` jobs of a lane, in its order */
export function firstOfLane(lane: Lane, count: number): Job[] {
  const found: Job[] = [];
  let next = lane.first;
  let back = lane.returned.length - 1;
  while (found.length < count && (next < lane.jobs.length || back >= 0)) {
    const first = lane.jobs[next] ?? undefined;
    const returned = lane.returned[back];
    const takeFirst = returned === undefined || (first !== undefined && standsBefore(first, returned));
    const job = takeFirst ? first : returned;
    if (takeFirst) next++;
    else back--;
    if (job?.lane === lane) found.push(job);
  }
  return found;
}

/** The order of one owner's jobs of one priority. */
export function standsBefore(job: Job, other: Job): boolean {
  return job.position === other.position ? job.id < other.id : job.position < other.position;
}

/** Drops the entries of jobs that have left. */
export function tidy(lane: Lane): void {
  lane.jobs = lane.jobs.filter((job) => job?.lane === lane);
  lane.first = 0;
  lane.returned = lane.returned.filter((job) => job.lane === lane);
}

function insert(lane: Lane, job: Job): void {
  const last = lane.jobs.length > lane.first ? lane.jobs.at(-1) : null;
  if (last === null || last === undefined || standsBefore(last, job)) {
    lane.jobs.push(job);
    return;
  }
  if (hasEntry(lane, job)) return;
  const at = firstWhere(0, lane.returned.length, (index) => !standsBefore(job, lane.returned[index] as Job));
  if (lane.returned[at] !== job) lane.returned.splice(at, 0, job);
}

/** @returns true when the list still has an entry of the job, from before it left */
function hasEntry(lane: Lane, job: Job): boolean {
  const at = firstWhere(lane.first, lane.jobs.length, (index) => !standsBefore(lane.jobs[index] as Job, job));
  return lane.jobs[at] === job;
}

/** @returns the first index in [low, high) for which `test` holds, else `high`; once true it stays true */
function firstWhere(low: number, high: number, test: (index: number) => boolean): number {
  let from = low;
  let to = high;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (test(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}

function dropFirst(lane: Lane): void {
  lane.jobs[lane.first] = null;
  lane.first++;
  if (lane.first < STALE_ENTRIES || lane.first * 2 < lane.jobs.length) return;
  lane.jobs.splice(0, lane.first);
  lane.first = 0;
}

function clear(lane: Lane): void {
  if (lane.jobs.length > 0) lane.jobs = [];
  if (lane.returned.length > 0) lane.returned = [];
  lane.first = 0;
}
