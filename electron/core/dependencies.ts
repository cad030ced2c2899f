import type { JobId } from '../../shared/ids.ts';
import type { JobState } from '../../shared/job.ts';
import type { Dependency } from './events.ts';
import { Gate } from './gate.ts';
import { type Activity, activityOf, type Job, NONE } from './model.ts';
import { updateQueue } from './queue.ts';
import { isFresh } from './rows.ts';
import type { FarmState } from './state.ts';

/** Jobs that wait for jobs, and tasks that wait for tasks. */

/**
 * Notes what a new job waits for as a whole.
 * @returns a sentence when it waits in vain: a dependency has ended otherwise than COMPLETED, or is not there
 */
export function noteDependencies(farm: FarmState, job: Job, after: readonly Dependency[]): string | undefined {
  for (const { job: id, until, ended } of after) {
    if (until === 'tasks' || ended === 'COMPLETED' || (until === 'ended' && ended !== null)) continue;
    if (ended !== null) return inVain(id, ended);
    if (!farm.jobs.has(id)) return `job ${id}, which it waits for, is not there`;
    const activity = activityOf(job);
    activity.waitsFor ??= new Map();
    activity.waitsFor.set(id, until);
    addDependent(farm, id, job.id);
  }
  return undefined;
}

/**
 * Holds back every task whose counterpart in another job is not COMPLETED. Comes before the job's own waiting tasks are
 * queued, which then go behind the gate by themselves (`queueAgain`).
 */
export function noteTaskDependencies(farm: FarmState, job: Job, after: readonly Dependency[]): void {
  for (const { job: id, until, ended, completed } of after) {
    if (until !== 'tasks' || ended === 'COMPLETED' || bitOf(job.activity?.gate, id) !== 0) continue;
    const activity = activityOf(job);
    const gate = activity.gate ?? closeGate(job, activity);
    const free = gate.jobs.indexOf(undefined);
    const place = free < 0 ? gate.jobs.length : free;
    gate.jobs[place] = id;
    const done = new Set(completed);
    for (let index = 0; index < job.taskCount; index++) {
      if (done.has(index)) continue;
      if (gate.blocked[index] === 0 && isFresh(job, index)) gate.readyCount--;
      gate.blocked[index] = (gate.blocked[index] as number) | (1 << place);
    }
    addDependent(farm, id, job.id);
  }
}

/** A task of another job is COMPLETED, and with it perhaps all that the task of this index waits for. */
export function openTask(farm: FarmState, job: Job, id: JobId, index: number): void {
  const gate = job.activity?.gate;
  const bit = bitOf(gate, id);
  if (gate === null || gate === undefined || ((gate.blocked[index] ?? 0) & bit) === 0) return;
  gate.blocked[index] = (gate.blocked[index] as number) & ~bit;
  if (gate.blocked[index] !== 0) return;
  if (job.activity !== null && gate.returned.delete(index)) {
    queueAgain(job.activity, index);
  } else if (isFresh(job, index)) {
    gate.ready.push(index);
    gate.readyCount++;
  } else {
    return;
  }
  updateQueue(farm, job);
}

/** @returns the tasks that wait for their counterparts in job `id` */
export function blockedBy(job: Job, id: JobId): number[] {
  const gate = job.activity?.gate;
  const bit = bitOf(gate, id);
  const found: number[] = [];
  if (gate === null || gate === undefined) return found;
  for (let index = 0; index < job.taskCount; index++)
    if (((gate.blocked[index] as number) & bit) !== 0 && (isFresh(job, index) || gate.returned.has(index))) found.push(index);
  return found;
}

/** Nothing of the job waits for tasks of job `id` any more. The gate goes with the last. */
export function leaveGate(farm: FarmState, job: Job, id: JobId): void {
  const activity = job.activity;
  const gate = activity?.gate;
  const bit = bitOf(gate, id);
  if (activity === null || gate === null || gate === undefined || bit === 0) return;
  for (let index = 0; index < job.taskCount; index++) openTask(farm, job, id, index);
  gate.jobs[gate.jobs.indexOf(id)] = undefined;
  removeDependent(farm, id, job.id);
  if (gate.jobs.some((other) => other !== undefined)) return;
  activity.gate = null;
}

