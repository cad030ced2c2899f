import { type CanaryPlan, type CanaryRun, canaryTasks } from '../../shared/canary.ts';
import type { JobId } from '../../shared/ids.ts';
import { Canary } from './canary.ts';
import { cancelBlocked, cancelJob, cancelVain, endWaiting } from './cancel.ts';
import { sharePolicy } from './classes.ts';
import { dependentsOf, inVain, leaveGate, noteDependencies, noteTaskDependencies, openTask, stopWaiting } from './dependencies.ts';
import type { CoordinatorEvent, Dependency, JobPolicy } from './events.ts';
import { ownerOf } from './fairness.ts';
import { tasksOf } from './live-tasks.ts';
import { activityOf, Job } from './model.ts';
import { meetNodes } from './placement.ts';
import { forgetPreemptible, notePreemptible } from './preemption.ts';
import { updateQueue } from './queue.ts';
import { rowOfJob, waitingTasks } from './rows.ts';
import { type FarmState, jobChanged } from './state.ts';
import { checkTransition, setJobState, settleJob } from './tasks.ts';

/** How jobs enter, what lets them go into the queue, and what people change about them. */

type EventOf<Type extends CoordinatorEvent['type']> = Extract<CoordinatorEvent, { type: Type }>;

/** @throws Error when the job is already there */
export function submitJob(farm: FarmState, { job: fresh }: EventOf<'job-submitted'>): void {
  const job = enterJob(farm, fresh.id, fresh.owner, fresh.policy, fresh.taskCount, farm.now.wallMs);
  job.priority = fresh.priority;
  job.input = fresh.input;
  job.inputReady = fresh.inputReady;
  farm.taskCounts.SUBMITTED += fresh.taskCount;
  sendCanary(farm, job, fresh.canary, []);
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

/** Stops the jobs that fail everywhere. Tells the dependents of the tasks and jobs that ended in this step; those that end by it are told of in turn. */
export function settleDependents(farm: FarmState): void {
  if (farm.hopeless.length + farm.completed.length + farm.ended.length === 0) return;
  for (let stopped = farm.hopeless.shift(); stopped !== undefined; stopped = farm.hopeless.shift()) {
    const job = farm.jobs.get(stopped.job);
    if (job !== undefined) endWaiting(farm, job, 'FAILED', stopped.reason, 'CANCELLED');
  }
  for (let done = farm.completed.shift(); done !== undefined; done = farm.completed.shift())
    for (const dependent of dependentsOf(farm, done.job)) openTask(farm, dependent, done.job, done.index);
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

export function holdJob(farm: FarmState, event: EventOf<'hold'>): void {
  const job = farm.jobs.get(event.job);
  if (job === undefined || job.held === event.held) return;
  job.held = event.held;
  noteChangedByPerson(farm, job);
}

export function setPriority(farm: FarmState, event: EventOf<'set-priority'>): void {
  const job = farm.jobs.get(event.job);
  if (job === undefined || job.priority === event.priority) return;
  const live = [...tasksOf(job)].filter(({ node }) => node !== null);
  for (const task of live) forgetPreemptible(farm, task, job.priority);
  job.priority = event.priority;
  for (const task of live) notePreemptible(farm, task);
  noteChangedByPerson(farm, job);
}

export function enterJob(farm: FarmState, id: JobId, owner: string, policy: JobPolicy, taskCount: number, submittedAt: number): Job {
  const { shared, isNew } = sharePolicy(farm, policy);
  if (isNew) meetNodes(farm, shared.queueClass);
  const job = new Job(id, ownerOf(farm, owner), shared, taskCount, submittedAt);
  farm.jobs.add(job);
  job.owner.jobs++;
  if (id > farm.lastJob) farm.lastJob = id;
  farm.jobCounts.SUBMITTED++;
  return job;
}

/** Holds all but the first tasks of the job back. A job that is so small that they would be all has none. */
export function sendCanary(farm: FarmState, job: Job, plan: CanaryPlan | null, runs: readonly CanaryRun[]): void {
  if (plan === null || canaryTasks(job.taskCount).length === 0) return;
  activityOf(job).canary = new Canary(plan, job.taskCount, runs);
  // Of one that comes back they may all have ended.
  farm.canaries.add(job);
}

/** Stores a SUBMITTED job, and lets it go as far as it can. */
export function begin(farm: FarmState, job: Job, after: readonly Dependency[]): void {
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

function noteChangedByPerson(farm: FarmState, job: Job): void {
  updateQueue(farm, job);
  farm.effects.push({ type: 'save-job', row: rowOfJob(job, null) });
  jobChanged(farm, job);
}
