import { attemptId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { scheduleCheck } from './deadlines.ts';
import { earmark } from './earmarks.ts';
import { fitsEmpty, fitsWithout, isServing, limitsAllow } from './leases.ts';
import { liveTasks } from './live-tasks.ts';
import type { FarmNode, Job, QueueClass, Task } from './model.ts';
import { headOf } from './ranking.ts';
import { openTasks, rowOfTask } from './rows.ts';
import type { FarmState } from './state.ts';

/**
 * Work that may be interrupted makes room for work of higher priority that fits nowhere. It is asked to end and has a while to do so;
 * its node is kept free for the class it makes room for; and when it has ended it is queued again at no cost.
 *
 * There is no ping-pong: room is made only for a strictly higher priority, and a task that has made room
 * `LIMITS.preemptions` times does not any more.
 */

/** Notes a live attempt that may be asked to make room. */
export function notePreemptible(farm: FarmState, task: Task): void {
  const { job } = task;
  if (!job.shared.policy.preemptible || task.preemptions >= LIMITS.preemptions || task.makesRoomFor !== null) return;
  let tasks = farm.preemptible.get(job.priority);
  if (tasks === undefined) {
    tasks = new Set();
    farm.preemptible.set(job.priority, tasks);
  }
  tasks.add(task);
}

/** The attempt is over, or was asked. `priority` is that at which it was noted. */
export function forgetPreemptible(farm: FarmState, task: Task, priority: number): void {
  const tasks = farm.preemptible.get(priority);
  if (tasks?.delete(task) && tasks.size === 0) farm.preemptible.delete(priority);
}

/** @returns the lowest priority of attempts that may be asked to make room; infinite when none may */
export function leastUrgent(farm: FarmState): number {
  let least = Number.POSITIVE_INFINITY;
  for (const priority of farm.preemptible.keys()) least = Math.min(least, priority);
  return least;
}

/** Makes room for a class that waits and fits nowhere. Costs a look at a bounded number of attempts. */
export function makeRoom(farm: FarmState, queueClass: QueueClass): void {
  const head = headOf(queueClass);
  if (head === undefined || !limitsAllow(queueClass.demand)) return;
  for (let left = roomWanted(head) - queueClass.earmarks.size; left > 0; left--) {
    const room = leastLoss(farm, queueClass, head);
    if (room === undefined) return;
    for (const task of room.victims) askToMakeRoom(farm, task, head);
    earmark(farm, room.node, queueClass);
  }
}

/** The worker may not have heard that the attempt is to end. */
export function askAgain(farm: FarmState, task: Task): void {
  if (task.makesRoomFor === null || task.node === null) return;
  const attempt = attemptId(task.job.id, task.index, task.attempt);
  farm.effects.push({ type: 'stop', node: task.node.id, attempt, reason: 'preempted', graceMs: farm.config.preemptGraceMs });
}

/** How many of the job's tasks could begin if there were room. */
function roomWanted(head: Job): number {
  const { owner, shared } = head;
  const ownCap = (shared.policy.maxTasks ?? Number.POSITIVE_INFINITY) - liveTasks(head);
  return Math.min(openTasks(head), ownCap, owner.maxTasks - owner.live, LIMITS.placementCandidates);
}

interface Room {
  readonly node: FarmNode;
  readonly victims: readonly Task[];
  /** Core-milliseconds that are lost. */
  readonly loss: number;
}

function leastLoss(farm: FarmState, queueClass: QueueClass, head: Job): Room | undefined {
  let best: Room | undefined;
  for (const node of candidates(farm, queueClass, head)) {
    const victims = victimsOn(farm, node, queueClass, head);
    if (victims === undefined) continue;
    const loss = victims.reduce((sum, task) => sum + lossOf(farm, task), 0);
    if (best === undefined || loss < best.loss) best = { node, victims, loss };
  }
  return best;
}

/** Nodes of the least urgent attempts that may be asked. */
function candidates(farm: FarmState, queueClass: QueueClass, head: Job): ReadonlySet<FarmNode> {
  const nodes = new Set<FarmNode>();
  let seen = 0;
  for (const priority of [...farm.preemptible.keys()].sort((one, other) => one - other)) {
    if (priority >= head.priority) break;
    for (const { node } of farm.preemptible.get(priority) ?? []) {
      if (node !== null && !nodes.has(node) && mayBeCleared(farm, node, queueClass, head)) nodes.add(node);
      if (++seen >= LIMITS.preemptionCandidates) return nodes;
    }
  }
  return nodes;
}

/** A worker that polls cannot be asked: it hears only that it is to stop, and reports a failure. */
function mayBeCleared(farm: FarmState, node: FarmNode, queueClass: QueueClass, head: Job): boolean {
  const refusal = head.activity?.cannotServe?.get(node.id);
  const refuses = refusal !== undefined && refusal.epoch === node.epoch && refusal.untilMs > farm.now.elapsedMs;
  return node.carrier === 'link' && node.earmark === null && !refuses && isServing(node) && fitsEmpty(node, queueClass);
}

/** @returns the attempts whose end makes room at the least loss, as few as will do; undefined when all together do not */
function victimsOn(farm: FarmState, node: FarmNode, queueClass: QueueClass, head: Job): Task[] | undefined {
  const possible = node.tasks
    .filter((task) => isVictim(farm, task, head))
    .sort((one, other) => lossOf(farm, one) - lossOf(farm, other) || one.job.priority - other.job.priority);
  const chosen: Task[] = [];
  for (const task of possible) {
    chosen.push(task);
    if (fitsWithout(node, queueClass.demand, chosen)) break;
  }
  if (chosen.length === 0 || !fitsWithout(node, queueClass.demand, chosen)) return undefined;
  // The dearest first: what room was made by later ones may do without.
  for (const task of chosen.toReversed()) {
    const fewer = chosen.filter((other) => other !== task);
    if (fitsWithout(node, queueClass.demand, fewer)) chosen.splice(chosen.indexOf(task), 1);
  }
  return chosen;
}

function isVictim(farm: FarmState, task: Task, head: Job): boolean {
  const { job } = task;
  // What was placed a moment ago may not even have been sent.
  if (task.state === 'ASSIGNED' && task.sinceMs === farm.now.elapsedMs) return false;
  return job.priority < head.priority && (farm.preemptible.get(job.priority)?.has(task) ?? false);
}

function lossOf(farm: FarmState, task: Task): number {
  return task.state === 'RUNNING' ? (farm.now.elapsedMs - task.sinceMs) * task.job.shared.queueClass.demand.cost : 0;
}

function askToMakeRoom(farm: FarmState, task: Task, head: Job): void {
  forgetPreemptible(farm, task, task.job.priority);
  task.makesRoomFor = head.id;
  task.askedMs = farm.now.elapsedMs;
  task.preemptions++;
  farm.effects.push({ type: 'save-task', row: rowOfTask(task) });
  askAgain(farm, task);
  if (task.node !== null) scheduleCheck(farm, task.node, roomDueMs(farm, task));
}

/** @returns the steady-clock time until which the worker should have said that the attempt has ended */
export function roomDueMs(farm: FarmState, task: Task): number {
  return task.makesRoomFor === null ? Number.POSITIVE_INFINITY : task.askedMs + farm.config.preemptGraceMs + farm.config.timeoutSlackMs;
}
