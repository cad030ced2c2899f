import type { NodeId } from '../../shared/ids.ts';
import { attemptId } from '../../shared/ids.ts';
import { END_REASONS } from '../../shared/job.ts';
import type { AttemptEnd } from '../../shared/protocol.ts';
import { scheduleCheck } from './deadlines.ts';
import type { CoordinatorEvent } from './events.ts';
import { release } from './leases.ts';
import { findTask } from './live-tasks.ts';
import type { FarmNode, Task } from './model.ts';
import { rowOfTask } from './rows.ts';
import { type FarmState, jobChanged, nodeChanged } from './state.ts';
import { type End, endAttempt, madeRoom, moveTask, settleJob } from './tasks.ts';

/**
 * What workers say about attempts. A word about an attempt that is not its task's current one changes nothing: it is
 * answered, and a worker that seems to run it is told to stop.
 */

type EventOf<Type extends CoordinatorEvent['type']> = Extract<CoordinatorEvent, { type: Type }>;
type AboutAttempt = EventOf<'attempt-phase' | 'attempt-started' | 'attempt-ended'>;

/** Images remembered of one node. */
const IMAGES_KEPT = 64;

export function attemptPhase(farm: FarmState, event: EventOf<'attempt-phase'>): void {
  const task = currentTask(farm, event);
  if (task === undefined) {
    stopStranger(farm, event);
    return;
  }
  task.phase = event.phase;
  if (task.state === 'ASSIGNED') task.sinceMs = farm.now.elapsedMs;
  else noteFrozen(farm, task, event.phase.phase === 'paused');
  jobChanged(farm, task.job);
}

export function attemptStarted(farm: FarmState, event: EventOf<'attempt-started'>): void {
  const task = currentTask(farm, event);
  if (task === undefined) stopStranger(farm, event);
  else startTask(farm, task);
}

export function attemptEnded(farm: FarmState, event: EventOf<'attempt-ended'>): void {
  const attempt = attemptId(event.job, event.index, event.number);
  const task = currentTask(farm, event);
  farm.effects.push({ type: 'acknowledge', node: event.node, attempt, accepted: task !== undefined });
  if (task !== undefined) {
    if (event.end.started) beginRun(farm, task, farm.now.wallMs - event.end.ranForMs);
    endAttempt(farm, task, asItWasAsked(task, event.end), 'release');
    settleJob(farm, task.job);
    return;
  }
  const node = farm.nodes.get(event.node);
  const lease = node?.stopping.get(attempt);
  if (node === undefined || lease === undefined) return;
  node.stopping.delete(attempt);
  release(farm, node, lease.demand, lease.gpus);
  nodeChanged(farm, node);
}

/** Whoever is told to end may end in any way: that is no failure, and costs nothing. */
function asItWasAsked(task: Task, end: AttemptEnd): End {
  if (task.makesRoomFor === null || !(END_REASONS[end.reason].usesRetry || end.reason === 'preempted')) return end;
  return madeRoom(task, end);
}

/** The time in which a command is frozen does not count towards its timeout; its worker ends it for its owner when that takes too long. */
function noteFrozen(farm: FarmState, task: Task, frozen: boolean): void {
  if (frozen) {
    if (task.frozenSinceMs === 0) task.frozenSinceMs = farm.now.elapsedMs;
    return;
  }
  thawTask(farm, task);
}

/** Its command goes on, or its worker will say again that it is frozen. */
export function thawTask(farm: FarmState, task: Task): void {
  if (task.frozenSinceMs === 0 || task.node === null) return;
  if (task.phase?.phase === 'paused') task.phase = null;
  task.sinceMs += farm.now.elapsedMs - task.frozenSinceMs;
  task.frozenSinceMs = 0;
  scheduleCheck(farm, task.node, task.sinceMs + task.job.shared.policy.timeoutMs + farm.config.timeoutSlackMs);
}

/** The command of an ASSIGNED task runs; one that runs already just goes on. */
export function startTask(farm: FarmState, task: Task): void {
  const node = beginRun(farm, task, farm.now.wallMs);
  if (node === undefined) return;
  task.sinceMs = farm.now.elapsedMs;
  scheduleCheck(farm, node, farm.now.elapsedMs + task.job.shared.policy.timeoutMs + farm.config.timeoutSlackMs);
  farm.effects.push({ type: 'save-task', row: rowOfTask(task) });
  settleJob(farm, task.job);
}

/** @returns where the command of an ASSIGNED task began to run; undefined for one that was known to */
function beginRun(farm: FarmState, task: Task, startedAt: number): FarmNode | undefined {
  const node = task.node;
  if (node === null || task.state !== 'ASSIGNED') return undefined;
  moveTask(farm, task, 'RUNNING');
  task.startedAt = Math.max(Math.round(startedAt), task.assignedAt ?? 0);
  task.job.startedAt ??= task.startedAt;
  const { image } = task.job.shared.policy;
  if (image !== null && image !== node.newestImage) rememberImage(node, image);
  return node;
}

/** @returns the task when the named attempt is its current one and lives on this node */
export function currentTask(farm: FarmState, about: { node: NodeId } & Pick<AboutAttempt, 'job' | 'index' | 'number'>): Task | undefined {
  const task = findTask(farm, about.job, about.index);
  return task !== undefined && task.attempt === about.number && task.node?.id === about.node ? task : undefined;
}

function stopStranger(farm: FarmState, event: AboutAttempt): void {
  const attempt = attemptId(event.job, event.index, event.number);
  farm.effects.push({ type: 'stop', node: event.node, attempt, reason: 'cancelled' });
}

function rememberImage(node: FarmNode, image: string): void {
  node.newestImage = image;
  if (node.images.has(image)) return;
  const [oldest] = node.images;
  if (node.images.size >= IMAGES_KEPT && oldest !== undefined) node.images.delete(oldest);
  node.images.add(image);
}
