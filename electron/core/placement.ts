import { holds } from '../../shared/label-expression.ts';
import { LIMITS } from '../../shared/limits.ts';
import { scheduleCheck } from './deadlines.ts';
import { takeReady } from './dependencies.ts';
import { considerEarmark, dropEarmark, reviewEarmarks, spendEarmark } from './earmarks.ts';
import { prepay } from './fairness.ts';
import { couldServe, fitBits, isServing, labelsOf, limitsAllow, reserve, setFitBits, slotsOf } from './leases.ts';
import { keepTask, taskOf } from './live-tasks.ts';
import { type Activity, activityOf, type FarmNode, FIT, type Job, NONE, type QueueClass, Task } from './model.ts';
import { dropFull, isOpen, isSaturated, listWhenOpen, openHead, unlist } from './open-nodes.ts';
import { PlacementOrder } from './order.ts';
import { leastUrgent, makeRoom, notePreemptible } from './preemption.ts';
import { hasWaiting, highestWaiting, park, unpark } from './queue.ts';
import { firstFitting, firstJobs, isAtCap } from './ranking.ts';
import { freshOfCanary, openFreshTasks, rowOfTask } from './rows.ts';
import { type FarmState, markClass, markNode, nodeChanged } from './state.ts';
import { moveTask, settleJob } from './tasks.ts';

/** Jobs looked at behind the head of a class when a free node is none for the head. */
const LOOK_AHEAD = 8;
/** Tasks of one job looked at when a free node is none for the first. */
const TASKS_LOOKED_AT = 4;

/**
 * Places what can be placed, up to so many at once. Only classes and nodes that were marked since the last time are looked at: a
 * class, when it got work or a limit came free; a node, when it came, changed or got something back.
 */
export function placeAll(farm: FarmState): void {
  reviewEarmarks(farm);
  farm.placementsLeft = farm.config.turnPlacements;
  // A node that is not kept free any more, because who it was kept for went elsewhere, is offered once more.
  do placeMarked(farm);
  while (farm.dirtyNodes.length > 0 && farm.placementsLeft > 0);
}

/** @returns true when the last turn may have left something to place, or something has happened since: a turn should end soon */
export function hasToPlace(farm: FarmState): boolean {
  return farm.dirtyNodes.length > 0 || farm.dirtyClasses.length > 0;
}

function placeMarked(farm: FarmState): void {
  const [node] = farm.dirtyNodes;
  const isFull = node !== undefined && farm.dirtyNodes.length === 1 && fillAlone(farm, node);
  if (!isFull) for (const dirty of farm.dirtyNodes) offerNode(farm, dirty);
  unmark(farm.dirtyNodes);
  if (farm.dirtyClasses.length === 0) return;
  // Before the less urgent takes what little is free where room is to be made; and once more after all that can go without.
  makeRoomForDirty(farm);
  if (!isFull) {
    placeDirty(farm);
    makeRoomForDirty(farm);
  }
  // Placing marks classes too, but gives nobody anything. Those that it had to stop at are looked at again by the next turn.
  if (farm.placementsLeft > 0) unmark(farm.dirtyClasses);
}

function unmark(marked: { isDirty: boolean }[]): void {
  // One by one, because a list that is cut to nothing gives away its room.
  for (let one = marked.pop(); one !== undefined; one = marked.pop()) one.isDirty = false;
}

/**
 * The usual case on a busy farm: one node has something free, and whatever waits fits nowhere else. Then the first of all that waits and
 * fits the node is found at once, and no list is made only to be thrown away.
 * @returns true when the node is full again; false when it takes more than this, and nothing but placements was done
 */
function fillAlone(farm: FarmState, node: FarmNode): boolean {
  while (isServing(node) && farm.placementsLeft > 0) {
    // What has room elsewhere is marked, or had it already when it was looked at last.
    for (const queueClass of farm.dirtyClasses) if (hasWaiting(queueClass) && !isSaturated(queueClass)) return false;
    const next = nextFor(farm, node);
    if (next === undefined) return false;
    listWhenOpen(node, next.shared.queueClass);
    if (placeJob(farm, next) !== 'yes') return false;
    dropFull(next.shared.queueClass);
    if (node.usedSlots >= slotsOf(node) || node.exclusive > 0) return farm.dirtyNodes.length === 1;
  }
  return false;
}