/** A task with a row waits again: in the queue, behind the gate, or for the canary of its job. */
export function queueAgain(activity: Activity, index: number): void {
  const { gate, canary } = activity;
  if ((gate?.blocked[index] ?? 0) !== 0) gate?.returned.add(index);
  else if (canary !== null && !canary.tasks.includes(index)) canary.returned.add(index);
  else activity.requeue(index);
}

/** The opposite of `queueAgain`. */
export function unqueue(activity: Activity, index: number): void {
  if (activity.gate?.returned.delete(index) === true || activity.canary?.returned.delete(index) === true) return;
  activity.requeued?.splice(activity.requeued.lastIndexOf(index), 1);
}

/** @returns the next fresh task that may go; there is one (`openFreshTasks`). The caller moves the cursor. */
export function takeReady(job: Job, gate: Gate): number {
  for (;;) {
    const index = gate.ready[gate.next++];
    if (index === undefined) throw new Error(`job ${job.id} has no task that its gate let go`);
    if (gate.next * 2 > gate.ready.length) {
      gate.ready = gate.ready.slice(gate.next);
      gate.next = 0;
    }
    // Cancelled since, or blocked by a job that came to be waited for later.
    if (!isFresh(job, index) || gate.blocked[index] !== 0) continue;
    gate.readyCount--;
    return index;
  }
}

/** The job waits no more, because it has ended. */
export function forgetDependencies(farm: FarmState, job: Job): void {
  const activity = job.activity;
  if (activity === null) return;
  for (const id of activity.waitsFor?.keys() ?? []) removeDependent(farm, id, job.id);
  for (const id of activity.gate?.jobs ?? []) if (id !== undefined) removeDependent(farm, id, job.id);
  activity.waitsFor = null;
  activity.gate = null;
}

/** @returns the jobs that wait for a job or for tasks of it */
export function dependentsOf(farm: FarmState, id: JobId): readonly Job[] {
  if (!farm.dependents.has(id)) return NONE;
  const jobs: Job[] = [];
  for (const dependent of farm.dependents.get(id) ?? []) {
    const job = farm.jobs.get(dependent);
    if (job !== undefined) jobs.push(job);
  }
  return jobs;
}

/** The job waits for that other job as a whole no more. @returns what it waited for; undefined when it did not */
export function stopWaiting(farm: FarmState, job: Job, id: JobId): 'complete' | 'ended' | undefined {
  const until = job.activity?.waitsFor?.get(id);
  if (until === undefined) return undefined;
  job.activity?.waitsFor?.delete(id);
  if (bitOf(job.activity?.gate, id) === 0) removeDependent(farm, id, job.id);
  return until;
}

/** @returns why a job that waits for another waits in vain */
export function inVain(id: JobId, state: JobState): string {
  return `job ${id}, which it waits for, ended ${state}`;
}

/** A gate behind which everything that waits may still go. */
function closeGate(job: Job, activity: Activity): Gate {
  const gate = new Gate(job.taskCount);
  for (let index = job.cursor; index < job.taskCount; index++) if (isFresh(job, index)) gate.ready.push(index);
  gate.readyCount = gate.ready.length;
  activity.gate = gate;
  return gate;
}

function bitOf(gate: Gate | null | undefined, id: JobId): number {
  const place = gate?.jobs.indexOf(id) ?? -1;
  return place < 0 ? 0 : 1 << place;
}

function addDependent(farm: FarmState, id: JobId, dependent: JobId): void {
  const waiting = farm.dependents.get(id) ?? new Set();
  waiting.add(dependent);
  farm.dependents.set(id, waiting);
}

function removeDependent(farm: FarmState, id: JobId, dependent: JobId): void {
  const waiting = farm.dependents.get(id);
  waiting?.delete(dependent);
  if (waiting?.size === 0) farm.dependents.delete(id);
}
