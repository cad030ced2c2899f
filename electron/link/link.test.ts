import { afterEach, describe, expect, it } from 'vitest';
import type { AttemptId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { PROTOCOL_VERSION, type Report } from '../../shared/protocol.ts';
import {
  type Coordinator,
  helloOf,
  startLinkCoordinator,
  startLinkWorker,
  steadyClock,
  type Worker,
} from '../../tests/fakes/link-world.ts';
import { startTcpProxy, type TcpProxy } from '../../tests/fakes/tcp-proxy.ts';
import type { Clock } from '../ports/system.ts';
import { LOOK_MS } from './local-address.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function coordinator(options: Parameters<typeof startLinkCoordinator>[0] = {}): Promise<Coordinator> {
  const started = await startLinkCoordinator(options);
  ends.push(started.close);
  return started;
}

function worker(...parameters: Parameters<typeof startLinkWorker>): Worker {
  const started = startLinkWorker(...parameters);
  ends.push(() => started.client.close());
  return started;
}

async function proxy(port: number): Promise<TcpProxy> {
  const started = await startTcpProxy(port);
  ends.push(started.close);
  return started;
}

const attempt = (index: number) => `1.${index}.1` as AttemptId;
const started = (index: number): Report => ({ kind: 'started', attempt: attempt(index) });

