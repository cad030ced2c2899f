import type { Work } from '../../shared/protocol.ts';
import type { Executor } from '../ports/executor.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';

/** How often the executors are asked whether they are still there, and whether one that went is there again. */
const CHECK_MS = 30_000;
const LOST_CHECK_MS = 3_000;

export interface ExecutorWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly executors: readonly Executor[];
  /** Another set of them works than before. */
  readonly changed: () => void;
}

/** Knows which of a machine's executors work. */
export class ExecutorWatch {
  private readonly options: ExecutorWatchOptions;
  private working: readonly Executor[] = [];
  private checking: Promise<void> | undefined;
  private next: Dispose = () => undefined;
  private closed = false;

  constructor(options: ExecutorWatchOptions) {
    this.options = options;
  }

  /** Those that work, as far as is known. */
  get available(): readonly Executor[] {
    return this.working;
  }

  executorFor(work: Work): Executor | undefined {
    const wanted = work.image === null ? 'host' : 'docker';
    return this.working.find(({ kind }) => kind === wanted || kind === 'null');
  }

  /** Asks each executor whether it works, tells of a change, and looks again later. */
  check(): Promise<void> {
    this.checking ??= this.ask().finally(() => {
      this.checking = undefined;
    });
    return this.checking;
  }

  close(): void {
    this.closed = true;
    this.next();
  }

  private async ask(): Promise<void> {
    const { executors, logger, clock } = this.options;
    this.next();
    const statuses = await Promise.all(executors.map(async (executor) => ({ executor, status: await executor.status() })));
    if (this.closed) return;
    const available = statuses.filter(({ status }) => status.available).map(({ executor }) => executor);
    const changed = available.length !== this.working.length || available.some((executor) => !this.working.includes(executor));
    this.working = available;
    if (changed) {
      for (const { executor, status } of statuses) logger.info(`executor ${executor.kind}: ${status.message}`);
      this.options.changed();
    }
    const againMs = available.length < executors.length ? LOST_CHECK_MS : CHECK_MS;
    this.next = clock.after(againMs, () => void this.check());
  }
}
