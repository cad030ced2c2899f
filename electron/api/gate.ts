import { LanyardError } from '../../shared/errors.ts';

/** How long `close` waits for changes that have begun (ms). */
const WAIT_MS = 10_000;

/** Lets changes through, or holds them off while the farm stands still: what would change files after they were copied must not happen. */
export interface Gate {
  /** @throws LanyardError UNAVAILABLE while it is closed */
  assertOpen(): void;
  /** Runs a change; `close` waits for it. @throws LanyardError UNAVAILABLE while it is closed */
  through<T>(change: () => T | Promise<T>): Promise<T>;
  /** Resolves when all changes that had begun are through, or take too long. */
  close(): Promise<void>;
  open(): void;
}

export function createGate(): Gate {
  let isClosed = false;
  let under = 0;
  let empty = Promise.withResolvers<void>();
  const assertOpen = () => {
    if (isClosed)
      throw new LanyardError({
        code: 'UNAVAILABLE',
        message: 'Coordination is being handed over, so nothing may change for a moment.',
        hint: 'Try again soon.',
      });
  };
  return {
    assertOpen,
    async through(change) {
      assertOpen();
      under += 1;
      try {
        return await change();
      } finally {
        under -= 1;
        if (under === 0) empty.resolve();
      }
    },
    async close() {
      isClosed = true;
      if (under === 0) return;
      empty = Promise.withResolvers<void>();
      const late = setTimeout(empty.resolve, WAIT_MS);
      await empty.promise;
      clearTimeout(late);
    },
    open() {
      isClosed = false;
    },
  };
}
