import type { JobId, NodeId } from '../../shared/ids.ts';
import type { JobRow, TaskCounts, TaskRow, TaskState } from '../../shared/job.ts';
import { isTerminal, TASK_STATES } from '../../shared/job.ts';
import type { NodeHealth, NodeRow } from '../../shared/node.ts';
import type { Canary } from './canary.ts';
import { taskOf } from './live-tasks.ts';
import { type FarmNode, type Job, NONE, type Task } from './model.ts';
import type { FarmState } from './state.ts';

/** @returns the number of tasks that never left QUEUED (or SUBMITTED) */
export function freshTasks(job: Job): number {
  return job.taskCount - job.cursor - (job.activity?.skipped?.size ?? 0);
}

export function isFresh(job: Job, index: number): boolean {
  return index >= job.cursor && index < job.taskCount && !(job.activity?.skipped?.has(index) ?? false);
}

/** @returns the number of tasks that are SUBMITTED or QUEUED */
export function waitingTasks(job: Job): number {
  const { activity } = job;
  if (activity === null) return freshTasks(job);
  return freshTasks(job) + (activity.requeued?.length ?? 0) + (activity.gate?.returned.size ?? 0) + (activity.canary?.returned.size ?? 0);
}

/** @returns the number of fresh tasks that nothing holds back */
export function openFreshTasks(job: Job): number {
  const { activity } = job;
  if (activity === null) return freshTasks(job);
  if (activity.canary !== null) return freshOfCanary(job, activity.canary).length;
  return activity.gate?.readyCount ?? freshTasks(job);
}

/** @returns those of the first tasks that are fresh and that no other job holds back */
export function freshOfCanary(job: Job, canary: Canary): number[] {
  return canary.tasks.filter((index) => isFresh(job, index) && (job.activity?.gate?.blocked[index] ?? 0) === 0);
}

/** @returns how many of the first tasks have ended, in whatever way */
export function canaryEnded(job: Job, canary: Canary): number {
  return canary.tasks.filter((index) => !isFresh(job, index) && taskOf(job, index) === undefined).length;
}

/** @returns the number of waiting tasks that nothing holds back */
export function openTasks(job: Job): number {
  return openFreshTasks(job) + (job.activity?.requeued?.length ?? 0);
}

export function taskCounts(job: Job): TaskCounts {
  if (job.taskCount === 1) return ONE[stateOfOnly(job)];
  const waiting = isTerminal(job.state) ? 0 : waitingTasks(job);
  const activity = job.activity;
  return {
    SUBMITTED: job.state === 'SUBMITTED' ? waiting : 0,
    QUEUED: job.state === 'SUBMITTED' ? 0 : waiting,
    ASSIGNED: activity?.assigned ?? 0,
    RUNNING: activity?.running ?? 0,
    COMPLETED: activity?.completed ?? 0,
    FAILED: activity?.failed ?? 0,
    TIMED_OUT: activity?.timedOut ?? 0,
    CANCELLED: activity?.cancelled ?? 0,
  };
}

/** The counts of a job of one task, which all such jobs share. */
const ONE = Object.fromEntries(
  TASK_STATES.map((one) => [one, Object.fromEntries(TASK_STATES.map((state) => [state, state === one ? 1 : 0]))]),
) as Record<TaskState, TaskCounts>;

function stateOfOnly({ state, task }: Job): TaskState {
  // One that has never been placed is what its job is; one that waits again may wait for what its job waits for.
  if (task === null) return state;
  return task.state === 'QUEUED' && state === 'SUBMITTED' ? 'SUBMITTED' : task.state;
}

/** @param restState the state of the tasks that have no row; only at the job's end is it another than the job's own waiting state */
export function rowOfJob(job: Job, finishedAt: number | null, restState?: 'CANCELLED' | 'FAILED'): JobRow {
  const activity = job.activity;
  return {
    id: job.id,
    state: job.state,
    priority: job.priority,
    position: job.position,
    held: job.held,
    taskCount: job.taskCount,
    restState: restState ?? (job.state === 'SUBMITTED' ? 'SUBMITTED' : 'QUEUED'),
    counts: taskCounts(job),
    retries: activity?.retries ?? 0,
    submittedAt: job.submittedAt,
    queuedAt: job.queuedAt,
    startedAt: job.startedAt,
    finishedAt,
    reason: activity?.reason ?? null,
  };
}

type Ending = Pick<TaskRow, 'finishedAt' | 'exitCode' | 'reason' | 'message'>;

const NOT_ENDED: Ending = { finishedAt: null, exitCode: null, reason: null, message: null };

/** @returns the row of a task that has not ended */
export function rowOfTask(task: Task): TaskRow {
  return rowOfAttempt(task, task.node === null ? null : task.node.id, NOT_ENDED);
}

/** @returns the row of a task whose attempt on this node has ended, and perhaps the task with it (`finishedAt`) */
export function rowOfAttempt(task: Task, node: NodeId | null, { finishedAt, exitCode, reason, message }: Ending): TaskRow {
  return {
    job: task.job.id,
    index: task.index,
    state: task.state,
    attempt: task.attempt,
    retriesUsed: task.retriesUsed,
    requeues: task.requeues,
    preemptions: task.preemptions,
    node,
    avoid: task.avoid,
    assignedAt: task.assignedAt,
    startedAt: task.startedAt,
    finishedAt,
    exitCode,
    reason,
    message,
  };
}

/** @returns the row of a task that was cancelled before it was ever placed */
export function rowOfUntouched(job: JobId, index: number, finishedAt: number, message: string): TaskRow {
  return {
    job,
    index,
    state: 'CANCELLED',
    attempt: 0,
    retriesUsed: 0,
    requeues: 0,
    preemptions: 0,
    node: null,
    avoid: NONE,
    assignedAt: null,
    startedAt: null,
    finishedAt,
    exitCode: null,
    reason: 'cancelled',
    message,
  };
}

export function rowOfNode(farm: FarmState, node: FarmNode): NodeRow {
  return {
    description: node.description,
    adminAvailability: node.adminAvailability,
    carrier: node.carrier,
    registeredAt: node.registeredAt,
    lastSeenAt: node.lastSeenAt,
    health: healthOf(farm, node),
  };
}

function healthOf(farm: FarmState, node: FarmNode): NodeHealth | null {
  const { unhealthyUntilMs, strikes, probation, convictions, completedSince, failedJob, healthReason: reason } = node;
  if (strikes === 0 && convictions.length === 0 && failedJob === null) return null;
  const { wallMs, elapsedMs } = farm.now;
  const unhealthyUntil = unhealthyUntilMs === 0 ? null : Math.round(wallMs + unhealthyUntilMs - elapsedMs);
  return { unhealthyUntil, strikes, probation, convictions: [...convictions], completedSince, failedJob, reason };
}