describe('a link', () => {
  it('greets, is welcomed, and carries messages both ways in order', async () => {
    const farm = await coordinator();
    const node = worker(farm.port);
    expect(node.client.connected).toBe(false);
    expect((await node.welcomes.at(0)).farm).toBe('farm-1');
    expect(node.client.connected).toBe(true);
    const { connection, hello } = await farm.hellos.at(0);
    expect(hello).toEqual(helloOf('node-1'));
    expect(connection.node).toBe('node-1');

    node.client.send({ type: 'reports', reports: [started(1)] });
    node.client.send({ type: 'goodbye' });
    node.client.send({ type: 'reports', reports: [started(2)] });
    connection.send({ type: 'log-acknowledge', attempt: attempt(1), offset: 7 });
    connection.send({ type: 'acknowledge', attempts: [attempt(1)] });
    await farm.messages.at(2);
    await node.messages.at(1);
    expect(farm.messages.items.map(({ type }) => type)).toEqual(['reports', 'goodbye', 'reports']);
    expect(node.messages.items.map(({ type }) => type)).toEqual(['log-acknowledge', 'acknowledge']);
  });

  it('merges the reports and the acknowledgements of one turn', async () => {
    const farm = await coordinator();
    const node = worker(farm.port);
    await node.welcomes.at(0);
    for (let index = 0; index < 2_500; index++) node.client.send({ type: 'reports', reports: [started(index)] });
    await farm.messages.at(2);
    expect(farm.messages.items.map((message) => (message.type === 'reports' ? message.reports.length : 0))).toEqual([1_000, 1_000, 500]);
    const { connection } = await farm.hellos.at(0);
    for (let index = 0; index < 3; index++) connection.send({ type: 'acknowledge', attempts: [attempt(index)] });
    expect(await node.messages.at(0)).toEqual({ type: 'acknowledge', attempts: [attempt(0), attempt(1), attempt(2)] });
  });

  it('sends what is queued as one, at once where that is wished, and nothing twice', async () => {
    const farm = await coordinator();
    const node = worker(farm.port);
    await node.welcomes.at(0);
    const { connection } = await farm.hellos.at(0);
    const acknowledge = (...indexes: number[]) => ({ type: 'acknowledge' as const, attempts: indexes.map(attempt) });
    connection.send(acknowledge(0));
    connection.send(acknowledge(1));
    connection.flush();
    connection.send(acknowledge(2));
    connection.flush();
    connection.flush();
    connection.send(acknowledge(3));
    await node.messages.at(2);
    expect(node.messages.items).toEqual([acknowledge(0, 1), acknowledge(2), acknowledge(3)]);
  });

  it('sends what was said before close', async () => {
    const farm = await coordinator();
    const node = worker(farm.port);
    await node.welcomes.at(0);
    node.client.send({ type: 'goodbye' });
    await node.client.close();
    expect(await farm.messages.at(0)).toEqual({ type: 'goodbye' });
    expect((await farm.closed.at(0)).reason).toBe('the worker leaves');
    expect(node.closed.items).toEqual([]);
    expect(node.client.connected).toBe(false);
  });

  it('tells the worker why the coordinator closes, and the worker comes back', async () => {
    const farm = await coordinator();
    const node = worker(farm.port);
    await node.welcomes.at(0);
    const { connection } = await farm.hellos.at(0);
    connection.close('silent for too long');
    expect(farm.order.at(-1)).toBe('closed node-1');
    connection.send({ type: 'acknowledge', attempts: [attempt(1)] });
    expect(await node.closed.at(0)).toEqual({ reason: 'silent for too long', final: false });
    await node.welcomes.at(1);
    expect(node.messages.items).toEqual([]);
  });

  it('comes back when the coordinator is started again on its port', async () => {
    const first = await startLinkCoordinator();
    const node = worker(first.port);
    await node.welcomes.at(0);
    await first.close();
    expect(await node.closed.at(0)).toEqual({ reason: 'the coordinator is shutting down', final: false });
    await node.closed.at(2);
    const second = await coordinator({ port: first.port });
    await node.welcomes.at(1);
    expect(second.order).toEqual(['hello node-1']);
  });

  it('ends the older connection of a node before the newer one is greeted, and for good', async () => {
    const farm = await coordinator();
    const older = worker(farm.port, 'twin');
    await older.welcomes.at(0);
    const newer = worker(farm.port, 'twin');
    await newer.welcomes.at(0);
    expect(farm.order).toEqual(['hello twin', 'closed twin', 'hello twin']);
    expect((await farm.closed.at(0)).connection).toBe((await farm.hellos.at(0)).connection);
    const end = await older.closed.at(0);
    expect(end.final).toBe(true);
    expect(end.reason).toMatch(/replaced/);
    newer.client.send({ type: 'goodbye' });
    expect(await farm.messages.at(0)).toEqual({ type: 'goodbye' });
  });

  it('stops for good when the coordinator refuses it so', async () => {
    const farm = await coordinator({
      handlers: { hello: (connection) => connection.send({ type: 'refuse', message: 'removed', retry: false }) },
    });
    const node = worker(farm.port);
    expect(await node.closed.at(0)).toEqual({ reason: 'removed', final: true });
    expect(node.welcomes.items).toEqual([]);
  });

  it.each([
    ['nobody-token', /does not know this device/],
    ['viewer-token', /may not act as a worker/],
  ])('stops for good with %s', async (token, reason) => {
    const farm = await coordinator();
    const node = worker(farm.port, 'node-1', { endpoint: () => ({ url: `http://127.0.0.1:${farm.port}`, token }) });
    const end = await node.closed.at(0);
    expect(end.final).toBe(true);
    expect(end.reason).toMatch(reason);
    expect(farm.order).toEqual([]);
  });

  it('drops what is sent without a connection', async () => {
    const farm = await coordinator();
    const node = worker(farm.port);
    node.client.send({ type: 'goodbye' });
    await expect(node.client.sendLog(attempt(1), 0, Buffer.from('x'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await node.welcomes.at(0);
    node.client.send({ type: 'reports', reports: [started(1)] });
    expect((await farm.messages.at(0)).type).toBe('reports');
  });
});

describe('pauses between attempts to connect', () => {
  /** Pauses are over at once; what they would have been is kept. */
  function instantClock() {
    const pauses: number[] = [];
    const now = { elapsedMs: 0 };
    const clock: Clock = {
      wallMs: () => 0,
      elapsedMs: () => now.elapsedMs,
      after(ms, callback) {
        // Others are no pauses but the limits of the handshake, and looks after a connection that stands.
        if (ms >= 15_000 || ms === LOOK_MS) return () => {};
        pauses.push(ms);
        const handle = setImmediate(callback);
        return () => clearImmediate(handle);
      },
    };
    return { clock, pauses, now };
  }

  it('grow from the first to the longest, drawn from the whole range', async () => {
    const farm = await coordinator();
    const broken = await proxy(farm.port);
    broken.refuse(true);
    const { clock, pauses } = instantClock();
    const node = worker(broken.port, 'node-1', { clock, random: () => 0.5, reconnect: {} });
    await node.closed.at(8);
    expect(pauses.slice(0, 9)).toEqual([125, 250, 500, 1_000, 2_000, 4_000, 7_500, 7_500, 7_500]);
    await node.client.close();
  });

  it('stay short while the coordinator cannot write', async () => {
    const log = () => Promise.reject(new Error('the disk is full'));
    const farm = await coordinator({ handlers: { log } });
    const { clock, pauses } = instantClock();
    const node = worker(farm.port, 'node-1', { clock, random: () => 0.5, reconnect: {} });
    for (let turn = 0; turn < 6; turn++) {
      await node.welcomes.at(turn);
      node.client.sendLog(attempt(1), 0, Buffer.from('x')).catch(() => undefined);
      expect((await node.closed.at(turn)).reason).toContain('could not be written');
    }
    expect(pauses.slice(0, 6)).toEqual([125, 250, 500, 500, 500, 500]);
  });

  it('begin anew after a connection that stood for a minute, and only then', async () => {
    const farm = await coordinator();
    const between = await proxy(farm.port);
    const { clock, pauses, now } = instantClock();
    const node = worker(between.port, 'node-1', { clock, random: () => 0.5, reconnect: {} });
    for (const [turn, stoodMs] of [59_999, 59_999, 60_000, 0].entries()) {
      await node.welcomes.at(turn);
      now.elapsedMs += stoodMs;
      between.cut();
      await node.closed.at(turn);
    }
    expect(pauses.slice(0, 4)).toEqual([125, 250, 125, 250]);
  });
});

describe('a worker', () => {
  /** A hundred times faster than the real one. */
  const fastClock = {
    wallMs: () => Date.now(),
    elapsedMs: () => performance.now() * 100,
    after: (ms: number, callback: () => void) => steadyClock.after(ms / 100, callback),
  };

  it('does not wait for ever for its welcome', async () => {
    const farm = await coordinator({ handlers: { hello() {} } });
    const node = worker(farm.port, 'node-1', { clock: fastClock });
    expect(await node.closed.at(0)).toEqual({ reason: 'the coordinator does not welcome', final: false });
  });

  it('notices a coordinator that gives no sign of life, and comes back', async () => {
    const farm = await coordinator();
    const between = await proxy(farm.port);
    const node = worker(between.port, 'node-1', { clock: fastClock });
    await node.welcomes.at(0);
    between.pause();
    expect(await node.closed.at(0)).toEqual({ reason: 'the coordinator does not answer', final: false });
    between.resume();
    await node.welcomes.at(1);
  });

  it('notices that its machine has lost the address from which it is connected, and comes back from another', async () => {
    const farm = await coordinator();
    let addresses = new Set(['127.0.0.1', '192.0.2.7']);
    const node = worker(farm.port, 'node-1', { clock: fastClock, readAddresses: () => addresses });
    await node.welcomes.at(0);
    addresses = new Set(['192.0.2.7']);
    const reason = 'this machine no longer has the address from which it was connected';
    expect(await node.closed.at(0)).toEqual({ reason, final: false });
    await node.welcomes.at(1);
  });

  it('leaves a coordinator that sends what no coordinator sends', async () => {
    const farm = await coordinator({
      handlers: { hello: (connection) => connection.send({ type: 'acknowledge', attempts: [attempt(1)] }) },
    });
    const node = worker(farm.port);
    expect(await node.closed.at(0)).toEqual({ reason: 'the coordinator sent "acknowledge" out of turn', final: false });
    expect(node.messages.items).toEqual([]);
  });

  it('reaches its coordinator through a slow network, in order', async () => {
    const farm = await coordinator();
    const between = await proxy(farm.port);
    between.delay(20);
    const node = worker(between.port);
    await node.welcomes.at(0);
    node.client.send({ type: 'reports', reports: [started(1)] });
    await node.client.sendLog(attempt(1), 0, Buffer.from('a'));
    between.delay(0);
    await node.client.sendLog(attempt(1), 1, Buffer.from('b'));
    node.client.send({ type: 'goodbye' });
    await farm.messages.at(1);
    await farm.logs.at(1);
    expect(farm.messages.items.map(({ type }) => type)).toEqual(['reports', 'goodbye']);
    expect(farm.logs.items.map(({ offset }) => offset)).toEqual([0, 1]);
  });

  it('finds its coordinator at another place behind the same address', async () => {
    const first = await coordinator();
    const second = await coordinator();
    const between = await proxy(first.port);
    const node = worker(between.port);
    await node.welcomes.at(0);
    between.retarget(second.port);
    between.cut();
    await node.welcomes.at(1);
    expect(second.order).toEqual(['hello node-1']);
  });
});

describe('logs', () => {
  it('arrive whole, split into frames, behind the messages sent before', async () => {
    const farm = await coordinator();
    const node = worker(farm.port);
    await node.welcomes.at(0);
    const bytes = Buffer.alloc(LIMITS.logFrameBytes * 2 + 5, 'log');
    node.client.send({ type: 'reports', reports: [started(1)] });
    await node.client.sendLog(attempt(1), 100, bytes);
    await farm.logs.at(2);
    expect(farm.messages.items).toHaveLength(1);
    expect(farm.logs.items.map(({ offset }) => offset)).toEqual([100, 100 + LIMITS.logFrameBytes, 100 + 2 * LIMITS.logFrameBytes]);
    expect(Buffer.concat(farm.logs.items.map((log) => log.bytes)).equals(bytes)).toBe(true);
  });

  it('arrive as they were sent, also where the sender and the link use their memory again', async () => {
    const farm = await coordinator();
    const node = worker(farm.port);
    await node.welcomes.at(0);
    const piece = Buffer.alloc(LIMITS.logFrameBytes);
    // More than the window has room for, so that frames have been written before the last is made.
    const pieces = (2 * LIMITS.linkLogWindowBytes) / piece.length;
    for (let index = 0; index < pieces; index++) await node.client.sendLog(attempt(1), index * piece.length, piece.fill(index));
    await farm.logs.at(pieces - 1);
    const bytes = farm.logs.items.map((log) => Buffer.from(log.bytes));
    expect(bytes.every((one, index) => one.equals(Buffer.alloc(piece.length, index)))).toBe(true);
  });

  it('are written side by side, and what was said after them waits for them, the leave-taking too', async () => {
    const writes: (() => void)[] = [];
    const farm = await coordinator({ handlers: { log: () => new Promise<void>((resolve) => writes.push(resolve)) } });
    const node = worker(farm.port);
    await node.welcomes.at(0);
    await node.client.sendLog(attempt(1), 0, Buffer.from('a'));
    await node.client.sendLog(attempt(1), 1, Buffer.from('b'));
    node.client.send({ type: 'reports', reports: [started(1)] });
    await node.client.sendLog(attempt(2), 0, Buffer.from('c'));
    node.client.send({ type: 'goodbye' });
    await node.client.close();
    await farm.logs.at(2);
    expect(farm.logs.items.map(({ attempt: of, offset }) => `${of}@${offset}`)).toEqual(['1.1.1@0', '1.1.1@1', '1.2.1@0']);
    writes[1]?.();
    expect(farm.order).toEqual(['hello node-1']);
    writes[0]?.();
    await farm.messages.at(0);
    expect(farm.order).toEqual(['hello node-1', 'reports node-1']);
    writes[2]?.();
    await farm.closed.at(0);
    expect(farm.order).toEqual(['hello node-1', 'reports node-1', 'goodbye node-1', 'closed node-1']);
  });

  it('wait at the worker while the coordinator is slow, and all arrive in the end', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const farm = await coordinator({ handlers: { log: () => held } });
    const node = worker(farm.port);
    await node.welcomes.at(0);
    const chunk = Buffer.alloc(LIMITS.logFrameBytes, 1);
    const total = 400;
    let sent = 0;
    const sending = (async () => {
      for (; sent < total; sent++) await node.client.sendLog(attempt(sent), 0, chunk);
    })();
    // The window here, the window there, and what the kernel keeps between them.
    await farm.logs.at(15);
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(farm.logs.items.length * chunk.length).toBeLessThan(2 * LIMITS.linkLogWindowBytes);
    expect(sent).toBeLessThan(total);
    release();
    await sending;
    await farm.logs.at(total - 1);
    expect(farm.logs.items).toHaveLength(total);
  });

  it('let every waiting sender go on, also when the others have no more to send', async () => {
    const farm = await coordinator();
    const between = await proxy(farm.port);
    const node = worker(between.port);
    await node.welcomes.at(0);
    between.pause();
    const chunk = Buffer.alloc(LIMITS.logFrameBytes);
    const senders = Array.from({ length: 120 }, (_, index) => node.client.sendLog(attempt(index), 0, chunk));
    between.resume();
    await Promise.all(senders);
    await farm.logs.at(119);
  });

  it('are sent again from the acknowledged offset after a lost connection, nothing lost and nothing twice', async () => {
    const content = Buffer.alloc(3_000_000);
    for (let at = 0; at < content.length; at += 4) content.writeUInt32BE(at, at);
    let disk = Buffer.alloc(0);
    const farm = await coordinator({
      handlers: {
        hello: (connection) =>
          connection.send({
            type: 'welcome',
            protocol: PROTOCOL_VERSION,
            farm: 'f',
            heartbeatMs: 1,
            stop: [],
            logs: [{ attempt: attempt(1), offset: disk.length }],
          }),
        async log(_connection, _attempt, offset, bytes) {
          if (offset !== disk.length) throw new Error(`gap at ${offset}, have ${disk.length}`);
          disk = Buffer.concat([disk, bytes]);
        },
      },
    });
    const between = await proxy(farm.port);
    between.cutAfter(1_000_000);
    const finished = Promise.withResolvers<void>();
    const node = worker(between.port, 'node-1', {
      handlers: {
        async welcome({ logs }) {
          try {
            for (let at = logs[0]?.offset ?? 0; at < content.length; at += 65_536) {
              await node.client.sendLog(attempt(1), at, content.subarray(at, at + 65_536));
            }
            node.client.send({ type: 'goodbye' });
            finished.resolve();
          } catch (error) {
            expect(error).toMatchObject({ code: 'UNAVAILABLE' });
          }
        },
      },
    });
    await finished.promise;
    await farm.messages.at(0);
    expect(node.closed.items.length).toBeGreaterThan(0);
    expect(disk.equals(content)).toBe(true);
  });

  it('that cannot be written close the connection', async () => {
    const farm = await coordinator({ handlers: { log: () => Promise.reject(new Error('disk full')) } });
    const node = worker(farm.port);
    await node.welcomes.at(0);
    await node.client.sendLog(attempt(1), 0, Buffer.from('x'));
    expect(await node.closed.at(0)).toMatchObject({ final: false, reason: 'the log of 1.1.1 could not be written' });
    expect(farm.order).toContain('closed node-1');
  });

  it('are rejected while they wait when the connection is lost', async () => {
    const farm = await coordinator();
    const between = await proxy(farm.port);
    const node = worker(between.port);
    await node.welcomes.at(0);
    between.pause();
    const chunk = Buffer.alloc(LIMITS.logFrameBytes);
    const senders = Array.from({ length: 120 }, (_, index) => node.client.sendLog(attempt(index), 0, chunk));
    between.cut();
    const results = await Promise.allSettled(senders);
    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
    expect(reasons.length).toBeGreaterThan(50);
    expect(new Set(reasons)).toEqual(new Set(['UNAVAILABLE']));
    between.resume();
  });
});
