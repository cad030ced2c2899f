import type { JobId, NodeId } from '../../shared/ids.ts';
import type { JobState, TaskRow } from '../../shared/job.ts';
import { isTerminal } from '../../shared/job.ts';
import { sharePolicy } from './classes.ts';
import {
  blockedBy,
  dependentsOf,
  inVain,
  leaveGate,
  noteDependencies,
  noteTaskDependencies,
  openTask,
  queueAgain,
  stopWaiting,
  unqueue,
} from './dependencies.ts';
import type { CoordinatorEvent, Dependency, JobPolicy, Move, StoredJob } from './events.ts';
import { ownerOf } from './fairness.ts';
import { reserveAdopted } from './leases.ts';
import { meetNodes } from './placement.ts';
import { forgetPreemptible, notePreemptible } from './preemption.ts';
import { moveInQueue, standsBefore, updateQueue } from './queue.ts';
import { freshTasks, isFresh, rowOfJob, rowOfTask, rowOfUntouched, waitingTasks } from './rows.ts';
import { activityOf, type FarmState, Job, jobChanged, Task } from './state.ts';
import { addToCount, checkTransition, endAttempt, endBecause, endJob, setJobState, settleJob } from './tasks.ts';

/** What people do to jobs, and how jobs enter and come back. */

type EventOf<Type extends CoordinatorEvent['type']> = Extract<CoordinatorEvent, { type: Type }>;

/** @throws Error when the job is already there */
export function submitJob(farm: FarmState, { job: fresh }: EventOf<'job-submitted'>): void {
  const job = enterJob(farm, fresh.id, fresh.owner, fresh.policy, fresh.taskCount, farm.now.wallMs);
  job.priority = fresh.priority;
  job.input = fresh.input;
  job.inputReady = fresh.inputReady;
  farm.taskCounts.SUBMITTED += fresh.taskCount;
  begin(farm, job, fresh.after);
}

export function inputReady(farm: FarmState, event: EventOf<'input-ready'>): void {
  const job = farm.jobs.get(event.job);
  if (job === undefined || job.inputReady) return;
  job.input = event.input;
  job.inputReady = true;
  releaseWhenReady(farm, job);
}

export function inputFailed(farm: FarmState, event: EventOf<'input-failed'>): void {
  const job = farm.jobs.get(event.job);
  if (job === undefined || job.state !== 'SUBMITTED') return;
  endWaiting(farm, job, 'FAILED', event.message);
}

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

/** A SUBMITTED job whose input is there and whose dependencies are complete goes into the queue. */
export function releaseWhenReady(farm: FarmState, job: Job): void {
  if (job.state !== 'SUBMITTED' || !job.inputReady || (job.activity?.waitsFor?.size ?? 0) > 0) return;
  checkTransition('SUBMITTED', 'QUEUED');
  const waiting = waitingTasks(job);
  farm.taskCounts.SUBMITTED -= waiting;
  farm.taskCounts.QUEUED += waiting;
  job.queuedAt = farm.now.wallMs;
  setJobState(farm, job, 'QUEUED');
  farm.effects.push({ type: 'save-job', row: rowOfJob(job, null) });
  settleJob(farm, job);
}

/** Stops the jobs that fail everywhere. Tells the dependents of the tasks and jobs that ended in this step; those that end by it are told of in turn. */
export function settleDependents(farm: FarmState): void {
  for (const { job: id, reason } of farm.hopeless.splice(0)) {
    const job = farm.jobs.get(id);
    if (job !== undefined) endWaiting(farm, job, 'FAILED', reason, 'CANCELLED');
  }
  for (const { job, index } of farm.completed.splice(0))
    for (const dependent of dependentsOf(farm, job)) openTask(farm, dependent, job, index);
  for (let ended = farm.ended.pop(); ended !== undefined; ended = farm.ended.pop())
    for (const job of dependentsOf(farm, ended.id)) {
      const until = stopWaiting(farm, job, ended.id);
      if (until === 'complete' && ended.state !== 'COMPLETED') cancelJob(farm, job, inVain(ended.id, ended.state));
      else {
        if (ended.state === 'COMPLETED') leaveGate(farm, job, ended.id);
        else cancelBlocked(farm, job, ended.id, ended.state);
        releaseWhenReady(farm, job);
      }
    }
}

