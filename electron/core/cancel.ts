import type { JobId } from '../../shared/ids.ts';
import type { JobState, TaskRow } from '../../shared/job.ts';
import { blockedBy, inVain, leaveGate, unqueue } from './dependencies.ts';
import type { CoordinatorEvent, Dependency } from './events.ts';
import { dropTask, liveTasks, taskOf, tasksOf } from './live-tasks.ts';
import { activityOf, type Job, type Task } from './model.ts';
import { freshTasks, isFresh, rowOfTask, rowOfUntouched, waitingTasks } from './rows.ts';
import type { FarmState } from './state.ts';
import { addToCount, checkTransition, endAttempt, endBecause, endJob, settleJob } from './tasks.ts';

/** Work that ends before its time: because a person cancels it, or because what it waits for will not come. */

type EventOf<Type extends CoordinatorEvent['type']> = Extract<CoordinatorEvent, { type: Type }>;

/** Cancels a job, or one task of it. What has ended stays as it is. */
export function cancel(farm: FarmState, event: EventOf<'cancel'>): void {
  const job = farm.jobs.get(event.job);
  if (job === undefined) return;
  const reason = `cancelled by ${event.by}`;
  if (event.index === undefined) cancelJob(farm, job, reason);
  else cancelTask(farm, job, event.index, reason);
}

/** Cancels all that has not ended. Attempts count as ended at once; what they hold they hold until their worker has stopped. */
export function cancelJob(farm: FarmState, job: Job, reason: string): void {
  endWaiting(farm, job, 'CANCELLED', reason);
}

/** Ends whatever waits, and with it the job. `rest`: the state of the tasks that never began. */
export function endWaiting(
  farm: FarmState,
  job: Job,
  state: 'CANCELLED' | 'FAILED',
  reason: string,
  rest: 'CANCELLED' | 'FAILED' = state,
): void {
  const fresh = freshTasks(job);
  const from = job.state === 'SUBMITTED' ? 'SUBMITTED' : 'QUEUED';
  if (fresh > 0) checkTransition(from, rest);
  const activity = activityOf(job);
  const moved = [...tasksOf(job)];
  // At once, so that none of them is looked for among the others.
  activity.requeued = null;
  activity.gate?.returned.clear();
  for (const task of moved) cancelMoved(farm, job, task, reason);
  addToCount(job, rest, fresh);
  farm.taskCounts[from] -= fresh;
  farm.taskCounts[rest] += fresh;
  job.cursor = job.taskCount;
  activity.skipped = null;
  activity.reason = reason;
  endJob(farm, job, state, rest);
}

/** The tasks of a job whose counterparts in another did not complete will never go: they end with it. */
export function cancelBlocked(farm: FarmState, job: Job, id: JobId, state: JobState): void {
  const blocked = blockedBy(job, id);
  leaveGate(farm, job, id);
  if (blocked.length === 0 || !farm.jobs.has(job.id)) return;
  if (blocked.length === job.taskCount) {
    cancelJob(farm, job, inVain(id, state));
    return;
  }
  activityOf(job).reason = `${blocked.length} of its tasks waited for tasks of job ${id}, which did not complete`;
  for (const index of blocked) cancelOne(farm, job, index, `task ${id}.${index}, which it waits for, did not complete`);
  settleJob(farm, job);
}

/** Ends the tasks whose counterparts are of a job that has ended, or is not there. */
export function cancelVain(farm: FarmState, job: Job, after: readonly Dependency[]): void {
  for (const { job: id, until, ended } of after) {
    if (until !== 'tasks' || ended === 'COMPLETED' || (ended === null && farm.jobs.has(id))) continue;
    cancelBlocked(farm, job, id, ended ?? 'CANCELLED');
    if (!farm.jobs.has(job.id)) return;
  }
}

/** Cancels a task that has a row. */
function cancelMoved(farm: FarmState, job: Job, task: Task, reason: string): void {
  if (task.node !== null) {
    endAttempt(farm, task, endBecause('cancelled', reason), 'stop', 'CANCELLED');
    return;
  }
  const activity = activityOf(job);
  const from = job.state === 'SUBMITTED' ? 'SUBMITTED' : 'QUEUED';
  checkTransition(from, 'CANCELLED');
  unqueue(activity, task.index);
  dropTask(task);
  addToCount(job, 'CANCELLED', 1);
  farm.taskCounts[from]--;
  farm.taskCounts.CANCELLED++;
  task.state = 'CANCELLED';
  const row: TaskRow = { ...rowOfTask(task), finishedAt: farm.now.wallMs, reason: 'cancelled', message: reason };
  farm.effects.push({ type: 'save-task', row });
}

function cancelTask(farm: FarmState, job: Job, index: number, reason: string): void {
  if (!cancelOne(farm, job, index, reason)) return;
  const activity = activityOf(job);
  if (waitingTasks(job) === 0 && liveTasks(job) === 0) activity.reason = reason;
  settleJob(farm, job);
}

/** The caller settles the job. @returns false when the task has ended */
function cancelOne(farm: FarmState, job: Job, index: number, reason: string): boolean {
  const activity = activityOf(job);
  const task = taskOf(job, index);
  if (task !== undefined) {
    cancelMoved(farm, job, task, reason);
    return true;
  }
  if (isFresh(job, index)) {
    const from = job.state === 'SUBMITTED' ? 'SUBMITTED' : 'QUEUED';
    checkTransition(from, 'CANCELLED');
    if (activity.gate !== null && activity.gate.blocked[index] === 0) activity.gate.readyCount--;
    activity.skip(index);
    addToCount(job, 'CANCELLED', 1);
    farm.taskCounts[from]--;
    farm.taskCounts.CANCELLED++;
    farm.effects.push({ type: 'save-task', row: rowOfUntouched(job.id, index, farm.now.wallMs, reason) });
    return true;
  }
  return false;
}
