import { LanyardError } from '../../shared/errors.ts';
import type { CoordinatorEffect } from '../core/effects.ts';
import type { CoordinatorEvent, Now } from '../core/events.ts';
import type { FarmState } from '../core/state.ts';
import { nextDeadline, step } from '../core/step.ts';
import type { Store } from '../ports/store.ts';
import type { Clock, Dispose } from '../ports/system.ts';
import { type BatchBuilder, createBatchBuilder } from './batch.ts';

/**
 * The heart of the daemon: event -> step -> commit -> perform. All events of one turn of the event loop share one
 * transaction, so the cost of an fsync is shared too; and nothing is sent or acknowledged before it is on disk.
 *
 * When a commit fails, memory is ahead of the disk. There is no way back but the one that every start takes: the owner
 * is told (`onFailure`), throws this farm away and recovers from the store.
 */
export interface Turns {
  readonly farm: FarmState;
  /** Takes the event at once, and `add` with it what the core knows nothing of. @returns what follows from it, not yet on disk */
  post(event: CoordinatorEvent, add?: (batch: BatchBuilder) => void): readonly CoordinatorEffect[];
  /** Writes what the core knows nothing of, with this turn. */
  add(write: (batch: BatchBuilder) => void): void;
  /** False while something that was posted is not on disk yet. */
  readonly isSettled: boolean;
  /** Resolves when all that was posted so far is on disk; rejects when it cannot be written. */
  settled(): Promise<void>;
  /** Commits what is pending and takes no more events. */
  stop(): void;
}

export interface TurnsOptions {
  readonly farm: FarmState;
  readonly store: Pick<Store, 'commit'>;
  readonly clock: Clock;
  /** Called after the commit, with all effects of the turn in their order. */
  readonly perform: (effects: readonly CoordinatorEffect[]) => void;
  readonly onFailure: (error: Error) => void;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

export function startTurns(options: TurnsOptions): Turns {
  const { farm, store, clock } = options;
  const batch = createBatchBuilder();
  let pending: CoordinatorEffect[] = [];
  let waiters: Waiter[] = [];
  let scheduled: NodeJS.Immediate | undefined;
  let armed: { readonly at: number; readonly dispose: Dispose } | undefined;
  let failure: Error | undefined;

  const now = (): Now => ({ wallMs: clock.wallMs(), elapsedMs: clock.elapsedMs() });

  const take = (event: CoordinatorEvent): readonly CoordinatorEffect[] => {
    const effects = step(farm, event, now());
    for (const effect of effects) {
      batch.take(effect);
      pending.push(effect);
    }
    return effects;
  };

  const reject = (error: Error) => {
    failure = error;
    armed?.dispose();
    const rejected = waiters;
    waiters = [];
    for (const waiter of rejected) waiter.reject(error);
  };

  /** Runs a part of the turn; an error in it, ours or the disk's, ends this life of the farm. */
  const guarded = <T>(part: () => T): T | undefined => {
    if (failure !== undefined) return undefined;
    try {
      return part();
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      reject(error);
      options.onFailure(error);
      return undefined;
    }
  };

  const flush = () => {
    scheduled = undefined;
    guarded(() => {
      take({ type: 'turn-ended' });
      const writes = batch.finish();
      if (writes !== undefined) store.commit(writes);
    });
    if (failure !== undefined) return;
    const effects = pending;
    const resolved = waiters;
    pending = [];
    waiters = [];
    if (effects.length > 0) options.perform(effects);
    for (const waiter of resolved) waiter.resolve();
    arm();
  };

  /** One timer, for the earliest deadline of the core. */
  const arm = () => {
    const at = nextDeadline(farm);
    if (at === undefined || armed?.at === at) return;
    armed?.dispose();
    const dispose = clock.after(Math.max(0, at - clock.elapsedMs()), () => {
      armed = undefined;
      schedule();
      guarded(() => take({ type: 'time-passed' }));
    });
    armed = { at, dispose };
  };

  const schedule = () => {
    scheduled ??= setImmediate(flush);
  };

  return {
    farm,
    post(event, add) {
      schedule();
      return (
        guarded(() => {
          const effects = take(event);
          add?.(batch);
          return effects;
        }) ?? []
      );
    },
    add(write) {
      schedule();
      write(batch);
    },
    get isSettled() {
      return scheduled === undefined;
    },
    settled: () =>
      new Promise<void>((resolve, rejectWaiter) => {
        if (failure !== undefined) return rejectWaiter(failure);
        waiters.push({ resolve, reject: rejectWaiter });
        schedule();
      }),
    stop() {
      if (scheduled !== undefined) clearImmediate(scheduled);
      if (failure === undefined) flush();
      reject(
        new LanyardError({ code: 'UNAVAILABLE', message: 'The coordinator takes no changes at the moment.', hint: 'Try again soon.' }),
      );
    },
  };
}
