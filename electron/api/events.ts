import { Readable } from 'node:stream';
import { LIMITS } from '../../shared/limits.ts';
import type { ViewEvent } from '../../shared/view.ts';
import type { Farm } from '../daemon/farm.ts';

/** A comment this often, so that both ends see a connection that is gone. */
const HEARTBEAT_MS = 15_000;

/** Viewers are sent the same deltas: each is written out once. */
const written = new WeakMap<ViewEvent, string>();

/**
 * The farm as server-sent events: a snapshot, then deltas, each `id:` its cursor and `data:` a `ViewEvent` as JSON.
 * The stream ends by itself once a viewer is `maxBytes` behind (a snapshot that it has yet to read is no lateness): it then
 * connects again to a fresh snapshot, and the farm never waits.
 */
export function eventStream(farm: Pick<Farm, 'watch'>, maxBytes: number = LIMITS.viewerBufferBytes): Readable {
  let stop: (() => void) | undefined;
  let allowedBytes = maxBytes;
  const stream = new Readable({
    highWaterMark: maxBytes,
    read() {},
    destroy(error, done) {
      stop?.();
      done(error);
    },
  });
  const send = (text: string) => {
    if (stream.destroyed) return;
    if (stream.readableLength > allowedBytes) stream.destroy();
    else stream.push(text);
  };
  const heartbeat = setInterval(() => send(': still here\n\n'), HEARTBEAT_MS);
  const dispose = farm.watch((event) => {
    const text = eventText(event);
    if (event.type === 'snapshot') allowedBytes = maxBytes + Buffer.byteLength(text);
    send(text);
  });
  stop = () => {
    clearInterval(heartbeat);
    dispose();
  };
  return stream;
}

function eventText(event: ViewEvent): string {
  const known = written.get(event);
  if (known !== undefined) return known;
  const text = `id: ${event.cursor}\ndata: ${JSON.stringify(event)}\n\n`;
  written.set(event, text);
  return text;
}
