import { type AttemptId, attemptId } from '../../shared/ids.ts';
import type { EndReason, JobState, TaskState } from '../../shared/job.ts';
import { isTerminal, TRANSITIONS } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import type { AttemptEnd } from '../../shared/protocol.ts';
import { unsharePolicy } from './classes.ts';
import { scheduleCheck } from './deadlines.ts';
import { forgetDependencies } from './dependencies.ts';
import { noteRun } from './estimates.ts';
import { charge, rowOfOwner } from './fairness.ts';
import { noteCompleted, noteFailure } from './health.ts';
import { release } from './leases.ts';
import { dropTask } from './live-tasks.ts';
import { type Activity, activityOf, type FarmNode, type Job, NONE, type Task } from './model.ts';
import { forgetPreemptible } from './preemption.ts';
import { leaveQueue, updateQueue } from './queue.ts';
import { isAtCap, unblockLanes } from './ranking.ts';
import { outcomeOf } from './retries.ts';
import { rowOfAttempt, rowOfJob, waitingTasks } from './rows.ts';
import { addTo, type FarmState, jobChanged, nodeChanged } from './state.ts';

/** What happens to one task, and the state of its job that follows from it. */

/** How an attempt ended; workers and the coordinator itself say so alike. */
export type End = Pick<AttemptEnd, 'reason' | 'exitCode' | 'message' | 'outputs' | 'ranForMs' | 'cpuMs' | 'peakRamMb'>;

/** @returns an end that the coordinator itself decides on */
export function endBecause(reason: EndReason, message: string): End {
  return { reason, exitCode: null, message, outputs: [], ranForMs: 0, cpuMs: null, peakRamMb: null };
}

/** @returns the end of an attempt that was asked to make room */
export function madeRoom(task: Task, end: Omit<End, 'reason' | 'message' | 'outputs'>): End {
  const message = `made room for job ${task.makesRoomFor}, which has a higher priority`;
  const { exitCode, ranForMs, cpuMs, peakRamMb } = end;
  return { reason: 'preempted', message, exitCode, outputs: [], ranForMs, cpuMs, peakRamMb };
}

/** @throws Error when the table does not allow it: a fault of the program */
export function checkTransition(from: TaskState, to: TaskState): void {
  if (!TRANSITIONS[from].includes(to)) throw new Error(`a task cannot go from ${from} to ${to}`);
}

/** Moves a task, and the counts of its job and of the farm with it. */
export function moveTask(farm: FarmState, task: Task, to: TaskState): void {
  checkTransition(task.state, to);
  addToCount(task.job, task.state, -1);
  addToCount(task.job, to, 1);
  addTo(farm.taskCounts, task.state, -1);
  addTo(farm.taskCounts, to, 1);
  task.state = to;
}

/** Waiting tasks are not counted: they follow from the cursor. Nor is an only task, which has its state itself. */
export function addToCount(job: Job, state: TaskState, by: number): void {
  if (job.taskCount === 1) return;
  const activity = activityOf(job);
  if (state === 'ASSIGNED') activity.assigned += by;
  else if (state === 'RUNNING') activity.running += by;
  else if (state === 'COMPLETED') activity.completed += by;
  else if (state === 'FAILED') activity.failed += by;
  else if (state === 'TIMED_OUT') activity.timedOut += by;
  else if (state === 'CANCELLED') activity.cancelled += by;
}

/** Who takes the node's resources back: `release` at once, `stop` once the worker says that it has stopped. */
export type Aftermath = 'release' | 'stop';

/**
 * Ends the current attempt of a task: its row, its resources, the node's health, and where the task goes from here.
 * The caller settles the job (`settleJob`).
 * @param forced the task's state whatever the reason; without it `outcomeOf` decides
 */
export function endAttempt(farm: FarmState, task: Task, end: End, aftermath: Aftermath, forced?: 'CANCELLED'): void {
  const node = task.node;
  if (node === null) throw new Error(`task ${task.job.id}.${task.index} has no attempt to end`);
  const job = task.job;
  farm.effects.push({
    type: 'save-attempt',
    row: {
      job: job.id,
      index: task.index,
      number: task.attempt,
      node: node.id,
      reason: end.reason,
      message: end.message,
      exitCode: end.exitCode,
      assignedAt: task.assignedAt ?? farm.now.wallMs,
      startedAt: task.startedAt,
      finishedAt: farm.now.wallMs,
      outputs: end.reason === 'completed' ? end.outputs : NONE,
      ranForMs: end.ranForMs,
      cpuMs: end.cpuMs,
      peakRamMb: end.peakRamMb,
    },
  });
  leaveNode(farm, task, node, aftermath, end.reason);
  if (end.reason === 'completed') noteCompletion(farm, task, node, end.ranForMs);
  else noteTrouble(farm, task, node, end);
  if (forced !== undefined) {
    finishMove(farm, task, forced, node, end);
    return;
  }
  const outcome = outcomeOf(end.reason, task.retriesUsed, task.requeues, job.shared.policy.maxRetries);
  if (outcome.retriesUsed > task.retriesUsed) activityOf(job).retries++;
  task.retriesUsed = outcome.retriesUsed;
  task.requeues = outcome.requeues;
  finishMove(farm, task, outcome.state, node, end);
}

