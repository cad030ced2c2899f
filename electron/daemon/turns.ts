import { LanyardError } from '../../shared/errors.ts';
import type { CoordinatorEffect } from '../core/effects.ts';
import type { CoordinatorEvent, Now } from '../core/events.ts';
import type { FarmState } from '../core/state.ts';
import { hasToPlace, nextDeadline, step } from '../core/step.ts';
import type { Store } from '../ports/store.ts';
import type { Clock, Dispose } from '../ports/system.ts';
import { type BatchBuilder, createBatchBuilder } from './batch.ts';

/**
 * The heart of the daemon: event -> step -> commit -> perform. All events of one turn of the event loop share one
 * transaction, so the cost of a sync of the disk is shared too; and nothing is sent or acknowledged before it is on disk.
 * Events are taken while a turn is on its way to the disk, and are the next turn together.
 *
 * When a commit or a sync fails, memory is ahead of the disk. There is no way back but the one that every start takes: the owner
 * is told (`onFailure`), throws this farm away and recovers from the store.
 */
export interface Turns {
  readonly farm: FarmState;
  /** Takes the event at once, and `add` with it what the core knows nothing of. @returns what follows from it, not yet on disk */
  post(event: CoordinatorEvent, add?: (batch: BatchBuilder) => void): readonly CoordinatorEffect[];
  /** Writes what the core knows nothing of, with this turn. */
  add(write: (batch: BatchBuilder) => void): void;
  /** False while something that was posted is not on disk yet, or not all that follows from it is done. */
  readonly isSettled: boolean;
  /** Resolves when all that was posted so far is on disk; rejects when it cannot be written. What follows from it may not be done yet. */
  stored(): Promise<void>;
  /** As `stored`, and what follows from it is done. */
  settled(): Promise<void>;
  /** Commits what is pending, waits for the disk on the spot, and takes no more events. */
  stop(): void;
}

export interface TurnsOptions {
  readonly farm: FarmState;
  readonly store: Pick<Store, 'commit' | 'sync' | 'syncNow'>;
  readonly clock: Clock;
  /** Called when the turn is on disk, with all its effects in their order. */
  readonly perform: (effects: readonly CoordinatorEffect[]) => void;
  readonly onFailure: (error: Error) => void;
}

/**
 * A turn of so few rows waits for the disk on the spot: that is sooner there than what comes back from a thread, and keeps
 * hardly anybody waiting but those who wait for the disk themselves.
 */
const FEW_ROWS = 16;

/** What is done about a turn once it is on disk. */
interface Turn {
  readonly effects: CoordinatorEffect[];
  readonly stored: PromiseWithResolvers<void>[];
  readonly settled: PromiseWithResolvers<void>[];
}

const emptyTurn = (): Turn => ({ effects: [], stored: [], settled: [] });

export function startTurns(options: TurnsOptions): Turns {
  const { farm, store, clock } = options;
  const batch = createBatchBuilder();
  let pending = emptyTurn();
  /** Something was posted that no turn has committed yet. */
  let isDue = false;
  let scheduled: NodeJS.Immediate | undefined;
  /** Committed, and not on disk yet. */
  let onItsWay: Turn | undefined;
  /** On disk, and about to be performed. */
  let landed: Turn | undefined;
  let armed: { readonly at: number; readonly dispose: Dispose } | undefined;
  let failure: Error | undefined;

  const now = (): Now => ({ wallMs: clock.wallMs(), elapsedMs: clock.elapsedMs() });

  const take = (event: CoordinatorEvent): readonly CoordinatorEffect[] => {
    const effects = step(farm, event, now());
    for (const effect of effects) {
      batch.take(effect);
      pending.effects.push(effect);
    }
    return effects;
  };

  const reject = (error: Error) => {
    failure = error;
    armed?.dispose();
    for (const turn of [onItsWay, landed, pending])
      for (const waiter of [...(turn?.stored ?? []), ...(turn?.settled ?? [])]) waiter.reject(error);
    onItsWay = undefined;
    landed = undefined;
    pending = emptyTurn();
  };

  const fail = (cause: unknown) => {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    reject(error);
    options.onFailure(error);
  };

  /** Runs a part of the turn; an error in it, ours or the disk's, ends this life of the farm. */
  const guarded = <T>(part: () => T): T | undefined => {
    if (failure !== undefined) return undefined;
    try {
      return part();
    } catch (cause) {
      fail(cause);
      return undefined;
    }
  };

  const flush = () => {
    scheduled = undefined;
    isDue = false;
    const rows = guarded(() => {
      take({ type: 'turn-ended' });
      // What one turn may not place, the next does, as soon as this one is on disk.
      isDue = hasToPlace(farm);
      const writes = batch.finish();
      return writes === undefined ? 0 : store.commit(writes);
    });
    if (rows === undefined) return;
    onItsWay = pending;
    pending = emptyTurn();
    if (rows > FEW_ROWS) bring(onItsWay);
    else if (rows > 0) bringNow();
    else {
      land();
      perform();
    }
  };

  /** Waits for the disk on the spot. */
  const bringNow = () => {
    guarded(() => store.syncNow());
    land();
    perform();
  };

  const land = () => {
    landed = onItsWay;
    onItsWay = undefined;
    for (const waiter of landed?.stored ?? []) waiter.resolve();
  };

  /** Waits for the disk in a thread. Whoever only waited for that goes on before what follows is done: more of them comes meanwhile. */
  const bring = (turn: Turn) => {
    store.sync().then(
      () => {
        if (onItsWay !== turn) return;
        land();
        setImmediate(perform);
      },
      (cause: unknown) => {
        if (onItsWay === turn) fail(cause);
      },
    );
  };

  const perform = () => {
    if (landed === undefined) return;
    const { effects, settled } = landed;
    landed = undefined;
    if (effects.length > 0) options.perform(effects);
    for (const waiter of settled) waiter.resolve();
    arm();
    if (isDue) schedule();
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
    isDue = true;
    if (onItsWay === undefined && landed === undefined) scheduled ??= setImmediate(flush);
  };

  /** What is under way gets there on the spot. */
  const finish = () => {
    if (onItsWay !== undefined) bringNow();
    perform();
  };

  const wait = (until: 'stored' | 'settled'): Promise<void> => {
    if (failure !== undefined) return Promise.reject(failure);
    const waiter = Promise.withResolvers<void>();
    pending[until].push(waiter);
    schedule();
    return waiter.promise;
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
      return !isDue && onItsWay === undefined && landed === undefined;
    },
    stored: () => wait('stored'),
    settled: () => wait('settled'),
    stop() {
      finish();
      if (scheduled !== undefined) clearImmediate(scheduled);
      if (failure === undefined) flush();
      finish();
      reject(
        new LanyardError({ code: 'UNAVAILABLE', message: 'The coordinator takes no changes at the moment.', hint: 'Try again soon.' }),
      );
    },
  };
}
