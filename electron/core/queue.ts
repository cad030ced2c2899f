import type { Bucket, Job, Lane, Owner, QueueClass } from './model.ts';
import { openTasks } from './rows.ts';
import { type FarmState, markClass } from './state.ts';

/**
 * The queue: by requirement class, inside by priority, inside by owner (who has had least goes first), and each owner's
 * jobs in the order of their positions, which is that of their submission unless a person moves one.
 *
 * A lane is a list that only grows at its end and is read from its front, beside a second, short one for jobs that
 * come back. A job that leaves is only marked (`Job.lane`); its entry goes when it comes to the front, or when more
 * than half of a lane is such entries. So every operation is O(1) or, for a job that comes back, a binary search.
 *
 * The lanes of a bucket are a heap by what their owners have had. That only grows, so an entry that is out of date stands
 * too far in front, and is put right when it comes to the top.
 */

/** Gone entries that are not worth tidying. */
const STALE_ENTRIES = 64;

/** Puts the job where it belongs now: into its lane, or out of the queue. Marks its class when there may be more to place. */
export function updateQueue(farm: FarmState, job: Job): void {
  const queueClass = job.shared.queueClass;
  if (!belongsInQueue(job)) {
    leaveQueue(job);
    return;
  }
  if (queueClass.parked.has(job)) return;
  if (job.lane?.bucket.priority !== job.priority) {
    leaveQueue(job);
    if (!hasWaiting(queueClass)) queueClass.waitingSinceMs = farm.now.elapsedMs;
    enter(laneOf(bucketOf(queueClass, job.priority), job.owner), job);
  }
  markClass(farm, queueClass);
}

/** @returns true when the job has tasks that may be placed */
export function belongsInQueue(job: Job): boolean {
  return job.state !== 'SUBMITTED' && !job.held && openTasks(job) > 0 && !isAtOwnCap(job);
}

/** @returns true when as many of its tasks run as may at once */
export function isAtOwnCap(job: Job): boolean {
  const { maxTasks } = job.shared.policy;
  return maxTasks !== null && job.activity !== null && job.activity.assigned + job.activity.running >= maxTasks;
}

/** Takes the job out of the queue, whatever it has waiting. */
export function leaveQueue(job: Job): void {
  job.shared.queueClass.parked.delete(job);
  const lane = job.lane;
  if (lane === null) return;
  job.lane = null;
  lane.live--;
  lane.bucket.live--;
  const entries = lane.jobs.length - lane.first + lane.returned.length;
  if (lane.live === 0) clear(lane);
  else if (entries > 2 * lane.live + STALE_ENTRIES) tidy(lane);
}

/** Gives the job another place among those of its owner and priority. */
export function moveInQueue(farm: FarmState, job: Job, position: number): void {
  leaveQueue(job);
  // Entries that it left behind would be out of order.
  for (const bucket of job.shared.queueClass.buckets) {
    const lane = bucket.lanes.get(job.owner);
    if (lane !== undefined) tidy(lane);
  }
  job.position = position;
  updateQueue(farm, job);
}

/** Sets the job apart: no node that is there can serve it. */
export function park(job: Job): void {
  leaveQueue(job);
  job.shared.queueClass.parked.add(job);
}

/** Gives the parked jobs of a class another chance. */
export function unpark(farm: FarmState, queueClass: QueueClass): void {
  if (queueClass.parked.size === 0) return;
  const jobs = [...queueClass.parked];
  queueClass.parked.clear();
  for (const job of jobs) updateQueue(farm, job);
}

/** The owner may have more at once again: lanes that were set aside take part again. */
export function unblockLanes(farm: FarmState, owner: Owner): void {
  for (const lane of owner.blockedLanes) {
    lane.standing = 'out';
    if (lane.live > 0) pushLane(lane);
    markClass(farm, lane.bucket.queueClass);
  }
  owner.blockedLanes.clear();
}

export function hasWaiting(queueClass: QueueClass): boolean {
  for (const bucket of queueClass.buckets) if (bucket.live > 0) return true;
  return false;
}

/** @returns the highest priority that waits in the class; -1 when nothing does */
export function highestWaiting(queueClass: QueueClass): number {
  for (const { live, priority } of queueClass.buckets) if (live > 0) return priority;
  return -1;
}

/** @returns the job that is next in its class; owners who have as much as they may at once are passed over */
export function headOf(queueClass: QueueClass): Job | undefined {
  for (const bucket of queueClass.buckets) {
    const lane = bestLane(bucket);
    if (lane !== undefined) return firstOf(lane);
  }
  return undefined;
}

