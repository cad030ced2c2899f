import type { AttemptId } from '../../shared/ids.ts';
import type { LinkClient } from '../ports/link.ts';
import type { LogSpool } from '../ports/workspace.ts';

/**
 * Brings the log of one attempt from its spool to the coordinator: as it grows, at the pace of the line, and after a lost
 * connection from where the coordinator's copy ends.
 */
export interface LogPump {
  /** Begins (again) at `offset`, on a connection that stands. */
  resume(offset: number): void;
  /** The connection is gone; it rests until `resume`. */
  rest(): void;
  /** Resolves when the log has ended and all of it was handed to the connection. Rejects when that connection breaks first. */
  drained(): Promise<void>;
}

export function createLogPump(attempt: AttemptId, spool: LogSpool, link: LinkClient): LogPump {
  let current: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;

  const pump = async (offset: number, signal: AbortSignal) => {
    let at = offset;
    for await (const bytes of spool.read(offset, signal)) {
      await link.sendLog(attempt, at, bytes);
      at += bytes.length;
    }
    signal.throwIfAborted();
  };

  const rest = () => {
    current?.stop.abort();
    current = undefined;
  };

  return {
    resume(offset) {
      rest();
      const stop = new AbortController();
      const done = pump(offset, stop.signal);
      // Whoever waits for it hears of a failure; when nobody does, the next `resume` mends it.
      done.catch(() => undefined);
      current = { stop, done };
    },
    rest,
    drained: () => current?.done ?? Promise.reject(new Error('not connected')),
  };
}
