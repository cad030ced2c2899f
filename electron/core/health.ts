import { END_REASONS, type EndReason } from '../../shared/job.ts';
import { scheduleCheck } from './deadlines.ts';
import { activityOf, type FarmNode, type FarmState, type Job, nodeChanged } from './state.ts';

/**
 * A node that fails falls out for a while: at once for failures of its own (`blames: 'node'`), and after failures of
 * tasks of two different jobs with nothing completed in between. A job that has failed on this many other nodes
 * since anything of it completed is itself the suspect, and sickens nobody any more.
 */
const SUSPECT_AFTER_NODES = 2;

/** Something completed on the node: it is well. */
export function noteCompleted(farm: FarmState, node: FarmNode, job: Job): void {
  if (job.activity !== null) job.activity.failedOn = null;
  node.failedJob = null;
  if (node.unhealthyUntilMs !== 0 || node.strikes === 0) return;
  node.strikes = 0;
  node.probation = false;
  node.healthReason = null;
  farm.dirtyNodes.add(node);
  nodeChanged(farm, node);
}

/** An attempt ended on the node with a reason that blames somebody. */
export function noteFailure(farm: FarmState, node: FarmNode, job: Job, reason: EndReason, message: string | null): void {
  const blames = END_REASONS[reason].blames;
  if (blames === 'nobody' || reason === 'image-unavailable' || reason === 'executor-unavailable' || reason === 'input-refused') return;
  const activity = activityOf(job);
  const others = (activity.failedOn?.size ?? 0) - (activity.failedOn?.has(node.id) ? 1 : 0);
  activity.failedOn ??= new Set();
  if (activity.failedOn.size <= SUSPECT_AFTER_NODES) activity.failedOn.add(node.id);
  if (others >= SUSPECT_AFTER_NODES) return;
  const earlier = node.failedJob;
  node.failedJob = job.id;
  if (blames === 'node') sicken(farm, node, `job ${job.id}: ${message ?? reason}`);
  else if (node.probation) sicken(farm, node, `job ${job.id} failed on probation (${reason})`);
  else if (earlier !== null && earlier !== job.id) sicken(farm, node, `tasks of jobs ${earlier} and ${job.id} failed one after the other`);
}

/** The cool-down is over: one task at a time until one completes. */
export function beginProbation(farm: FarmState, node: FarmNode): void {
  node.unhealthyUntilMs = 0;
  node.probation = true;
  node.failedJob = null;
  node.healthReason = `on probation after: ${node.healthReason ?? 'failures'}`;
  farm.dirtyNodes.add(node);
  nodeChanged(farm, node);
}

/** @returns how long the node stays out after its `strikes`th failure in a row (from 1), ms */
export function cooldownAfter(strikes: number, cooldownMs: number, cooldownMaxMs: number): number {
  return Math.min(cooldownMaxMs, cooldownMs * 2 ** (strikes - 1));
}

function sicken(farm: FarmState, node: FarmNode, reason: string): void {
  if (node.unhealthyUntilMs !== 0) return;
  node.strikes++;
  node.probation = false;
  node.failedJob = null;
  node.healthReason = reason;
  node.unhealthyUntilMs = farm.now.elapsedMs + cooldownAfter(node.strikes, farm.config.cooldownMs, farm.config.cooldownMaxMs);
  scheduleCheck(farm, node, node.unhealthyUntilMs);
  nodeChanged(farm, node);
}
