import { Readable } from 'node:stream';
import { ROUTES } from '../../shared/api.ts';
import { LanyardError } from '../../shared/errors.ts';
import { type AttemptId, parseAttemptId } from '../../shared/ids.ts';
import type { LogRecord } from '../../shared/protocol.ts';
import { type ViewEvent, viewEventSchema } from '../../shared/view.ts';
import { createLogDecoder, LOG_HEADER_BYTES } from '../files/log-records.ts';
import { asUnavailable, fillPath, type Http, pauseFor } from './client-http.ts';

/** A line of the event stream; a farm of many nodes fits with room to spare. */
const EVENT_LENGTH = 256 * 1024 * 1024;
const RECONNECT_MS = { least: 250, most: 10_000 } as const;

/** See `Client.download`. */
export async function downloadBytes(http: Http, path: string, signal: AbortSignal | undefined): Promise<Readable> {
  const response = await http.expectOk({ method: 'GET', path, signal });
  return Readable.from(bodyOf(http, response, signal), { objectMode: false });
}

/** See `Client.followLog`. */
export async function* followLog(
  http: Http,
  attempt: AttemptId,
  options: { readonly offset?: number; readonly follow?: boolean; readonly signal?: AbortSignal },
): AsyncGenerator<LogRecord, void, undefined> {
  const key = parseAttemptId(attempt);
  if (key === undefined)
    throw new LanyardError({ code: 'INVALID', message: `"${attempt}" is not an attempt's id; expected one like 12.0.1` });
  const path = fillPath(ROUTES.attemptLog.path, { ...key });
  const { follow = false, signal } = options;
  let offset = options.offset ?? 0;
  for (let failures = 0; ; ) {
    try {
      const response = await http.expectOk({ method: 'GET', path, query: { offset, follow, format: 'framed' }, signal });
      failures = 0;
      const decoder = createLogDecoder();
      for await (const chunk of bodyOf(http, response, signal)) {
        const { records, error } = decoder.push(chunk);
        for (const record of records) {
          offset += LOG_HEADER_BYTES + record.bytes.byteLength;
          yield record;
        }
        if (error !== null) throw new LanyardError({ code: 'INTERNAL', message: error });
      }
      return;
    } catch (error) {
      failures += 1;
      if (!isLost(error) || failures > 5) throw error;
      await backOff(failures, signal);
    }
  }
}

/** See `Client.watch`. */
export async function* watchFarm(http: Http, signal: AbortSignal | undefined): AsyncGenerator<ViewEvent, void, undefined> {
  let connected = false;
  for (let failures = 0; ; ) {
    try {
      const response = await http.expectOk({
        method: 'GET',
        path: ROUTES.events.path,
        headers: { accept: 'text/event-stream' },
        signal,
      });
      connected = true;
      for await (const data of eventData(bodyOf(http, response, signal))) {
        failures = 0;
        yield http.parse(viewEventSchema, JSON.parse(data), 'the event stream');
      }
    } catch (error) {
      if (!connected || !isLost(error)) throw error;
    }
    failures += 1;
    await backOff(failures, signal);
  }
}

/**
 * The data of server-sent events, one string an event; comments and other fields are passed over.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export async function* eventData(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  let data: string[] = [];
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true });
    rest += text;
    if (rest.length > EVENT_LENGTH) throw new LanyardError({ code: 'TOO_LARGE', message: 'an event of the stream is too large' });
    // A long line comes in many chunks: it is looked through once, when its end is there.
    if (!text.includes('\n')) continue;
    const lines = rest.split(/\r?\n/);
    rest = lines.pop() as string;
    for (const line of lines) {
      if (line === '' && data.length > 0) {
        yield data.join('\n');
        data = [];
      } else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
    }
  }
}

async function* bodyOf(http: Http, response: Response, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined> {
  if (response.body === null) return;
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const stop = () => void reader.cancel(signal?.reason).catch(() => undefined);
  // `fetch` forgets the signal of an answer that goes on once the collector has taken its request.
  signal?.addEventListener('abort', stop, { once: true });
  try {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) yield value as Uint8Array;
    signal?.throwIfAborted();
  } catch (error) {
    throw asUnavailable(error, http.url, signal);
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
  }
}

function isLost(error: unknown): boolean {
  return error instanceof LanyardError && error.code === 'UNAVAILABLE';
}

/** Doubles with every failure in a row; jittered, so that a restarted coordinator is not met by all viewers at once. */
async function backOff(failures: number, signal: AbortSignal | undefined): Promise<void> {
  const ms = Math.min(RECONNECT_MS.most, RECONNECT_MS.least * 2 ** (failures - 1));
  await pauseFor(ms * (0.5 + Math.random() / 2), signal);
}
