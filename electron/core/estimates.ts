import type { NodeId } from '../../shared/ids.ts';
import { tasksOf } from './live-tasks.ts';
import type { Activity, Job, Task } from './model.ts';
import { openTasks, waitingTasks } from './rows.ts';
import type { FarmState } from './state.ts';

/** When a job will be done, from how long its tasks have taken where they run. */

/** Runs that must have been measured before anything is said. */
const MEASURED_RUNS = 3;

/** Runs of a job, of its newest tasks, from which estimates begin after a restart of the coordinator. */
export const RUNS_RECOVERED = 64;

/** Counts a completed run of one of the job's tasks, ms. */
export function noteRun(activity: Activity, node: NodeId, ranForMs: number): void {
  activity.speeds ??= new Map();
  const mean = activity.speeds.get(node);
  activity.speeds.set(node, mean === undefined ? ranForMs : mean * 0.75 + ranForMs * 0.25);
  const off = ranForMs - activity.meanRunMs;
  // An exponentially weighted mean and variance, as West gives them (1979), but a plain one over the first ten.
  const weight = Math.max(0.1, 1 / ++activity.measuredRuns);
  activity.meanRunMs += weight * off;
  activity.runVariance = (1 - weight) * (activity.runVariance + weight * off * off);
}

/** In how long a job will be done, ms from now. */
export interface Estimate {
  readonly earliestMs: number;
  readonly latestMs: number;
}

/**
 * The work that is left, in tasks, over the tasks a millisecond that the nodes get through on which it runs now, each by its own
 * mean. The range is as wide as the measured runs differ, the less the more of them are still to come; and the last task may begin
 * when all others have ended. Costs a look at the job's attempts.
 * @returns undefined without data, or when nothing of it runs, or some of it waits for other jobs
 */
export function estimateOf(farm: FarmState, job: Job): Estimate | undefined {
  const activity = job.activity;
  if (activity === null || activity.measuredRuns < MEASURED_RUNS || job.held) return undefined;
  const waiting = waitingTasks(job);
  if (openTasks(job) < waiting) return undefined;
  let left = waiting;
  let perMs = 0;
  let longestMs = 0;
  for (const task of tasksOf(job)) {
    if (task.node === null || task.frozenSinceMs !== 0) continue;
    const meanMs = meanOn(activity, task);
    const restMs = Math.max(0, meanMs - (task.state === 'RUNNING' ? farm.now.elapsedMs - task.sinceMs : 0));
    left += restMs / meanMs;
    longestMs = Math.max(longestMs, restMs);
    perMs += 1 / meanMs;
  }
  if (perMs === 0) return undefined;
  const meanMs = Math.max(left / perMs, longestMs);
  const deviation = Math.sqrt(activity.runVariance) / activity.meanRunMs;
  const doubt = Math.min(0.8, Math.max(0.05, deviation / Math.sqrt(Math.max(1, left)) + deviation / Math.sqrt(activity.measuredRuns)));
  return { earliestMs: meanMs * (1 - doubt), latestMs: meanMs * (1 + doubt) + (waiting > 0 ? activity.meanRunMs : 0) };
}

function meanOn(activity: Activity, task: Task): number {
  return (task.node === null ? undefined : activity.speeds?.get(task.node.id)) ?? activity.meanRunMs;
}
