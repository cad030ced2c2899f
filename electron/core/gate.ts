import type { JobId } from '../../shared/ids.ts';

/**
 * Lets the tasks of a job go one by one, as their counterparts in other jobs complete. Costs a byte a task, so
 * `LIMITS.gatedTasks` bounds the jobs that may have one.
 */
export class Gate {
  /** Jobs whose tasks are waited for; their place is their bit in `blocked`. Undefined: the bit is free. */
  readonly jobs: (JobId | undefined)[] = [];
  /** By index: the bits of what its task waits for. */
  readonly blocked: Uint8Array;
  /** Fresh tasks that may go, in the order in which they were let go; some may have been cancelled since. */
  ready: number[] = [];
  /** Entries of `ready` before this one are gone. */
  next = 0;
  /** Fresh tasks that may go. */
  readyCount = 0;
  /** Tasks with rows that are queued again and blocked. */
  readonly returned = new Set<number>();

  constructor(taskCount: number) {
    this.blocked = new Uint8Array(taskCount);
  }
}
