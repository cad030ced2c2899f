import type { Reference } from '../../../shared/api-seed.ts';
import { LanyardError } from '../../../shared/errors.ts';
import { type AttemptId, attemptId, type JobId, type NodeId } from '../../../shared/ids.ts';
import { LIMITS } from '../../../shared/limits.ts';
import type { Farm } from '../../daemon/farm.ts';

/** An attempt and the worker that has it. */
export interface Held {
  readonly node: NodeId;
  readonly attempt: AttemptId;
}

/**
 * The attempt that a worker means. Naming one is exact; the number of a job means the one of its tasks that lives at the worker.
 * @returns undefined when nothing of it lives there (any more)
 * @throws INVALID when that could be several; NOT_FOUND for a job or task that does not exist
 */
export function heldAttempt(farm: Farm, reference: Reference, worker: NodeId | undefined): Held | undefined {
  const job = reference.job as JobId;
  if (reference.index !== undefined && reference.number !== undefined) {
    const { attempts } = farm.task(job, reference.index);
    const node = worker ?? attempts.find((one) => one.number === reference.number)?.node;
    return node === undefined ? undefined : { node: node as NodeId, attempt: attemptId(job, reference.index, reference.number) };
  }
  const [found, another] = farm
    .tasks(job, { limit: LIMITS.pageRows, offset: 0, states: ['ASSIGNED', 'RUNNING'] })
    .tasks.filter((task) => task.node !== null && (worker === undefined || task.node === worker))
    .filter((task) => reference.index === undefined || task.index === reference.index);
  if (another !== undefined)
    throw new LanyardError({
      code: 'INVALID',
      field: 'id',
      message: `several tasks of job ${job} are at work`,
      hint: 'name the attempt, as in 12.0.1',
    });
  return found === undefined ? undefined : { node: found.node as NodeId, attempt: attemptId(job, found.index, found.attempt) };
}
