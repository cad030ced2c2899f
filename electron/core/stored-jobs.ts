import type { NodeId } from '../../shared/ids.ts';
import { isTerminal, type TaskRow } from '../../shared/job.ts';
import { cancelVain } from './cancel.ts';
import { noteTaskDependencies, queueAgain, unqueue } from './dependencies.ts';
import { noteRun } from './estimates.ts';
import type { CoordinatorEvent, StoredJob } from './events.ts';
import { begin, enterJob, sendCanary } from './jobs.ts';
import { reserveAdopted } from './leases.ts';
import { keepTask, taskOf } from './live-tasks.ts';
import { activityOf, type Job, Task } from './model.ts';
import { notePreemptible } from './preemption.ts';
import { freshTasks, isFresh, rowOfTask, waitingTasks } from './rows.ts';
import type { FarmState } from './state.ts';
import { addToCount, setJobState, settleJob } from './tasks.ts';

/** Jobs that were stored and come back: at a start, or because a person retries them. */

type EventOf<Type extends CoordinatorEvent['type']> = Extract<CoordinatorEvent, { type: Type }>;

/** All that was stored, at a start. Nodes are there already; their attempts live on until the nodes have had time to speak. */
export function recoverJobs(farm: FarmState, jobs: readonly StoredJob[]): void {
  const ordered = [...jobs].sort((job, other) => job.row.id - other.row.id);
  const restored = ordered.map((stored) => ({ stored, job: restoreJob(farm, stored) }));
  for (const { stored, job } of restored) {
    noteTaskDependencies(farm, job, stored.after);
    for (const row of stored.tasks) if (!isTerminal(row.state)) restoreTask(farm, job, row);
    if (stored.row.state === 'SUBMITTED') {
      begin(farm, job, stored.after);
    } else {
      leaveSubmitted(farm, job);
      cancelVain(farm, job, stored.after);
    }
    if (job.state === 'SUBMITTED' || !farm.jobs.has(job.id)) continue;
    settleJob(farm, job);
  }
}

/** Failed, timed-out and cancelled tasks begin anew, with all their retries. The attempt numbers go on. */
export function retryJob(farm: FarmState, { job: stored }: EventOf<'retry'>): void {
  const living = farm.jobs.get(stored.row.id);
  // Requeued tasks are taken from the end, so the lowest index goes there.
  const backwards = stored.tasks.toReversed();
  if (living !== undefined) {
    noteTaskDependencies(farm, living, stored.after);
    for (const row of backwards) if (isRevivable(living, row)) revive(farm, living, row);
    settleJob(farm, living);
    cancelVain(farm, living, stored.after);
    return;
  }
  if (stored.tasks.length === stored.row.taskCount && stored.tasks.every((row) => row.state === 'COMPLETED')) return;
  const job = restoreJob(farm, stored);
  noteTaskDependencies(farm, job, stored.after);
  for (const row of backwards) if (isTerminal(row.state) && row.state !== 'COMPLETED') revive(farm, job, row);
  job.queuedAt = null;
  begin(farm, job, stored.after);
}

/**
 * A job that was stored before, with its counts made anew from its tasks' rows. It is SUBMITTED, with nothing
 * running: `adoptAttempts` and `begin` do the rest.
 */
function restoreJob(farm: FarmState, stored: StoredJob): Job {
  const { row } = stored;
  const job = enterJob(farm, row.id, stored.owner, stored.policy, row.taskCount, row.submittedAt);
  job.priority = row.priority;
  job.position = row.position;
  job.held = row.held;
  job.input = stored.input;
  job.inputReady = stored.inputReady;
  job.queuedAt = row.queuedAt;
  job.startedAt = row.startedAt;
  if (stored.tasks.length > 0 || row.retries > 0) restoreActivity(farm, job, stored);
  farm.taskCounts.SUBMITTED += freshTasks(job);
  sendCanary(farm, job, stored.canary, stored.canary?.runs ?? []);
  return job;
}

