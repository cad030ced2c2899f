import type { Client } from '../../electron/api/client.ts';
import type { ViewEvent } from '../../shared/view.ts';

/** Waits on the event stream, through lost connections, until `find` finds something. Rejects when `signal` aborts first. */
export async function watchUntil<T>(client: Client, find: (event: ViewEvent) => T | undefined, signal: AbortSignal): Promise<T> {
  const stop = new AbortController();
  try {
    for await (const event of client.watch(AbortSignal.any([stop.signal, signal]))) {
      const found = find(event);
      if (found !== undefined) return found;
    }
    throw new Error('the event stream ended');
  } finally {
    stop.abort();
  }
}
