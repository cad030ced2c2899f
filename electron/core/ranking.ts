import { Heap } from './heap.ts';
import { firstOf, firstOfLane } from './lanes.ts';
import { type Bucket, type Job, type Lane, NONE, type Owner, type QueueClass, type Tier, type Turn } from './model.ts';
import { type FarmState, markClass } from './state.ts';

/**
 * Who is next: by priority, then who has had least, then whose job stands first. There are two ways to ask. Of one class, the lanes of
 * its highest bucket are a heap by what their owners have had. Of the farm, the owners who wait at one priority are a heap by what they
 * have had, and each one's lanes are a heap by their first jobs; so neither the number of owners nor that of classes makes it slow.
 *
 * What owners have had only grows, and so do the positions at the front of a lane, except when a job enters. So an entry that is out of
 * date stands too far in front and is put right when it comes to the top; only what enters must rise at once.
 */

export function createTier(priority: number): Tier {
  return { priority, turns: new Heap<Turn>(turnsBefore) };
}

export function createTurn(tier: Tier, owner: Owner): Turn {
  const lanes = new Heap<Lane>((one, other) => one.position < other.position);
  return { priority: tier.priority, tier, owner, lanes, share: 0, position: 0, standing: 'out' };
}

export function createBucket(priority: number, queueClass: QueueClass): Bucket {
  return { priority, queueClass, lanes: new Map(), heap: new Heap<Lane>(lanesBefore), live: 0 };
}

/** A job of this position has entered the lane. */
export function rankLane(lane: Lane, position: number): void {
  const { turn } = lane;
  if (lane.standing === 'out') joinBucket(lane);
  if (!lane.isRanked || position < lane.position) {
    lane.position = position;
    if (lane.isRanked) turn.lanes.rise(lane);
    else turn.lanes.push(lane);
    lane.isRanked = true;
  }
  if (turn.standing === 'out') {
    joinTier(turn);
  } else if (turn.standing === 'in' && position < turn.position) {
    turn.position = position;
    turn.tier.turns.rise(turn);
  }
}

/** The owner may have more at once again: what was set aside takes part again. */
export function unblockLanes(farm: FarmState, owner: Owner): void {
  for (const lane of owner.blockedLanes) {
    lane.standing = 'out';
    if (lane.live > 0) joinBucket(lane);
    markClass(farm, lane.bucket.queueClass);
  }
  owner.blockedLanes.clear();
  for (const turn of owner.turns) if (turn.standing === 'blocked') joinTier(turn);
}

/** @returns the job that is next in its class; owners who have as much as they may at once are passed over */
export function headOf(queueClass: QueueClass): Job | undefined {
  for (const bucket of queueClass.buckets) {
    const lane = bestLane(bucket);
    if (lane !== undefined) return firstOf(lane);
  }
  return undefined;
}

/** @returns the job that is next on the farm among those of classes that fit. Costs a look at each class before it that does not */
export function firstFitting(farm: FarmState, fits: (queueClass: QueueClass) => boolean): Job | undefined {
  const fittingJob = (lane: Lane) => (fits(lane.bucket.queueClass) ? firstOf(lane) : undefined);
  for (const { turns } of farm.tiers) {
    const job = search(turns, firstTurn, ({ lanes }) => search(lanes, firstLane, fittingJob));
    if (job !== undefined) return job;
  }
  return undefined;
}

/** @returns up to `count` jobs from the front of the queue, an owner's together. Costs a look at all owners who wait */
export function firstJobs(queueClass: QueueClass, count: number): Job[] {
  const found: Job[] = [];
  for (const bucket of queueClass.buckets) {
    if (found.length >= count) break;
    const lanes = bucket.heap.items.filter(({ live, owner }) => live > 0 && !isAtCap(owner));
    lanes.sort((one, other) => one.owner.share - other.owner.share || one.age - other.age);
    for (const lane of lanes) found.push(...firstOfLane(lane, count - found.length));
  }
  return found;
}

/** @returns true when the owner has as many tasks as may be placed for it at once */
export function isAtCap(owner: Owner): boolean {
  return owner.live >= owner.maxTasks;
}

/** All sums of what owners have had are divided by the factor. */
export function rescaleRanks(farm: FarmState, factor: number): void {
  for (const { buckets } of farm.classes.values()) for (const { lanes } of buckets) for (const lane of lanes.values()) lane.share /= factor;
  for (const { turns } of farm.owners.values()) for (const turn of turns) turn.share /= factor;
}

/** @returns what is found first in the order of the heap; `first` puts the heap right and says what stands at its top */
function search<Item, Found>(
  heap: Heap<Item>,
  first: (heap: Heap<Item>) => Item | undefined,
  look: (item: Item) => Found | undefined,
): Found | undefined {
  let aside: Item[] | undefined;
  let found: Found | undefined;
  for (let item = first(heap); item !== undefined; item = first(heap)) {
    found = look(item);
    if (found !== undefined) break;
    heap.removeTop();
    aside ??= [];
    aside.push(item);
  }
  for (const item of aside ?? NONE) heap.push(item);
  return found;
}

function firstTurn(turns: Heap<Turn>): Turn | undefined {
  for (let top = turns.top; top !== undefined; top = turns.top) {
    const { owner } = top;
    const lane = firstLane(top.lanes);
    if (lane === undefined || isAtCap(owner)) {
      turns.removeTop();
      top.standing = lane === undefined ? 'out' : 'blocked';
    } else if (top.share === owner.share && top.position === lane.position) {
      return top;
    } else {
      top.share = owner.share;
      top.position = lane.position;
      turns.sinkTop();
    }
  }
  return undefined;
}

function firstLane(lanes: Heap<Lane>): Lane | undefined {
  for (let top = lanes.top; top !== undefined; top = lanes.top) {
    const first = firstOf(top);
    if (first === undefined) {
      lanes.removeTop();
      top.isRanked = false;
    } else if (top.position === first.position) {
      return top;
    } else {
      top.position = first.position;
      lanes.sinkTop();
    }
  }
  return undefined;
}

function bestLane({ heap, lanes }: Bucket): Lane | undefined {
  for (let top = heap.top; top !== undefined; top = heap.top) {
    const { owner } = top;
    if (top.live === 0) {
      heap.removeTop();
      top.standing = 'out';
      lanes.delete(owner);
    } else if (isAtCap(owner)) {
      heap.removeTop();
      top.standing = 'blocked';
      owner.blockedLanes.add(top);
    } else if (top.share < owner.share) {
      top.share = owner.share;
      heap.sinkTop();
    } else {
      return top;
    }
  }
  return undefined;
}

function joinBucket(lane: Lane): void {
  lane.share = lane.owner.share;
  lane.age = firstOf(lane)?.position ?? 0;
  lane.standing = 'in';
  lane.bucket.heap.push(lane);
}

function joinTier(turn: Turn): void {
  turn.share = turn.owner.share;
  turn.position = turn.lanes.top?.position ?? 0;
  turn.standing = 'in';
  turn.tier.turns.push(turn);
}

/** Equal shares go by age: the position of the job that stood first when the lane came. */
function lanesBefore(one: Lane, other: Lane): boolean {
  return one.share === other.share ? one.age < other.age : one.share < other.share;
}

function turnsBefore(one: Turn, other: Turn): boolean {
  return one.share === other.share ? one.position < other.position : one.share < other.share;
}
