import { LanyardError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import type { JobRow, JobSpec } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import { splitTasks } from '../../shared/tasks.ts';
import type { NewJob } from '../core/events.ts';
import type { Store, StoredSpec } from '../ports/store.ts';
import { dependenciesOf, newJob } from './recovery.ts';

/** What new jobs are checked against. */
export interface Surroundings {
  readonly store: Store;
  /** See `fillIn`. */
  readonly filledIn: (given: JobSpec) => FilledIn;
  /** @returns null for a job that lives; undefined for one that is not there */
  readonly ended: (job: JobId) => JobRow['state'] | null | undefined;
  /** @returns undefined for a job that is not there */
  readonly spec: (job: JobId) => JobSpec | undefined;
}

/** A job that may be taken: what is stored of it, and the event that brings it into the farm. */
export interface Acceptable {
  readonly stored: StoredSpec;
  readonly job: NewJob;
}

/**
 * Fills in what a submission leaves to the farm and checks what only the farm can check.
 * @throws LanyardError INVALID
 */
export function acceptable(
  given: JobSpec,
  as: { readonly id: JobId; readonly owner: string; readonly inputBytes: number | null; readonly inputReady: boolean },
  surroundings: Surroundings,
): Acceptable {
  const { spec, count } = surroundings.filledIn(given);
  for (const job of spec.afterTasks) checkSplit(spec, count, job, surroundings);
  const ended = (job: JobId) => {
    const state = surroundings.ended(job);
    if (state === undefined) throw wrong('after', `after: there is no job ${job}.`);
    return state;
  };
  const dependencies = dependenciesOf(spec, ended, surroundings.store);
  const stored: StoredSpec = { spec, owner: as.owner, inputBytes: as.inputBytes };
  return { stored, job: newJob(as.id, as.owner, spec, count, as.inputReady, dependencies) };
}

/** A specification that leaves nothing to the farm, and the number of its tasks. */
export interface FilledIn {
  readonly spec: JobSpec;
  readonly count: number;
}

/** @throws LanyardError INVALID */
export function fillIn(given: JobSpec, defaultImage: string | null): FilledIn {
  const split = splitTasks(given.tasks);
  if (typeof split === 'string') throw wrong('tasks', `tasks: ${split}`);
  const image = given.image === undefined ? defaultImage : given.image;
  return { spec: { ...given, ...normalWaits(given), image }, count: split.count };
}

/** Each job is waited for in one way, the strictest; inputs come from jobs that are waited for. */
function normalWaits({ after, afterAny, afterTasks, inputsFrom }: JobSpec): Pick<JobSpec, 'after' | 'afterAny' | 'afterTasks'> {
  const whole = new Set([...after, ...inputsFrom.filter((job) => !afterAny.includes(job) && !afterTasks.includes(job))]);
  const byTask = new Set(afterTasks.filter((job) => !whole.has(job)));
  const any = new Set(afterAny.filter((job) => !whole.has(job) && !byTask.has(job)));
  return { after: [...whole], afterTasks: [...byTask], afterAny: [...any] };
}

function checkSplit(spec: JobSpec, count: number, job: JobId, { spec: specOf }: Surroundings): void {
  const other = specOf(job);
  if (other === undefined) throw wrong('afterTasks', `afterTasks: there is no job ${job}.`);
  if (JSON.stringify(other.tasks) !== JSON.stringify(spec.tasks))
    throw wrong('afterTasks', `afterTasks: job ${job} is split into tasks in another way.`, 'Give both the same `tasks`, or use `after`.');
  if (count > LIMITS.gatedTasks)
    throw wrong('afterTasks', `afterTasks: the job has ${count} tasks; at most ${LIMITS.gatedTasks} can wait one by one.`, 'Use `after`.');
}

function wrong(field: string, message: string, hint?: string): LanyardError {
  return new LanyardError({ code: 'INVALID', field, message, ...(hint === undefined ? {} : { hint }) });
}
