import { LanyardError } from '../../shared/errors.ts';
import { type AttemptId, attemptId, type JobId } from '../../shared/ids.ts';
import { isTerminal } from '../../shared/job.ts';
import type { LogRecord } from '../../shared/protocol.ts';
import type { TaskView } from '../../shared/view.ts';
import type { Client } from '../api/client.ts';
import type { Target } from './targets.ts';

/** Logs that are read at the same time; the rest have their turn when one of them ends. */
const FOLLOWERS = 64;
/** Up to here all tasks of a job are looked at; of larger jobs, only those that run are followed. */
const PAGE = 1_000;

export type RecordSink = (attempt: AttemptId, record: LogRecord) => Promise<void>;

/** Hands on what has been logged so far: of one attempt, of a task's newest attempt, or of every task's in turn. */
export async function readLogs(client: Client, target: Target, sink: RecordSink, signal: AbortSignal): Promise<void> {
  if (target.index !== undefined) {
    const number =
      target.number ?? (await client.call('getTask', { params: { job: target.job, index: target.index }, signal })).task.attempt;
    if (number === 0) throw notBegun(`task ${target.job}.${target.index}`);
    return readAttempt(client, attemptOf(target.job, target.index, number), sink, false, signal);
  }
  let began = false;
  for (let offset = 0, total = 1; offset < total; offset += PAGE) {
    const page = await client.call('listTasks', { params: { job: target.job }, query: { offset, limit: PAGE }, signal });
    total = page.total;
    for (const task of page.tasks.filter((one) => one.attempt > 0)) {
      began = true;
      await readAttempt(client, attemptOf(task.job, task.index, task.attempt), sink, false, signal);
    }
  }
  if (!began) throw notBegun(`job ${target.job}`);
}

/** Hands on the log of an attempt, a task or a whole job as it grows, attempt after attempt, until the target has ended. */
export async function followLogs(client: Client, target: Target, sink: RecordSink, signal: AbortSignal): Promise<void> {
  if (target.index !== undefined && target.number !== undefined)
    return readAttempt(client, attemptOf(target.job, target.index, target.number), sink, true, signal);
  const newest = new Map<number, number>();
  const active = new Set<Promise<void>>();
  let failure: unknown;
  const begin = (task: TaskView) => {
    if (task.attempt === 0 || newest.get(task.index) === task.attempt || active.size >= FOLLOWERS) return;
    newest.set(task.index, task.attempt);
    const reading = readAttempt(client, attemptOf(task.job, task.index, task.attempt), sink, true, signal)
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => active.delete(reading));
    active.add(reading);
  };
  for await (const event of client.watch(signal)) {
    if (event.type === 'delta' && event.removedJobs.includes(target.job)) break;
    if (event.type === 'delta' && !event.jobs.some((job) => job.id === target.job)) continue;
    const { tasks, ended } = await look(client, target, signal);
    for (const task of tasks) begin(task);
    if (failure !== undefined) throw failure;
    if (!ended) continue;
    await Promise.all(active);
    // Tasks that found no place among the followers, and those that ended between two looks.
    for (const task of tasks) {
      begin(task);
      await Promise.all(active);
    }
    break;
  }
  if (failure !== undefined) throw failure;
}

/** @returns the tasks whose logs matter now, and whether no more will come */
async function look(client: Client, target: Target, signal: AbortSignal): Promise<{ tasks: TaskView[]; ended: boolean }> {
  const { job, index } = target;
  if (index !== undefined) {
    const { task } = await client.call('getTask', { params: { job, index }, signal });
    return { tasks: [task], ended: isTerminal(task.state) };
  }
  // First the job: a task that begins after it was read is seen by the next look.
  const view = await client.call('getJob', { params: { job }, signal });
  const query = view.taskCount <= PAGE ? { limit: PAGE } : { limit: PAGE, state: ['ASSIGNED', 'RUNNING'] };
  const { tasks } = await client.call('listTasks', { params: { job }, query, signal });
  return { tasks, ended: isTerminal(view.state) };
}

async function readAttempt(client: Client, attempt: AttemptId, sink: RecordSink, follow: boolean, signal: AbortSignal): Promise<void> {
  for await (const record of client.followLog(attempt, { follow, signal })) await sink(attempt, record);
}

function attemptOf(job: number, index: number, number: number): AttemptId {
  return attemptId(job as JobId, index, number);
}

function notBegun(what: string): LanyardError {
  return new LanyardError({
    code: 'NOT_FOUND',
    message: `${what} has not begun, so there is no log yet`,
    hint: 'wait for it with -f, or ask `lanyard explain` why it waits',
  });
}
