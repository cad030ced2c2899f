import { ROUTES } from '../../shared/api.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { LogListener, Stop, WatchListener } from '../../shared/lanyard-client.ts';
import { viewEventSchema } from '../../shared/view.ts';
import { eventData } from './event-stream.ts';
import { errorValueOf, type Http, parseAnswer, unavailable } from './http.ts';
import { createLogDecoder } from './log-decoder.ts';

const RETRY_MS = { least: 300, most: 8_000 } as const;
/** Lost connections in a row, without one byte more, after which a log is given up. */
const LOG_TRIES = 8;

/** Errors that another try does not mend. */
function isFinal(error: unknown): boolean {
  return error instanceof LanyardError && (error.code === 'UNAUTHENTICATED' || error.code === 'FORBIDDEN');
}

/** Doubles with every failure in a row; jittered, so that a restarted coordinator is not met by all screens at once. */
export function retryMs(failures: number): number {
  return Math.min(RETRY_MS.most, RETRY_MS.least * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
}

export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** See `LanyardClient.watch`. */
export function watchFarm(http: Http, listener: WatchListener): Stop {
  const stop = new AbortController();
  const run = async () => {
    for (let failures = 0; !stop.signal.aborted; ) {
      try {
        const response = await http.expectOk({
          method: 'GET',
          path: ROUTES.events.path,
          headers: { accept: 'text/event-stream' },
          signal: stop.signal,
        });
        for await (const data of eventData(response.body as ReadableStream<Uint8Array>)) {
          const event = parseAnswer(viewEventSchema, JSON.parse(data), 'the event stream');
          if (stop.signal.aborted) return;
          if (event.type === 'snapshot') listener.state({ state: 'live' });
          failures = 0;
          listener.event(event);
        }
        throw unavailable('the stream ended');
      } catch (error) {
        if (stop.signal.aborted) return;
        if (isFinal(error)) return listener.state({ state: 'refused', error: errorValueOf(error) });
        failures += 1;
        const wait = retryMs(failures);
        const value = error instanceof LanyardError ? error.toValue() : unavailable(error).toValue();
        listener.state({ state: 'lost', error: value, retryMs: wait });
        await pause(wait, stop.signal);
      }
    }
  };
  listener.state({ state: 'connecting' });
  void run();
  return () => stop.abort();
}

/** Reads an attempt's log from `path`; a lost connection is taken up where it broke. See `LanyardClient.followLog`. */
export function followLog(http: Http, path: string, listener: LogListener): Stop {
  const stop = new AbortController();
  const run = async () => {
    const signal = stop.signal;
    const decoder = createLogDecoder();
    for (let failures = 0; ; ) {
      try {
        const { offset } = decoder;
        const response = await http.expectOk({ method: 'GET', path, query: { offset, follow: true, format: 'framed' }, signal });
        for await (const chunk of response.body as ReadableStream<Uint8Array>) {
          if (signal.aborted) return;
          const records = decoder.push(chunk);
          failures = 0;
          if (records.length > 0) listener.records(records);
        }
        return listener.ended(null);
      } catch (error) {
        if (signal.aborted) return;
        const isLost = !(error instanceof LanyardError) || error.code === 'UNAVAILABLE';
        failures += 1;
        if (!isLost || failures > LOG_TRIES) return listener.ended(errorValueOf(error));
        await pause(retryMs(failures), signal);
      }
    }
  };
  void run();
  return () => stop.abort();
}
