import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { AttemptId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { PROTOCOL_VERSION } from '../../shared/protocol.ts';
import { type Coordinator, helloOf, identifyByRole, quietLogger, startLinkCoordinator, welcome } from '../../tests/fakes/link-world.ts';
import { LINK_PATH } from './codec.ts';
import { encodeLogFrame } from './log-frame.ts';
import { attachLinkServer } from './server.ts';

/** What a peer that does not keep to the protocol gets to see. */

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function coordinator(options: Parameters<typeof startLinkCoordinator>[0] = {}): Promise<Coordinator> {
  const started = await startLinkCoordinator(options);
  ends.push(started.close);
  return started;
}

async function raw(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${LINK_PATH}`, { headers: { authorization: 'Bearer worker-token' } });
  ends.push(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

/** All that the coordinator says until it closes. */
async function untilClosed(socket: WebSocket): Promise<{ messages: unknown[]; code: number; reason: string }> {
  const messages: unknown[] = [];
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return { messages, code, reason: reason.toString() };
}

async function upgradeStatus(port: number, headers: readonly string[], path: string = LINK_PATH): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  ends.push(() => void socket.destroy());
  socket.write(
    [
      `GET ${path} HTTP/1.1`,
      'Host: farm',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
      '',
      '',
    ].join('\r\n'),
  );
  let text = '';
  for await (const chunk of socket) {
    text += chunk;
    if (text.startsWith('HTTP/1.1 101')) break;
  }
  return text.slice('HTTP/1.1 '.length, text.indexOf('\r\n'));
}

describe('an upgrade', () => {
  it.each([
    ['no token', [], '401 Unauthorized'],
    ['an unknown token', ['Authorization: Bearer nobody'], '401 Unauthorized'],
    ['another scheme', ['Authorization: Basic worker-token'], '401 Unauthorized'],
    ['a submitter', ['Authorization: Bearer submitter-token'], '403 Forbidden'],
    ['a browser', ['Authorization: Bearer worker-token', 'Origin: http://farm'], '403 Forbidden'],
    ['a worker', ['Authorization: Bearer worker-token'], '101 Switching Protocols'],
    ['an administrator', ['Authorization: Bearer admin-token'], '403 Forbidden'],
  ])('of %s (%j) is answered %s', async (_who, headers, status) => {
    const farm = await coordinator();
    expect(await upgradeStatus(farm.port, headers)).toBe(status);
  });

  it('on another path is answered 404', async () => {
    const farm = await coordinator();
    expect(await upgradeStatus(farm.port, ['Authorization: Bearer worker-token'], '/else')).toBe('404 Not Found');
  });
});

describe('a peer is refused', () => {
  const text = (value: unknown) => JSON.stringify(value);

  it.each([
    ['garbage', 'not json', 'the message is not JSON', false],
    ['another message than hello', text({ type: 'goodbye' }), 'the first message is not a hello', false],
    ['binary first', Buffer.from([1, 2, 3]), 'the first message is not a hello', false],
    [
      'another version',
      text({ ...helloOf('a'), protocol: 77 }),
      `this worker speaks protocol 77, the coordinator ${PROTOCOL_VERSION}; install the same version`,
      false,
    ],
  ])('that begins with %s', async (_what, first, message, retry) => {
    const farm = await coordinator();
    const socket = await raw(farm.port);
    socket.send(first);
    const end = await untilClosed(socket);
    expect(end.messages).toEqual([{ type: 'refuse', message, retry }]);
    expect(end.code).toBe(1008);
    expect(farm.order).toEqual([]);
  });

  it('that says nothing', async () => {
    const farm = await coordinator({ helloTimeoutMs: 20 });
    const end = await untilClosed(await raw(farm.port));
    expect(end.messages).toEqual([{ type: 'refuse', message: 'no hello within the time allowed', retry: true }]);
  });

  it.each([
    ['malformed JSON', '{"type":', 'the message is not JSON'],
    ['a second hello', text(helloOf('a')), 'a second hello on one connection'],
    ['binary garbage', Buffer.alloc(100, 7), 'log frame version 7; expected 1'],
    ['a coordinator message', text(welcome), /the message is not valid/],
  ])('that goes on with %s', async (_what, next, message) => {
    const farm = await coordinator();
    const socket = await raw(farm.port);
    socket.send(text(helloOf('a')));
    socket.send(next);
    socket.send(text({ type: 'goodbye' }));
    const end = await untilClosed(socket);
    expect(end.messages.at(-1)).toMatchObject({ type: 'refuse', retry: true });
    expect(end.reason).toMatch(message);
    expect(farm.order).toEqual(['hello a', 'closed a']);
  });

  it('that sends a message over the limit, before it is read', async () => {
    const farm = await coordinator();
    const socket = await raw(farm.port);
    socket.send(text(helloOf('a')));
    await farm.hellos.at(0);
    socket.on('error', () => undefined);
    socket.send(Buffer.alloc(LIMITS.messageBytes + 1, ' '), { binary: false });
    const { reason } = await farm.closed.at(0);
    expect(reason).toMatch(/Max payload size exceeded/);
    expect((await untilClosed(socket)).code).toBe(1009);
  });

  it('that speaks no WebSocket after the upgrade', async () => {
    const farm = await coordinator();
    const socket = await raw(farm.port);
    socket.send(text(helloOf('a')));
    await farm.hellos.at(0);
    const { _socket: stream } = socket as unknown as { _socket: NodeJS.WritableStream };
    stream.write(Buffer.alloc(200, 0xff));
    expect((await farm.closed.at(0)).reason).toMatch(/connection broken/);
  });
});

describe('a connection', () => {
  it('of a worker that does not read ends at the limit of what waits for it', async () => {
    const farm = await coordinator();
    const socket = await raw(farm.port);
    socket.send(JSON.stringify(helloOf('a')));
    const { connection } = await farm.hellos.at(0);
    socket.pause();
    const message = { type: 'refuse' as const, message: 'x'.repeat(1024 * 1024), retry: true };
    let sent = 0;
    for (; farm.closed.items.length === 0 && sent < 200; sent++) {
      connection.send(message);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(farm.closed.items[0]?.reason).toMatch(/does not read/);
    expect(sent * message.message.length).toBeGreaterThanOrEqual(LIMITS.linkBufferBytes);
    expect(sent * message.message.length).toBeLessThan(2 * LIMITS.linkBufferBytes);
  });

  it('of a worker that gives no sign of life is closed', async () => {
    const farm = await coordinator({ pingMs: 500 });
    const silent = new WebSocket(`ws://127.0.0.1:${farm.port}${LINK_PATH}`, {
      headers: { authorization: 'Bearer worker-token' },
      autoPong: false,
    });
    ends.push(() => silent.terminate());
    await once(silent, 'open');
    silent.send(JSON.stringify(helloOf('silent')));
    const lively = await raw(farm.port);
    lively.send(JSON.stringify(helloOf('lively')));
    expect((await farm.closed.at(0)).reason).toBe('the worker does not answer');
    expect(farm.order).toContain('hello lively');
    expect(farm.order).not.toContain('closed lively');
  });

  it('keeps tiny log frames within bounds too', async () => {
    const farm = await coordinator({ handlers: { log: () => new Promise(() => {}) } });
    const socket = await raw(farm.port);
    socket.send(JSON.stringify(helloOf('a')));
    const frames = 40_000;
    for (let index = 0; index < frames; index++) socket.send(encodeLogFrame(`1.${index}.1` as AttemptId, 0, Buffer.from('x')));
    await farm.logs.at(8_000);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(farm.logs.items.length).toBeLessThan(frames / 2);
  });

  it('is gone when close resolves, also one that has yet to say hello', async () => {
    const farm = await startLinkCoordinator();
    const greeted = await raw(farm.port);
    greeted.send(JSON.stringify(helloOf('a')));
    await farm.hellos.at(0);
    const waiting = await raw(farm.port);
    const closing = [untilClosed(greeted), untilClosed(waiting)];
    await farm.close();
    for (const end of await Promise.all(closing)) expect(end.code).toBe(1001);
    expect(farm.order).toEqual(['hello a', 'closed a']);
  });

  it('attaches to a server that has other work too', async () => {
    const farm = await coordinator();
    expect((await fetch(`http://127.0.0.1:${farm.port}/`)).status).toBe(404);
    const again = attachLinkServer({
      server: farm.server,
      path: '/other',
      identify: identifyByRole,
      logger: quietLogger,
      handlers: { hello() {}, message() {}, log: () => Promise.resolve(), closed() {} },
    });
    const upgrades = farm.server.listenerCount('upgrade');
    await again.close();
    expect(farm.server.listenerCount('upgrade')).toBe(upgrades - 1);
  });
});