function restoreActivity(farm: FarmState, job: Job, { row, tasks, runs }: StoredJob): void {
  const activity = activityOf(job);
  // The row is not written with every retry.
  activity.retries = Math.max(
    row.retries,
    tasks.reduce((sum, task) => sum + task.retriesUsed, 0),
  );
  for (const { node, ranForMs } of runs) noteRun(activity, node, ranForMs);
  activity.reason = isTerminal(row.state) ? null : row.reason;
  activity.skipped = new Set(tasks.map((task) => task.index));
  while (activity.skipped.delete(job.cursor)) job.cursor++;
  if (activity.skipped.size === 0) activity.skipped = null;
  for (const task of tasks)
    if (isTerminal(task.state)) {
      addToCount(job, task.state, 1);
      farm.taskCounts[task.state]++;
    }
}

function restoreTask(farm: FarmState, job: Job, row: TaskRow): void {
  const task = addTask(farm, job, row);
  task.retriesUsed = row.retriesUsed;
  task.requeues = row.requeues;
  task.preemptions = row.preemptions;
  task.avoid = row.avoid;
  const node = row.node === null ? undefined : farm.nodes.get(row.node);
  if (node === undefined) {
    if (row.node !== null) loseStored(farm, task, row, row.node);
    return;
  }
  unqueue(activityOf(job), row.index);
  farm.taskCounts.SUBMITTED--;
  const state = row.state === 'RUNNING' ? 'RUNNING' : 'ASSIGNED';
  farm.taskCounts[state]++;
  addToCount(job, state, 1);
  task.state = state;
  task.node = node;
  notePreemptible(farm, task);
  job.owner.live++;
  task.paidUntilMs = farm.now.elapsedMs;
  task.assignedAt = row.assignedAt;
  task.startedAt = row.startedAt;
  task.sinceMs = farm.now.elapsedMs;
  node.tasks.push(task);
  reserveAdopted(node, job.shared.queueClass.demand);
}

/** The attempt was on a node that is not stored any more. */
function loseStored(farm: FarmState, task: Task, row: TaskRow, node: NodeId): void {
  const { index, attempt: number, assignedAt, startedAt } = row;
  const finishedAt = farm.now.wallMs;
  const message = 'its node was forgotten';
  const usage = { ranForMs: null, cpuMs: null, peakRamMb: null };
  const end = { reason: 'coordinator-restarted' as const, message, exitCode: null, finishedAt, outputs: [], ...usage };
  task.requeues++;
  farm.effects.push(
    { type: 'save-attempt', row: { job: row.job, index, number, node, assignedAt: assignedAt ?? finishedAt, startedAt, ...end } },
    { type: 'save-task', row: { ...rowOfTask(task), reason: end.reason, message } },
  );
}

/** A job that was past SUBMITTED when it was stored does not ask again for its input and dependencies. */
function leaveSubmitted(farm: FarmState, job: Job): void {
  const waiting = waitingTasks(job);
  farm.taskCounts.SUBMITTED -= waiting;
  farm.taskCounts.QUEUED += waiting;
  job.queuedAt ??= farm.now.wallMs;
  setJobState(farm, job, 'QUEUED');
}

function isRevivable(job: Job, row: TaskRow): boolean {
  return isTerminal(row.state) && row.state !== 'COMPLETED' && !isFresh(job, row.index) && taskOf(job, row.index) === undefined;
}

/** A task that ended begins anew; `job` has counted it as ended. */
function revive(farm: FarmState, job: Job, row: TaskRow): void {
  addToCount(job, row.state, -1);
  farm.taskCounts[row.state]--;
  const task = addTask(farm, job, row);
  farm.effects.push({ type: 'save-task', row: rowOfTask(task) });
}

/** A task with a row that waits to be placed again. */
function addTask(farm: FarmState, job: Job, row: TaskRow): Task {
  const task = new Task(job, row.index);
  task.attempt = row.attempt;
  keepTask(task);
  queueAgain(activityOf(job), row.index);
  farm.taskCounts[job.state === 'SUBMITTED' ? 'SUBMITTED' : 'QUEUED']++;
  return task;
}