function placeDirty(farm: FarmState): void {
  const order = new PlacementOrder();
  for (const queueClass of farm.dirtyClasses) order.add(queueClass);
  for (let queueClass = order.take(); queueClass !== undefined && farm.placementsLeft > 0; queueClass = order.take()) {
    const owner = order.taken;
    if (!placeFrom(farm, queueClass)) continue;
    order.add(queueClass);
    order.refresh(owner);
  }
}

function makeRoomForDirty(farm: FarmState): void {
  const least = leastUrgent(farm);
  for (const queueClass of farm.dirtyClasses) if (highestWaiting(queueClass) > least && isSaturated(queueClass)) makeRoom(farm, queueClass);
}

/** Shows a new class to the nodes. */
export function meetNodes(farm: FarmState, queueClass: QueueClass): void {
  for (const node of farm.nodes.values()) listWhenOpen(node, queueClass);
}

/**
 * A node came, left or changed what it is: jobs that nobody could serve get another chance, and so does what waits for another node
 * than the one that it failed on.
 */
export function noteNodeChanged(farm: FarmState, node: FarmNode): void {
  markNode(farm, node);
  for (const queueClass of farm.classes.values()) {
    unpark(farm, queueClass);
    if (hasWaiting(queueClass)) markClass(farm, queueClass);
  }
}

/** The node says anew what it is: whether it fits is found out again. */
export function forgetFits(farm: FarmState, node: FarmNode): void {
  for (const queueClass of farm.classes.values()) setFitBits(node, queueClass, fitBits(node, queueClass) & FIT.listed);
}

/** Takes a removed node out of all lists. */
export function forgetNode(farm: FarmState, node: FarmNode): void {
  dropEarmark(farm, node);
  if (node.isDirty) farm.dirtyNodes.splice(farm.dirtyNodes.indexOf(node), 1);
  for (const queueClass of farm.classes.values()) {
    if ((fitBits(node, queueClass) & FIT.listed) !== 0) unlist(node, queueClass, queueClass.open.indexOf(node));
    setFitBits(node, queueClass, 0);
  }
}

/** What `score` looks at; every value from 0 (bad) to 1 (good). */
export interface Suitability {
  /** The scarcer of CPU and memory, as a share of the node, that stays free after the placement. */
  readonly freeShare: number;
  /** 1 less the measured CPU load. */
  readonly idleCpu: number;
  /** Share of the node's slots that stays free after the placement. */
  readonly freeSlots: number;
  readonly inputCached: number;
  readonly imageThere: number;
  /** 1 when the job's newest attempt went to the same zone. */
  readonly sameZone: number;
  /** Share of the job's preferences that the node meets; 1 when it has none. */
  readonly preferred: number;
  /** How well its zone suits a job that is to stay together or to be spread; 1 for others. */
  readonly zoneWish: number;
  /** Past speed on this job against the job's mean: 0.5 as the mean or unknown, 1 twice as fast or more. */
  readonly speed: number;
}

/**
 * How good a node is for a task: a weighted mean of `Suitability`, from 0 to 1. What a person has asked for weighs as much as
 * all the rest. Moving an input or pulling an image takes longer than an unbalanced load costs, so these two weigh as much as
 * the load together.
 */
export function score(suitability: Suitability): number {
  return (
    0.3 * suitability.preferred +
    0.2 * suitability.zoneWish +
    0.1 * suitability.freeShare +
    0.075 * suitability.idleCpu +
    0.05 * suitability.freeSlots +
    0.125 * suitability.inputCached +
    0.075 * suitability.imageThere +
    0.025 * suitability.sameZone +
    0.05 * suitability.speed
  );
}

/** @returns true when a node other than those the task avoids could serve it, now or once it is free */
export function anotherCouldServe(farm: FarmState, job: Job, avoid: readonly string[]): boolean {
  for (const node of farm.nodes.values())
    if (!avoid.includes(node.id) && couldServe(node, job.shared.queueClass) && !cannotServe(farm, job, node)) return true;
  return false;
}

/** @returns true when the node said not long ago that it cannot serve this job, and has not changed since */
export function cannotServe(farm: FarmState, job: Job, node: FarmNode): boolean {
  const refusal = job.activity?.cannotServe?.get(node.id);
  return refusal !== undefined && refusal.epoch === node.epoch && refusal.untilMs > farm.now.elapsedMs;
}

function offerNode(farm: FarmState, node: FarmNode): void {
  if (!isServing(node)) return;
  nextFor(farm, node);
  for (const queueClass of farm.classes.values()) if (listWhenOpen(node, queueClass) && hasWaiting(queueClass)) markClass(farm, queueClass);
}