/**
 * Brings the job's own state, its place in the queue and what is stored of it into line with its tasks.
 * A job without anything left to do ends and leaves the farm.
 */
export function settleJob(farm: FarmState, job: Job): void {
  const state = stateOf(job);
  if (isTerminal(state)) {
    endJob(farm, job, state);
    return;
  }
  updateQueue(farm, job);
  jobChanged(farm, job);
  if (job.activity !== null && job.activity.canary !== null) farm.canaries.add(job);
  if (state !== job.state) {
    setJobState(farm, job, state);
    farm.effects.push({ type: 'save-job', row: rowOfJob(job, null) });
  }
}

/** @returns the state that follows from the job's tasks */
export function stateOf(job: Job): JobState {
  if (job.state === 'SUBMITTED' && waitingTasks(job) > 0) return 'SUBMITTED';
  if (job.taskCount === 1) return job.task?.state ?? (waitingTasks(job) > 0 ? 'QUEUED' : 'CANCELLED');
  const activity = job.activity;
  if (activity === null) return 'QUEUED';
  const live = activity.assigned + activity.running;
  const ended = activity.completed + activity.failed + activity.timedOut + activity.cancelled;
  if (live === 0 && waitingTasks(job) === 0) {
    if (activity.cancelled > 0) return 'CANCELLED';
    if (activity.failed > 0) return 'FAILED';
    return activity.timedOut > 0 ? 'TIMED_OUT' : 'COMPLETED';
  }
  if (activity.running > 0 || ended > 0) return 'RUNNING';
  return activity.assigned > 0 ? 'ASSIGNED' : 'QUEUED';
}

/** The job has nothing left to do: it is stored and forgotten, and its dependents hear of it at the end of the step. */
export function endJob(farm: FarmState, job: Job, state: JobState, restState?: 'CANCELLED' | 'FAILED'): void {
  setJobState(farm, job, state);
  const row = rowOfJob(job, farm.now.wallMs, restState);
  farm.effects.push({ type: 'save-job', row });
  jobChanged(farm, job);
  const { COMPLETED, FAILED, TIMED_OUT, CANCELLED } = row.counts;
  farm.taskCounts.COMPLETED -= COMPLETED;
  farm.taskCounts.FAILED -= FAILED;
  farm.taskCounts.TIMED_OUT -= TIMED_OUT;
  farm.taskCounts.CANCELLED -= CANCELLED;
  addTo(farm.jobCounts, state, -1);
  leaveQueue(job);
  forgetDependencies(farm, job);
  farm.jobs.delete(job.id);
  job.owner.jobs--;
  unsharePolicy(farm, job.shared);
  farm.ended.push({ id: job.id, state });
  // A job that has waited long is old to the collector, which would keep what an old object refers to although both are garbage.
  job.activity = null;
  job.task = null;
}

export function setJobState(farm: FarmState, job: Job, state: JobState): void {
  addTo(farm.jobCounts, job.state, -1);
  addTo(farm.jobCounts, state, 1);
  job.state = state;
}

function leaveNode(farm: FarmState, task: Task, node: FarmNode, aftermath: Aftermath, reason: EndReason): void {
  takeOut(node.tasks, task);
  forgetPreemptible(farm, task, task.job.priority);
  task.makesRoomFor = null;
  leaveOwner(farm, task);
  leaveZone(task, node);
  const demand = task.job.shared.queueClass.demand;
  // A worker that polls and has not fetched the attempt yet will never hear of it.
  if (aftermath === 'release' || (node.carrier === 'poll' && task.state === 'ASSIGNED')) {
    release(farm, node, demand, task.gpus);
  } else {
    const attempt: AttemptId = attemptId(task.job.id, task.index, task.attempt);
    node.stopping.set(attempt, { attempt, demand, gpus: task.gpus, sinceMs: farm.now.elapsedMs });
    farm.effects.push({ type: 'stop', node: node.id, attempt, reason });
    if (node.carrier === 'poll') scheduleCheck(farm, node, farm.now.elapsedMs + farm.config.timeoutSlackMs);
  }
  nodeChanged(farm, node);
}

