import type { JobId, NodeId } from '../../shared/ids.ts';
import { END_REASONS, type EndReason } from '../../shared/job.ts';
import type { NodeHealth } from '../../shared/node.ts';
import { scheduleCheck } from './deadlines.ts';
import { couldServe } from './leases.ts';
import { type Activity, activityOf, type FarmNode, type Job, NONE, type Task } from './model.ts';
import { rowOfNode } from './rows.ts';
import { type FarmState, markNode, nodeChanged } from './state.ts';

/**
 * Who is to blame: the machine or the job. A task that failed is tried on another node, and what happens there decides.
 *
 * A node falls out for a while: at once for failures of its own (`blames: 'node'`), after failures of tasks of two different jobs with
 * nothing completed in between, and when two tasks that failed on it have completed elsewhere. A job that has failed on so many
 * other nodes since anything of it completed is itself the suspect, and sickens nobody any more; and when nothing of it has
 * ever completed and it goes on failing, it is stopped.
 */
const SUSPECT_AFTER_NODES = 2;
const CONVICTIONS = 2;
/** Completions in a row after which a node's convictions are forgotten. */
const ACQUIT_AFTER = 10;

/** A task completed on the node: the node is well, and others that the task had failed on may not be. */
export function noteCompleted(farm: FarmState, node: FarmNode, task: Task): void {
  const { activity } = task.job;
  if (activity !== null) {
    activity.failedOn = null;
    activity.failures = 0;
  }
  for (const id of task.avoid) if (id !== node.id) convict(farm, farm.nodes.get(id), task, node);
  const wasSuspect = node.failedJob !== null || node.convictions.length > 0;
  node.failedJob = null;
  if (++node.completedSince >= ACQUIT_AFTER) node.convictions = NONE;
  const isWellAgain = node.unhealthyUntilMs === 0 && node.strikes > 0;
  if (isWellAgain) {
    node.strikes = 0;
    node.probation = false;
    node.healthReason = null;
    markNode(farm, node);
  }
  if (wasSuspect || isWellAgain) healthChanged(farm, node);
}

/** What was stored of a node's health, at a start. The wall clock tells how long ago; a cool-down lasts no longer than one ever does. */
export function recoverHealth(farm: FarmState, node: FarmNode, health: NodeHealth): void {
  node.strikes = health.strikes;
  node.probation = health.probation;
  node.convictions = health.convictions;
  node.completedSince = health.completedSince;
  node.failedJob = health.failedJob as JobId | null;
  node.healthReason = health.reason;
  if (health.unhealthyUntil === null) return;
  const leftMs = Math.min(health.unhealthyUntil - farm.now.wallMs, farm.config.cooldownMaxMs);
  if (leftMs <= 0) {
    beginProbation(farm, node);
    return;
  }
  node.unhealthyUntilMs = farm.now.elapsedMs + leftMs;
  scheduleCheck(farm, node, node.unhealthyUntilMs);
}

/** An attempt ended on the node with a reason that blames somebody. */
export function noteFailure(farm: FarmState, node: FarmNode, job: Job, reason: EndReason, message: string | null): void {
  const blames = END_REASONS[reason].blames;
  if (blames === 'nobody' || reason === 'image-unavailable' || reason === 'executor-unavailable' || reason === 'input-refused') return;
  const activity = activityOf(job);
  const others = (activity.failedOn?.size ?? 0) - (activity.failedOn?.has(node.id) ? 1 : 0);
  activity.failedOn ??= new Set();
  if (activity.failedOn.size <= SUSPECT_AFTER_NODES) activity.failedOn.add(node.id);
  if (blames === 'job') stopWhenHopeless(farm, job, activity, reason, message);
  if (others >= SUSPECT_AFTER_NODES) return;
  const earlier = node.failedJob;
  node.failedJob = job.id;
  if (blames === 'node') sicken(farm, node, `job ${job.id}: ${message ?? reason}`);
  else if (node.probation) sicken(farm, node, `job ${job.id} failed on probation (${reason})`);
  else if (earlier !== null && earlier !== job.id) sicken(farm, node, `tasks of jobs ${earlier} and ${job.id} failed one after the other`);
  healthChanged(farm, node);
}

/** The task failed on one node and completed on another: it was not the task. */
function convict(farm: FarmState, node: FarmNode | undefined, task: Task, completedOn: FarmNode): void {
  const name = `${task.job.id}.${task.index}`;
  if (node === undefined || node.convictions.includes(name)) return;
  node.completedSince = 0;
  node.convictions = [...node.convictions, name];
  if (node.convictions.length >= CONVICTIONS) {
    const tasks = node.convictions.join(' and ');
    node.convictions = NONE;
    sicken(farm, node, `tasks ${tasks} failed here and completed elsewhere, the last on ${completedOn.description.name}`);
  }
  healthChanged(farm, node);
}

/** The same failure on several nodes, over and over, and nothing of the job has ever completed: more of it helps nobody. */
function stopWhenHopeless(farm: FarmState, job: Job, activity: Activity, reason: EndReason, message: string | null): void {
  const { stopAfterFailures } = job.shared.policy;
  activity.failures++;
  if (stopAfterFailures === 0 || job.taskCount === 1 || activity.completed > 0 || activity.failures < stopAfterFailures) return;
  const failedOn = [...(activity.failedOn ?? [])];
  if (failedOn.length <= SUSPECT_AFTER_NODES && someOtherCouldServe(farm, job, failedOn)) return;
  const names = failedOn.map((id) => farm.nodes.get(id)?.description.name ?? id).join(', ');
  const nodes = failedOn.length === 1 ? `the only node that could serve it (${names})` : `${failedOn.length} nodes (${names})`;
  const why = `stopped: nothing of it completed, and ${activity.failures} attempts failed on ${nodes}; the last: ${message ?? reason}`;
  farm.hopeless.push({ job: job.id, reason: why });
}

function someOtherCouldServe(farm: FarmState, job: Job, failedOn: readonly NodeId[]): boolean {
  for (const node of farm.nodes.values()) if (!failedOn.includes(node.id) && couldServe(node, job.shared.queueClass)) return true;
  return false;
}

/** The cool-down is over: one task at a time until one completes. */
export function beginProbation(farm: FarmState, node: FarmNode): void {
  node.unhealthyUntilMs = 0;
  node.probation = true;
  node.failedJob = null;
  node.healthReason = `on probation after: ${node.healthReason ?? 'failures'}`;
  markNode(farm, node);
  healthChanged(farm, node);
}

/** @returns how long the node stays out after its `strikes`th failure in a row (from 1), ms */
export function cooldownAfter(strikes: number, cooldownMs: number, cooldownMaxMs: number): number {
  return Math.min(cooldownMaxMs, cooldownMs * 2 ** (strikes - 1));
}

/** The caller stores it (`healthChanged`). */
function sicken(farm: FarmState, node: FarmNode, reason: string): void {
  if (node.unhealthyUntilMs !== 0) return;
  node.strikes++;
  node.probation = false;
  node.failedJob = null;
  node.healthReason = reason;
  node.unhealthyUntilMs = farm.now.elapsedMs + cooldownAfter(node.strikes, farm.config.cooldownMs, farm.config.cooldownMaxMs);
  scheduleCheck(farm, node, node.unhealthyUntilMs);
}

function healthChanged(farm: FarmState, node: FarmNode): void {
  farm.effects.push({ type: 'save-node', row: rowOfNode(farm, node) });
  nodeChanged(farm, node);
}
