import { createLane, enterLane, leaveLane, standsBefore, tidy } from './lanes.ts';
import { liveTasks } from './live-tasks.ts';
import type { Job, Lane, Owner, QueueClass } from './model.ts';
import { createBucket, createTier, createTurn, rankLane } from './ranking.ts';
import { openTasks } from './rows.ts';
import { type FarmState, markClass } from './state.ts';

/**
 * The queue: by requirement class, inside by priority, inside by owner (who has had least goes first, `ranking.ts`), and each owner's
 * jobs in the order of their positions (`lanes.ts`).
 */

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
    const lane = laneOf(farm, queueClass, job.priority, job.owner);
    enterLane(lane, job);
    rankLane(lane, job.position);
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
  return maxTasks !== null && liveTasks(job) >= maxTasks;
}

/** Takes the job out of the queue, whatever it has waiting. */
export function leaveQueue(job: Job): void {
  const { parked } = job.shared.queueClass;
  if (parked.size > 0) parked.delete(job);
  if (job.lane !== null) leaveLane(job.lane, job);
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

export function hasWaiting(queueClass: QueueClass): boolean {
  for (const bucket of queueClass.buckets) if (bucket.live > 0) return true;
  return false;
}

/** @returns the highest priority that waits in the class; -1 when nothing does */
export function highestWaiting(queueClass: QueueClass): number {
  for (const { live, priority } of queueClass.buckets) if (live > 0) return priority;
  return -1;
}

/** Higher priority goes first, then the owner who has had less, then the position. */
export function goesBefore(job: Job, other: Job): boolean {
  if (job.priority !== other.priority) return job.priority > other.priority;
  if (job.owner.share !== other.owner.share) return job.owner.share < other.owner.share;
  return standsBefore(job, other);
}

/** @returns the one of this priority in a list that descends by priority; made when it is new */
function atPriority<Item extends { readonly priority: number }>(items: Item[], priority: number, create: (priority: number) => Item): Item {
  let at = 0;
  while (at < items.length && (items[at] as Item).priority > priority) at++;
  const found = items[at];
  if (found?.priority === priority) return found;
  const created = create(priority);
  items.splice(at, 0, created);
  return created;
}

function laneOf(farm: FarmState, queueClass: QueueClass, priority: number, owner: Owner): Lane {
  const bucket = atPriority(queueClass.buckets, priority, () => createBucket(priority, queueClass));
  const found = bucket.lanes.get(owner);
  if (found !== undefined) return found;
  const turn = atPriority(owner.turns, priority, () => createTurn(atPriority(farm.tiers, priority, createTier), owner));
  const lane = createLane(bucket, turn);
  bucket.lanes.set(owner, lane);
  return lane;
}