/** The tasks of a job whose counterparts in another did not complete will never go: they end with it. */
function cancelBlocked(farm: FarmState, job: Job, id: JobId, state: JobState): void {
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

export function holdJob(farm: FarmState, event: EventOf<'hold'>): void {
  const job = farm.jobs.get(event.job);
  if (job === undefined || job.held === event.held) return;
  job.held = event.held;
  noteChangedByPerson(farm, job);
}

export function setPriority(farm: FarmState, event: EventOf<'set-priority'>): void {
  const job = farm.jobs.get(event.job);
  if (job === undefined || job.priority === event.priority) return;
  const live = [...(job.activity?.tasks.values() ?? [])].filter(({ node }) => node !== null);
  for (const task of live) forgetPreemptible(farm, task, job.priority);
  job.priority = event.priority;
  for (const task of live) notePreemptible(farm, task);
  noteChangedByPerson(farm, job);
}

/** Moves a job among those of its owner and priority. Costs a look at all jobs: people do it now and then. */
export function moveJob(farm: FarmState, event: EventOf<'move'>): void {
  const job = farm.jobs.get(event.job);
  if (job === undefined) return;
  const position = positionFor(farm, job, event.to);
  if (position === undefined) return;
  moveInQueue(farm, job, position);
  farm.effects.push({ type: 'save-job', row: rowOfJob(job, null) });
  jobChanged(farm, job);
}

/** @returns undefined when the job stands there already, or the other job is none of its owner and priority */
function positionFor(farm: FarmState, job: Job, to: Move): number | undefined {
  const others = [...farm.jobs.values()].filter((other) => other !== job && other.owner === job.owner && other.priority === job.priority);
  others.sort((one, other) => (standsBefore(one, other) ? -1 : 1));
  const at = typeof to === 'object' ? others.findIndex(({ id }) => id === to.before) : to === 'first' ? 0 : others.length;
  const before = others[at - 1];
  const after = others[at];
  if (at < 0 || others.length === 0) return undefined;
  if (before === undefined) return (after?.position ?? 0) - 1;
  // Behind the last, and before whatever is submitted next.
  if (after === undefined) return (before.position + Math.max(before.position, farm.lastJob) + 1) / 2;
  const between = (before.position + after.position) / 2;
  if (before.position < between && between < after.position) return between;
  // No number is left between the two: those in front make room.
  for (const other of others.slice(0, at)) {
    moveInQueue(farm, other, other.position - 1);
    farm.effects.push({ type: 'save-job', row: rowOfJob(other, null) });
  }
  return (before.position + after.position) / 2;
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
  if (stored.tasks.length > 0 || row.retries > 0 || row.startedAt !== null) restoreActivity(farm, job, stored);
  farm.taskCounts.SUBMITTED += freshTasks(job);
  return job;
}

function restoreActivity(farm: FarmState, job: Job, { row, tasks }: StoredJob): void {
  const activity = activityOf(job);
  // The row is not written with every retry.
  activity.retries = Math.max(
    row.retries,
    tasks.reduce((sum, task) => sum + task.retriesUsed, 0),
  );
  activity.startedAt = row.startedAt;
  activity.reason = isTerminal(row.state) ? null : row.reason;
  activity.skipped = new Set(tasks.map((task) => task.index));
  while (activity.skipped.delete(job.cursor)) job.cursor++;
  if (activity.skipped.size === 0) activity.skipped = null;
  for (const task of tasks)
    if (isTerminal(task.state)) {
      addToCount(activity, task.state, 1);
      farm.taskCounts[task.state]++;
    }
}

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

/** Ends the tasks whose counterparts are of a job that has ended, or is not there. */
function cancelVain(farm: FarmState, job: Job, after: readonly Dependency[]): void {
  for (const { job: id, until, ended } of after) {
    if (until !== 'tasks' || ended === 'COMPLETED' || (ended === null && farm.jobs.has(id))) continue;
    cancelBlocked(farm, job, id, ended ?? 'CANCELLED');
    if (!farm.jobs.has(job.id)) return;
  }
}

function restoreTask(farm: FarmState, job: Job, row: TaskRow): void {
  const task = addTask(farm, job, row);
  task.retriesUsed = row.retriesUsed;
  task.requeues = row.requeues;
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
  addToCount(activityOf(job), state, 1);
  task.state = state;
  task.node = node;
  notePreemptible(farm, task);
  job.owner.live++;
  task.paidUntilMs = farm.now.elapsedMs;
  task.assignedAt = row.assignedAt;
  task.startedAt = row.startedAt;
  task.sinceMs = farm.now.elapsedMs;
  node.tasks.add(task);
  reserveAdopted(node, job.shared.queueClass.demand);
}

/** The attempt was on a node that is not stored any more. */
function loseStored(farm: FarmState, task: Task, row: TaskRow, node: NodeId): void {
  const { index, attempt: number, assignedAt, startedAt } = row;
  const finishedAt = farm.now.wallMs;
  const message = 'its node was forgotten';
  const end = { reason: 'coordinator-restarted' as const, message, exitCode: null, finishedAt, outputs: [] };
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

function enterJob(farm: FarmState, id: JobId, owner: string, policy: JobPolicy, taskCount: number, submittedAt: number): Job {
  if (farm.jobs.has(id)) throw new Error(`job ${id} is already in the farm`);
  const { shared, isNew } = sharePolicy(farm, policy);
  if (isNew) meetNodes(farm, shared.queueClass);
  const job = new Job(id, ownerOf(farm, owner), shared, taskCount, submittedAt);
  farm.jobs.set(id, job);
  if (id > farm.lastJob) farm.lastJob = id;
  farm.jobCounts.SUBMITTED++;
  return job;
}

/** Stores a SUBMITTED job, and lets it go as far as it can. */
function begin(farm: FarmState, job: Job, after: readonly Dependency[]): void {
  const vain = noteDependencies(farm, job, after);
  if (vain !== undefined) {
    cancelJob(farm, job, vain);
    return;
  }
  noteTaskDependencies(farm, job, after);
  cancelVain(farm, job, after);
  if (!farm.jobs.has(job.id)) return;
  releaseWhenReady(farm, job);
  if (job.state !== 'SUBMITTED') return;
  farm.effects.push({ type: 'save-job', row: rowOfJob(job, null) });
  jobChanged(farm, job);
}

/** Ends whatever waits, and with it the job. `rest`: the state of the tasks that never began. */
function endWaiting(farm: FarmState, job: Job, state: 'CANCELLED' | 'FAILED', reason: string, rest: 'CANCELLED' | 'FAILED' = state): void {
  const fresh = freshTasks(job);
  const from = job.state === 'SUBMITTED' ? 'SUBMITTED' : 'QUEUED';
  if (fresh > 0) checkTransition(from, rest);
  const activity = activityOf(job);
  // Backwards, because what was requeued last is found first.
  for (const task of [...activity.tasks.values()].reverse()) cancelMoved(farm, job, task, reason);
  addToCount(activity, rest, fresh);
  farm.taskCounts[from] -= fresh;
  farm.taskCounts[rest] += fresh;
  job.cursor = job.taskCount;
  activity.skipped = null;
  activity.reason = reason;
  endJob(farm, job, state, rest);
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
  activity.tasks.delete(task.index);
  activity.cancelled++;
  farm.taskCounts[from]--;
  farm.taskCounts.CANCELLED++;
  task.state = 'CANCELLED';
  const row: TaskRow = { ...rowOfTask(task), finishedAt: farm.now.wallMs, reason: 'cancelled', message: reason };
  farm.effects.push({ type: 'save-task', row });
}

function cancelTask(farm: FarmState, job: Job, index: number, reason: string): void {
  if (!cancelOne(farm, job, index, reason)) return;
  const activity = activityOf(job);
  if (waitingTasks(job) === 0 && activity.assigned + activity.running === 0) activity.reason = reason;
  settleJob(farm, job);
}

/** The caller settles the job. @returns false when the task has ended */
function cancelOne(farm: FarmState, job: Job, index: number, reason: string): boolean {
  const activity = activityOf(job);
  const task = activity.tasks.get(index);
  if (task !== undefined) {
    cancelMoved(farm, job, task, reason);
    return true;
  }
  if (isFresh(job, index)) {
    const from = job.state === 'SUBMITTED' ? 'SUBMITTED' : 'QUEUED';
    checkTransition(from, 'CANCELLED');
    if (activity.gate !== null && activity.gate.blocked[index] === 0) activity.gate.readyCount--;
    activity.skipped ??= new Set();
    activity.skipped.add(index);
    activity.cancelled++;
    farm.taskCounts[from]--;
    farm.taskCounts.CANCELLED++;
    farm.effects.push({ type: 'save-task', row: rowOfUntouched(job.id, index, farm.now.wallMs, reason) });
    return true;
  }
  return false;
}

function noteChangedByPerson(farm: FarmState, job: Job): void {
  updateQueue(farm, job);
  farm.effects.push({ type: 'save-job', row: rowOfJob(job, null) });
  jobChanged(farm, job);
}

function isRevivable(job: Job, row: TaskRow): boolean {
  return isTerminal(row.state) && row.state !== 'COMPLETED' && !isFresh(job, row.index) && !(job.activity?.tasks.has(row.index) ?? false);
}

/** A task that ended begins anew; `job` has counted it as ended. */
function revive(farm: FarmState, job: Job, row: TaskRow): void {
  addToCount(activityOf(job), row.state, -1);
  farm.taskCounts[row.state]--;
  const task = addTask(farm, job, row);
  farm.effects.push({ type: 'save-task', row: rowOfTask(task) });
}

/** A task with a row that waits to be placed again. */
function addTask(farm: FarmState, job: Job, row: TaskRow): Task {
  const activity = activityOf(job);
  const task = new Task(job, row.index);
  task.attempt = row.attempt;
  activity.tasks.set(row.index, task);
  queueAgain(activity, row.index);
  farm.taskCounts[job.state === 'SUBMITTED' ? 'SUBMITTED' : 'QUEUED']++;
  return task;
}
