import type { EndReason, TaskState } from '../../shared/job.ts';
import { END_REASONS } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';

/** What becomes of a task when its attempt has ended. */
export interface Outcome {
  readonly state: Extract<TaskState, 'COMPLETED' | 'QUEUED' | 'FAILED' | 'TIMED_OUT'>;
  readonly retriesUsed: number;
  readonly requeues: number;
}

/**
 * Decides by the reason alone (`END_REASONS` says which use up a retry). Requeues that cost none are bounded by
 * `LIMITS.freeRequeues`. An input that is refused is refused everywhere, so it ends the task at once.
 */
export function outcomeOf(reason: EndReason, retriesUsed: number, requeues: number, maxRetries: number): Outcome {
  if (reason === 'completed') return { state: 'COMPLETED', retriesUsed, requeues };
  if (reason === 'input-refused') return { state: 'FAILED', retriesUsed, requeues };
  // How often a task makes room is bounded by itself (`LIMITS.preemptions`).
  if (reason === 'preempted') return { state: 'QUEUED', retriesUsed, requeues };
  if (!END_REASONS[reason].usesRetry) {
    if (requeues < LIMITS.freeRequeues) return { state: 'QUEUED', retriesUsed, requeues: requeues + 1 };
    return { state: 'FAILED', retriesUsed, requeues };
  }
  if (retriesUsed < maxRetries) return { state: 'QUEUED', retriesUsed: retriesUsed + 1, requeues };
  return { state: reason === 'timeout' ? 'TIMED_OUT' : 'FAILED', retriesUsed, requeues };
}
