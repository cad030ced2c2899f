import type { CoordinatorSettings } from '../../shared/settings.ts';
import type { CoordinatorEffect } from '../core/effects.ts';
import type { CoordinatorEvent } from '../core/events.ts';
import type { FarmState } from '../core/state.ts';
import { createFarm } from '../core/step.ts';
import type { Store } from '../ports/store.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';
import type { BatchBuilder } from './batch.ts';
import { awaitsInput, farmConfig, recoveredEvent } from './recovery.ts';
import { startTurns, type Turns } from './turns.ts';

/** Time between a failed commit and the next try to recover from the store (ms). */
const RECOVER_AFTER_MS = 1_000;

export interface FarmLifeOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: CoordinatorSettings;
  /** Called after the commit, with all effects of the turn in their order. */
  readonly perform: (effects: readonly CoordinatorEffect[]) => void;
  /** All that is stored is in memory: workers may come. */
  readonly opened: () => void;
  /** Nothing can be taken until `opened` is called again. */
  readonly failed: () => void;
}

/**
 * The farm in memory. It begins with what is stored, and there is no other way to begin; when a commit fails, memory is ahead of
 * the disk, so it is thrown away and begins again, as often as it takes.
 */
export class FarmLife {
  private readonly options: FarmLifeOptions;
  private turns: Turns;
  private retry: Dispose | undefined;
  /** Why the last commit failed, until one succeeds: what lasts is told once. */
  private failure: string | undefined;

  constructor(options: FarmLifeOptions) {
    this.options = options;
    this.turns = this.recover();
    options.opened();
  }

  get farm(): FarmState {
    return this.turns.farm;
  }

  /** See `Turns.post`. */
  post(event: CoordinatorEvent, add?: (batch: BatchBuilder) => void): readonly CoordinatorEffect[] {
    return this.turns.post(event, add);
  }

  /** See `Turns.add`. */
  add(write: (batch: BatchBuilder) => void): void {
    this.turns.add(write);
  }

  /** See `Turns.stored`. */
  stored(): Promise<void> {
    return this.turns.stored();
  }

  /** See `Turns.settled`. */
  settled(): Promise<void> {
    return this.turns.settled();
  }

  /** Waits until the store knows all that the core knows: ended tasks can only be read there. */
  async allSettled(): Promise<void> {
    do await this.turns.settled();
    while (!this.turns.isSettled);
  }

  /** Posts, and waits until it is on disk. */
  async change(event: CoordinatorEvent, add?: (batch: BatchBuilder) => void): Promise<void> {
    this.turns.post(event, add);
    await this.turns.settled();
  }

  /** Commits what is pending and takes nothing more, until `beginAgain`. */
  stop(): void {
    this.retry?.();
    this.turns.stop();
  }

  /** Goes on from what is stored. */
  beginAgain(): void {
    try {
      this.turns.stop();
      this.turns = this.recover();
      this.options.opened();
    } catch (cause) {
      this.onFailure(cause instanceof Error ? cause : new Error(String(cause)));
    }
  }

  private recover(): Turns {
    const { store, clock, settings, perform } = this.options;
    const turns = startTurns({
      farm: createFarm(farmConfig(settings)),
      store: {
        commit: (batch) => store.commit(batch),
        sync: async () => {
          await store.sync();
          this.onStored();
        },
        syncNow: () => {
          store.syncNow();
          this.onStored();
        },
      },
      clock,
      perform,
      onFailure: (error) => this.onFailure(error),
    });
    const loaded = store.load();
    turns.post(recoveredEvent(loaded, store));
    for (const { row, stored } of loaded.jobs)
      if (awaitsInput(row, stored))
        turns.post({
          type: 'input-failed',
          job: row.id,
          message: 'The coordinator stopped while the input was on its way. Submit the job again.',
        });
    return turns;
  }

  private onStored(): void {
    if (this.failure === undefined) return;
    this.failure = undefined;
    this.options.logger.info('changes can be stored again');
  }

  private onFailure({ message }: Error): void {
    const { logger, clock, failed } = this.options;
    if (this.failure !== message)
      logger.error('a change could not be stored; starting again from what is, every second until it can', { error: message });
    this.failure = message;
    failed();
    this.retry = clock.after(RECOVER_AFTER_MS, () => this.beginAgain());
  }
}