/** @returns the job that goes first of all that fit the node now. For those before it that do not, the node may be kept free. */
function nextFor(farm: FarmState, node: FarmNode): Job | undefined {
  return firstFitting(farm, (queueClass) => {
    if (!limitsAllow(queueClass.demand)) return false;
    const fits = isOpen(node, queueClass);
    if (!fits) considerEarmark(farm, node, queueClass);
    return fits;
  });
}

/** @returns false when nothing of the class can be placed now */
function placeFrom(farm: FarmState, queueClass: QueueClass): boolean {
  if (!limitsAllow(queueClass.demand)) return false;
  for (;;) {
    const head = openHead(queueClass);
    if (head === undefined) return false;
    const placed = placeJob(farm, head);
    if (placed === 'yes') return true;
    if (placed === 'no') break;
  }
  if (queueClass.open.length === 0) return false;
  const behind = firstJobs(queueClass, LOOK_AHEAD + 1).slice(1);
  return behind.some((job) => placeJob(farm, job) === 'yes');
}

function placeJob(farm: FarmState, job: Job): 'yes' | 'no' | 'parked' {
  if (placeRequeued(farm, job)) return 'yes';
  if (openFreshTasks(job) > 0) {
    const node = bestNode(farm, job, NONE);
    if (node !== undefined) {
      assign(farm, takeFresh(job), node);
      return 'yes';
    }
  }
  const refused = job.activity?.cannotServe?.size ?? 0;
  if (refused === 0 || anotherCouldServe(farm, job, NONE)) return 'no';
  park(job);
  return 'parked';
}

function placeRequeued(farm: FarmState, job: Job): boolean {
  const requeued = job.activity?.requeued ?? null;
  if (requeued === null) return false;
  for (let back = 1; back <= Math.min(TASKS_LOOKED_AT, requeued.length); back++) {
    const task = taskOf(job, requeued[requeued.length - back] as number);
    if (task === undefined) throw new Error(`job ${job.id} has a task in its queue that it does not know`);
    const node = bestNode(farm, job, task.avoid) ?? returnTo(farm, job, task);
    if (node === undefined) continue;
    requeued.splice(requeued.length - back, 1);
    assign(farm, task, node);
    return true;
  }
  return false;
}

/** A task that has failed on every node that could serve it may go back to one of them. */
function returnTo(farm: FarmState, job: Job, task: Task): FarmNode | undefined {
  if (task.avoid.length === 0 || anotherCouldServe(farm, job, task.avoid)) return undefined;
  return bestNode(farm, job, NONE);
}

/** @returns the best of a bounded number of nodes that fit: the next ones in the class's list, and holders of the input */
function bestNode(farm: FarmState, job: Job, avoid: readonly string[]): FarmNode | undefined {
  const queueClass = job.shared.queueClass;
  const open = queueClass.open;
  let best: FarmNode | undefined;
  let bestScore = -1;
  const consider = (node: FarmNode) => {
    if (avoid.includes(node.id) || cannotServe(farm, job, node)) return false;
    const nodeScore = open.length === 1 ? 0 : score(suitability(job, node));
    if (nodeScore > bestScore) {
      best = node;
      bestScore = nodeScore;
    }
    return true;
  };
  let seen = 0;
  let at = queueClass.cursor;
  const candidates = hasWishes(job) ? LIMITS.preferenceCandidates : LIMITS.placementCandidates;
  for (let left = open.length; left > 0 && seen < candidates; left--) {
    if (at >= open.length) at = 0;
    const node = open[at] as FarmNode;
    if (!isOpen(node, queueClass)) {
      unlist(node, queueClass, at);
      continue;
    }
    at++;
    if (consider(node)) seen++;
  }
  queueClass.cursor = at;
  if (job.input === null || open.length <= candidates) return best;
  let holders = 0;
  for (const node of farm.holders.get(job.input) ?? NONE) {
    if (holders++ >= LIMITS.placementCandidates) break;
    if (isOpen(node, queueClass)) consider(node);
  }
  return best;
}

function hasWishes(job: Job): boolean {
  return job.shared.prefer.length > 0 || job.shared.policy.requirements.zones !== undefined;
}

