import type { Logger } from '../ports/system.ts';

/** Containers on their way out, beyond which no new one is started. */
const WAITING_AT_MOST = 64;
const WORKERS = 2;
/** A removal leaves the engine to what those do first who hear that a task has ended: its end is told, and the next is started (ms). */
const REST_MS = 5;
const RETRY_FIRST_MS = 250;
const RETRY_LONGEST_MS = 60_000;

/**
 * Removes containers behind the back of the tasks, few at a time. One that cannot be removed (the engine is away, say)
 * is tried again until `close`; what is left then is a stray that the next start removes.
 */
export interface Removals {
  add(container: string): void;
  /** Resolves when fewer wait than the bound. */
  room(): Promise<void>;
  /** Resolves when everything that can be removed now is removed. */
  close(): Promise<void>;
}

/** @param remove resolves when the container is gone, also when it was gone before */
export function createRemovals(remove: (container: string) => Promise<void>, logger: Logger): Removals {
  const waiting: string[] = [];
  const retries = new Set<NodeJS.Timeout>();
  const active = new Set<Promise<void>>();
  const roomWaiters: (() => void)[] = [];
  let closed = false;

  const failed = new Map<string, number>();

  let planned: NodeJS.Timeout | undefined;

  const begin = () => {
    clearTimeout(planned);
    planned = undefined;
    for (let idle = Math.min(WORKERS - active.size, waiting.length); idle > 0; idle -= 1) {
      const worker = work().finally(() => active.delete(worker));
      active.add(worker);
    }
  };

  const add = (container: string) => {
    waiting.push(container);
    planned ??= setTimeout(begin, REST_MS);
  };

  const work = async (): Promise<void> => {
    for (let container = waiting.shift(); container !== undefined; container = waiting.shift()) {
      await removeOne(container);
      if (waiting.length < WAITING_AT_MOST) for (const resume of roomWaiters.splice(0)) resume();
    }
  };

  const removeOne = async (container: string): Promise<void> => {
    try {
      await remove(container);
      failed.delete(container);
    } catch (error) {
      retryLater(container, error);
    }
  };

  const retryLater = (container: string, error: unknown) => {
    const failures = (failed.get(container) ?? 0) + 1;
    logger.warn('A container could not be removed', { container, failures, error: String(error) });
    if (closed) return;
    failed.set(container, failures);
    const pauseMs = Math.min(RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 16), RETRY_LONGEST_MS);
    const timer = setTimeout(() => {
      retries.delete(timer);
      add(container);
    }, pauseMs);
    retries.add(timer);
  };
  return {
    add,
    async room() {
      while (waiting.length >= WAITING_AT_MOST) await new Promise<void>((resolve) => roomWaiters.push(resolve));
    },
    async close() {
      closed = true;
      for (const timer of retries) clearTimeout(timer);
      begin();
      while (active.size > 0) await Promise.all(active);
    },
  };
}