/** @returns up to `count` jobs from the front of the queue, an owner's together. Costs a look at all owners who wait */
export function firstJobs(queueClass: QueueClass, count: number): Job[] {
  const found: Job[] = [];
  for (const bucket of queueClass.buckets) {
    if (found.length >= count) break;
    const lanes = bucket.heap.filter(({ live, owner }) => live > 0 && !isAtCap(owner));
    lanes.sort((one, other) => one.owner.share - other.owner.share || one.age - other.age);
    for (const lane of lanes) found.push(...firstOfLane(lane, count - found.length));
  }
  return found;
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

/** Higher priority goes first, then the owner who has had less, then the position. */
export function goesBefore(job: Job, other: Job): boolean {
  if (job.priority !== other.priority) return job.priority > other.priority;
  if (job.owner.share !== other.owner.share) return job.owner.share < other.owner.share;
  return standsBefore(job, other);
}

/** @returns true when the owner has as many tasks as may be placed for it at once */
export function isAtCap(owner: Owner): boolean {
  return owner.live >= owner.maxTasks;
}

/** The order of one owner's jobs of one priority. */
export function standsBefore(job: Job, other: Job): boolean {
  return job.position === other.position ? job.id < other.id : job.position < other.position;
}

function bestLane(bucket: Bucket): Lane | undefined {
  const { heap } = bucket;
  for (let top = heap[0]; top !== undefined; top = heap[0]) {
    if (top.live === 0) {
      removeTop(heap);
      top.standing = 'out';
      bucket.lanes.delete(top.owner);
    } else if (isAtCap(top.owner)) {
      removeTop(heap);
      top.standing = 'blocked';
      top.owner.blockedLanes.add(top);
    } else if (top.share < top.owner.share) {
      top.share = top.owner.share;
      sink(heap, 0);
    } else {
      return top;
    }
  }
  return undefined;
}

function firstOf(lane: Lane): Job | undefined {
  while (lane.first < lane.jobs.length && lane.jobs[lane.first]?.lane !== lane) dropFirst(lane);
  while (lane.returned.length > 0 && lane.returned.at(-1)?.lane !== lane) lane.returned.pop();
  const first = lane.jobs[lane.first] ?? undefined;
  const returned = lane.returned.at(-1);
  if (first === undefined) return returned;
  return returned === undefined || standsBefore(first, returned) ? first : returned;
}

function bucketOf(queueClass: QueueClass, priority: number): Bucket {
  const buckets = queueClass.buckets;
  let at = 0;
  while (at < buckets.length && (buckets[at] as Bucket).priority > priority) at++;
  const found = buckets[at];
  if (found?.priority === priority) return found;
  const bucket: Bucket = { priority, queueClass, lanes: new Map(), heap: [], live: 0 };
  buckets.splice(at, 0, bucket);
  return bucket;
}

function laneOf(bucket: Bucket, owner: Owner): Lane {
  const found = bucket.lanes.get(owner);
  if (found !== undefined) return found;
  const lane: Lane = { bucket, owner, jobs: [], first: 0, returned: [], live: 0, share: 0, age: 0, standing: 'out' };
  bucket.lanes.set(owner, lane);
  return lane;
}

function enter(lane: Lane, job: Job): void {
  job.lane = lane;
  lane.live++;
  lane.bucket.live++;
  insert(lane, job);
  if (lane.standing === 'out') pushLane(lane);
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

function tidy(lane: Lane): void {
  lane.jobs = lane.jobs.filter((job) => job?.lane === lane);
  lane.first = 0;
  lane.returned = lane.returned.filter((job) => job.lane === lane);
}

/** Equal shares go by age: the position of the job that stood first when the lane came. */
function lanesBefore(one: Lane, other: Lane): boolean {
  return one.share === other.share ? one.age < other.age : one.share < other.share;
}

function pushLane(lane: Lane): void {
  const { heap } = lane.bucket;
  lane.share = lane.owner.share;
  lane.age = firstOf(lane)?.position ?? 0;
  lane.standing = 'in';
  let at = heap.length;
  heap.push(lane);
  while (at > 0) {
    const above = (at - 1) >>> 1;
    const parent = heap[above] as Lane;
    if (!lanesBefore(lane, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = lane;
}

function removeTop(heap: Lane[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  heap[0] = last;
  sink(heap, 0);
}

function sink(heap: Lane[], from: number): void {
  const lane = heap[from] as Lane;
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && lanesBefore(heap[child + 1] as Lane, heap[child] as Lane)) child++;
    if (!lanesBefore(heap[child] as Lane, lane)) break;
    heap[at] = heap[child] as Lane;
    at = child;
  }
  heap[at] = lane;
}