function suitability(job: Job, node: FarmNode): Suitability {
  const demand = job.shared.queueClass.demand;
  const { ramMb } = node;
  const slots = slotsOf(node);
  const image = job.shared.policy.image;
  const freeCpu = (node.cpuMilli - node.usedCpuMilli - demand.cpuMilli) / node.cpuMilli;
  const freeRam = (ramMb - node.usedRamMb - demand.ramMb) / ramMb;
  return {
    freeShare: Math.min(freeCpu, freeRam),
    idleCpu: 1 - (node.metrics?.cpuPercent ?? 0) / 100,
    freeSlots: (slots - node.usedSlots - 1) / slots,
    inputCached: job.input === null || node.cached.has(job.input) ? 1 : 0,
    imageThere: image === null || node.images.has(image) ? 1 : 0,
    sameZone: job.activity === null || job.activity.zone === null || job.activity.zone === node.zone ? 1 : 0,
    preferred: preferredShare(job, node),
    zoneWish: zoneWish(job, node),
    speed: speedOf(job, node),
  };
}

function preferredShare(job: Job, node: FarmNode): number {
  const { prefer } = job.shared;
  if (prefer.length === 0) return 1;
  const labels = labelsOf(node);
  return prefer.filter((condition) => holds(condition, labels)).length / prefer.length;
}

function zoneWish(job: Job, node: FarmNode): number {
  const { zones } = job.shared.policy.requirements;
  if (zones === undefined || job.activity === null) return 1;
  if (zones === 'apart') return 1 / (1 + (job.activity.zones?.get(node.zone) ?? 0));
  return job.activity.zone === null || job.activity.zone === node.zone ? 1 : 0;
}

function noteZone(job: Job, node: FarmNode): void {
  if (job.taskCount === 1) return;
  const activity = activityOf(job);
  const { zone } = node;
  activity.zone = zone;
  if (job.shared.policy.requirements.zones !== 'apart') return;
  activity.zones ??= new Map();
  activity.zones.set(zone, (activity.zones.get(zone) ?? 0) + 1);
}

function speedOf(job: Job, node: FarmNode): number {
  const speeds = job.activity?.speeds;
  const own = speeds?.get(node.id);
  if (speeds === null || speeds === undefined || own === undefined) return 0.5;
  return Math.min(1, (0.5 * (job.activity?.meanRunMs ?? own)) / own);
}

function takeFresh(job: Job): Task {
  const { activity } = job;
  while (activity?.skipped?.delete(job.cursor)) job.cursor++;
  const task = new Task(job, nextFresh(job, activity));
  if (task.index === job.cursor) {
    job.cursor++;
  } else {
    activityOf(job).skip(task.index);
  }
  keepTask(task);
  // Behind the cursor nothing is skipped; a set that has done its work goes.
  if (activity?.skipped?.size === 0) activity.skipped = null;
  return task;
}

/** @returns the index of a fresh task that may go; there is one (`openFreshTasks`) */
function nextFresh(job: Job, activity: Activity | null): number {
  if (activity === null) return job.cursor;
  const { gate, canary } = activity;
  if (canary === null) return gate === null ? job.cursor : takeReady(job, gate);
  // Its entry among those that are ready is passed over later.
  if (gate !== null) gate.readyCount--;
  return freshOfCanary(job, canary)[0] as number;
}

function assign(farm: FarmState, task: Task, node: FarmNode): void {
  const job = task.job;
  const queueClass = job.shared.queueClass;
  // More than that may run only of what ran before a restart that lowered it.
  if (isAtCap(job.owner)) throw new Error(`${job.owner.name} has ${job.owner.live} of ${job.owner.maxTasks} tasks at once already`);
  farm.placementsLeft--;
  task.gpus = reserve(node, queueClass.demand);
  queueClass.waitingSinceMs = farm.now.elapsedMs;
  spendEarmark(farm, queueClass, node);
  task.node = node;
  task.attempt++;
  task.assignedAt = farm.now.wallMs;
  task.startedAt = null;
  task.sinceMs = farm.now.elapsedMs;
  job.owner.live++;
  prepay(farm, task);
  moveTask(farm, task, 'ASSIGNED');
  node.tasks.push(task);
  notePreemptible(farm, task);
  noteZone(job, node);
  scheduleCheck(farm, node, farm.now.elapsedMs + farm.config.assignTimeoutMs);
  farm.effects.push(
    { type: 'save-task', row: rowOfTask(task) },
    { type: 'assign', node: node.id, job: job.id, index: task.index, number: task.attempt, gpus: task.gpus },
  );
  nodeChanged(farm, node);
  settleJob(farm, job);
}
