import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { ViewEvent } from '../../shared/view.ts';
import { eventData } from './client-streams.ts';
import { eventStream } from './events.ts';
import { startApi } from './testing/api.ts';

const none = { SUBMITTED: 0, QUEUED: 0, ASSIGNED: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, TIMED_OUT: 0, CANCELLED: 0 };
const totals: ViewEvent['totals'] = {
  jobs: none,
  tasks: none,
  nodes: { IDLE: 0, BUSY: 0, UNHEALTHY: 0, OFFLINE: 0 },
  cpu: { used: 0, total: 0 },
};
const snapshot: ViewEvent = { type: 'snapshot', cursor: 1, farm: { id: 'f', name: 'farm' }, jobs: [], nodes: [], totals };
const delta = (cursor: number, removed: string[] = []): ViewEvent => ({
  type: 'delta',
  cursor,
  jobs: [],
  removedJobs: [],
  nodes: [],
  removedNodes: removed,
  totals,
});

/** Something to watch, by hand. */
function hub() {
  const listeners = new Set<(event: ViewEvent) => void>();
  let left: () => void = () => {};
  const gone = new Promise<void>((resolve) => {
    left = resolve;
  });
  return {
    listeners,
    gone,
    publish: (event: ViewEvent) => [...listeners].forEach((listener) => void listener(event)),
    watch(listener: (event: ViewEvent) => void) {
      listeners.add(listener);
      listener(snapshot);
      return () => {
        listeners.delete(listener);
        left();
      };
    },
  };
}

describe('the event stream', () => {
  it('is a snapshot and then deltas, and stops watching when the viewer goes', async () => {
    const farm = hub();
    const api = await startApi({ farm: { watch: farm.watch } });
    try {
      const abort = new AbortController();
      const response = await fetch(`${api.url}/api/events`, { headers: { authorization: 'Bearer viewer-token' }, signal: abort.signal });
      expect(response.headers.get('content-type')).toBe('text/event-stream');
      const events = eventData(response.body as unknown as AsyncIterable<Uint8Array>);
      expect(JSON.parse((await events.next()).value as string)).toEqual(snapshot);
      farm.publish(delta(2));
      expect(JSON.parse((await events.next()).value as string)).toEqual(delta(2));
      abort.abort();
      await farm.gone;
      expect(farm.listeners.size).toBe(0);
    } finally {
      await api.close();
    }
  });

  it('cuts off a viewer who does not keep up', async () => {
    const farm = hub();
    const stream = eventStream(farm, 10_000);
    stream.resume();
    stream.pause();
    const closed = once(stream, 'close');
    for (let cursor = 2; !stream.destroyed && cursor < 100; cursor++) farm.publish(delta(cursor, ['n'.repeat(1_000)]));
    await closed;
    expect(farm.listeners.size).toBe(0);
    expect(stream.readableLength).toBeLessThan(30_000);
  });

  it('waits for a viewer who has yet to read the snapshot', () => {
    const farm = hub();
    const stream = eventStream(farm, 10);
    farm.publish(delta(2));
    expect(stream.destroyed).toBe(false);
    farm.publish(delta(3));
    expect(stream.destroyed).toBe(true);
  });

  it('cuts the connection of one whose program does not read', async () => {
    const farm = hub();
    const api = await startApi({ farm: { watch: farm.watch } });
    const socket = connect(api.port, '127.0.0.1');
    try {
      socket.pause();
      socket.write('GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer viewer-token\r\n\r\n');
      await expect.poll(() => farm.listeners.size).toBe(1);
      for (let cursor = 2; farm.listeners.size > 0 && cursor < 200; cursor++) {
        farm.publish(delta(cursor, ['n'.repeat(1024 * 1024)]));
        await new Promise(setImmediate);
      }
      expect(farm.listeners.size).toBe(0);
    } finally {
      socket.destroy();
      await api.close();
    }
  });

  it('is read whole, however it is cut', async () => {
    async function* pieces() {
      const bytes = Buffer.from(': hello\n\nid: 1\ndata: {"a":"é"}\n\ndata: one\ndata: two\r\n\r\ndata: never ended');
      for (const byte of bytes) yield Uint8Array.of(byte);
    }
    const found: string[] = [];
    for await (const data of eventData(pieces())) found.push(data);
    expect(found).toEqual(['{"a":"é"}', 'one\ntwo']);
  });
});