function leaveOwner(farm: FarmState, task: Task): void {
  const { owner } = task.job;
  charge(farm, task);
  const wasAtCap = isAtCap(owner);
  owner.live--;
  if (wasAtCap) unblockLanes(farm, owner);
  farm.effects.push({ type: 'save-owner', row: rowOfOwner(farm, owner) });
}

function leaveZone(task: Task, node: FarmNode): void {
  const zones = task.job.activity?.zones ?? null;
  if (zones === null) return;
  const { zone } = node;
  const live = zones.get(zone) ?? 0;
  if (live > 1) zones.set(zone, live - 1);
  else zones.delete(zone);
}

function noteCompletion(farm: FarmState, task: Task, node: FarmNode, ranForMs: number): void {
  noteCompleted(farm, node, task);
  if (task.job.taskCount === 1 || ranForMs <= 0) return;
  noteRun(activityOf(task.job), node.id, ranForMs);
}

function noteTrouble(farm: FarmState, task: Task, node: FarmNode, end: End): void {
  const reason = end.reason;
  if (reason === 'image-unavailable' || reason === 'executor-unavailable') {
    const activity = activityOf(task.job);
    const untilMs = farm.now.elapsedMs + farm.config.cooldownMaxMs;
    activity.cannotServe ??= new Map();
    activity.cannotServe.set(node.id, { reason, epoch: node.epoch, untilMs });
    if (node.refusalLapsesMs.at(-1) !== untilMs) node.refusalLapsesMs.push(untilMs);
    scheduleCheck(farm, node, untilMs);
    return;
  }
  noteFailure(farm, node, task.job, reason, end.message);
  if (reason === 'input-refused' || !isFailure(reason)) return;
  task.avoid = [...task.avoid.filter((id) => id !== node.id), node.id].slice(-LIMITS.avoidedNodes);
}

function isFailure(reason: EndReason): boolean {
  return (
    reason === 'exit' ||
    reason === 'out-of-memory' ||
    reason === 'timeout' ||
    reason === 'output-missing' ||
    reason === 'infrastructure' ||
    reason === 'input-unavailable'
  );
}

function finishMove(farm: FarmState, task: Task, state: TaskState, node: FarmNode, end: End): void {
  const { job } = task;
  const { exitCode, reason, message } = end;
  moveTask(farm, task, state);
  task.node = null;
  task.gpus = NONE;
  task.frozenSinceMs = 0;
  task.phase = null;
  if (state === 'QUEUED') {
    task.assignedAt = null;
    task.startedAt = null;
    activityOf(job).requeue(task.index);
    farm.effects.push({ type: 'save-task', row: rowOfAttempt(task, null, { finishedAt: null, exitCode, reason, message }) });
    return;
  }
  dropTask(task);
  if (state === 'COMPLETED' && farm.dependents.has(job.id)) farm.completed.push({ job: job.id, index: task.index });
  noteCanary(farm, task, state, end);
  if (state === 'FAILED' || state === 'TIMED_OUT') noteReason(job, activityOf(job), end);
  farm.effects.push({ type: 'save-task', row: rowOfAttempt(task, node.id, { finishedAt: farm.now.wallMs, exitCode, reason, message }) });
}

/** What a first task has used is kept; one that fails for good stops its job, which is what it was sent ahead for. */
function noteCanary(
  farm: FarmState,
  { job, index }: Task,
  state: TaskState,
  { ranForMs, cpuMs, peakRamMb, message, exitCode, reason }: End,
): void {
  const canary = job.activity?.canary;
  if (canary === null || canary === undefined || !canary.tasks.includes(index)) return;
  // In whole milliseconds, as it is stored: what is proposed is then the same after a restart.
  const run = { index, ranForMs: Math.round(ranForMs), cpuMs: cpuMs === null ? null : Math.round(cpuMs), peakRamMb };
  if (state === 'COMPLETED') canary.runs.set(index, run);
  if (state !== 'FAILED' && state !== 'TIMED_OUT') return;
  const why = message ?? (exitCode === null ? reason : `exit code ${exitCode}`);
  farm.hopeless.push({ job: job.id, reason: `its canary, task ${job.id}.${index}, failed, so nothing else of it is run: ${why}` });
}

function noteReason(job: Job, activity: Activity, end: End): void {
  const last = end.message ?? (end.exitCode === null ? end.reason : `exit code ${end.exitCode}`);
  activity.reason =
    job.taskCount === 1 ? last : `${activity.failed + activity.timedOut} of ${job.taskCount} tasks failed; the last: ${last}`;
}

/** Takes one out of a short list and keeps the order; makes nothing, as `splice` does. */
function takeOut<Item>(items: Item[], item: Item): void {
  const from = items.indexOf(item);
  for (let at = from; at < items.length - 1; at++) items[at] = items[at + 1] as Item;
  items.pop();
}
