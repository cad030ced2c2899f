import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { type Device, openDevice } from '../../electron/compose/device.ts';
import { encodeLogFrame } from '../../electron/link/log-frame.ts';
import { pinnedClientOptions } from '../../electron/trust/tls.ts';
import { splitAddress } from '../../shared/address.ts';
import type { AttemptId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { PROTOCOL_VERSION } from '../../shared/protocol.ts';
import type { JobView } from '../../shared/view.ts';
import { inviteWorker, joinTestFarm } from '../fakes/devices.ts';
import { peakMemoryMb, startFarm, type TestFarm } from './support/farm.ts';

/** What no worker and no client of ours would send, to a real coordinator: refused and logged, and nobody else notices. */

let farm: TestFarm;
let bystander: JobView;
let go: string;
/** Devices of the farm that have no manners. */
let rude: readonly [Device, Device];
beforeAll(async () => {
  farm = await startFarm();
  await farm.addWorker('bystander', { host: true });
  rude = [await joined('rude-1'), await joined('rude-2')];
  go = join(farm.folder, 'go');
  const command = `echo before; while [ ! -e ${go} ]; do sleep 0.05; done; echo after`;
  const { id } = await farm.submit({ command, image: null, requirements: { cpu: 0.1, ramMb: 64 } });
  bystander = await farm.until(id, ({ state }) => state === 'RUNNING');
});
afterAll(() => farm?.close());

async function joined(name: string): Promise<Device> {
  const device = await openDevice(join(farm.folder, name));
  await joinTestFarm(device, await inviteWorker(farm.client), name);
  return device;
}

/** How a device of the farm connects to the peer listener. */
function peerOptions({ identity, roster }: Device): ConnectionOptions {
  const { current } = roster;
  const coordinator = current?.devices.find(({ id }) => id === current.coordinator);
  return pinnedClientOptions(coordinator?.certificate ?? '', identity);
}

const hello = (id: string, changes: object = {}) => ({
  type: 'hello',
  protocol: PROTOCOL_VERSION,
  node: {
    id,
    name: id,
    os: 'linux',
    arch: 'x64',
    version: '1',
    capacity: { cpu: 1, ramMb: 512, diskMb: 100 },
    maxParallel: 1,
  },
  attempts: [],
  ...changes,
});

async function open(device: Device): Promise<WebSocket> {
  const socket = new WebSocket(`wss://${farm.connection.peer}/link`, peerOptions(device));
  // What the coordinator does about a broken frame may come back as a broken connection.
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

async function greeted(device: Device): Promise<WebSocket> {
  const socket = await open(device);
  const welcomed = once(socket, 'message');
  socket.send(JSON.stringify(hello(device.identity.id)));
  const [data] = await welcomed;
  expect(JSON.parse(String(data))).toMatchObject({ type: 'welcome' });
  return socket;
}

/** @returns what the coordinator said before it hung up, and its last words */
async function hungUp(socket: WebSocket): Promise<string> {
  const said: string[] = [];
  socket.on('message', (data) => said.push(String(data)));
  const [code, reason] = await once(socket, 'close');
  return `${said.join(' ')} ${code} ${reason}`;
}

describe('a connection is refused, with the reason, that', () => {
  test.for<[string, string | Buffer, RegExp]>([
    ['says what is no JSON', '{"type":"hello"', /not JSON/],
    ['begins with something else', JSON.stringify({ type: 'heartbeat' }), /not a hello/],
    ['begins with bytes', Buffer.from([1, 0, 1]), /not a hello/],
    ['speaks another version', JSON.stringify(hello('stranger', { protocol: 999 })), /speaks protocol 999/],
    ['lacks a field', JSON.stringify(hello('stranger', { node: { id: 'stranger' } })), /node\.name/],
    ['has an id that is a path', JSON.stringify(hello('../../etc')), /node\.id/],
    ['has the id of another key', JSON.stringify(hello('stranger')), /not the id of your key/],
    ['sends more than a message may have', Buffer.alloc(LIMITS.messageBytes + 1, 0x20), /1009|1008/],
    ['is nested deeper than anybody reads', `${'['.repeat(200_000)}${']'.repeat(200_000)}`, /not a hello|not JSON/],
  ])('%s', async ([, text, reason]) => {
    const socket = await open(rude[0]);
    const end = hungUp(socket);
    socket.send(text);
    expect(await end).toMatch(reason);
  });

  test.for<[string, string | Buffer, RegExp]>([
    ['says hello twice', JSON.stringify(hello('stranger')), /second hello/],
    ['sends a message that is none', JSON.stringify({ type: 'make-coffee' }), /not valid/],
    ['reports what it cannot know', JSON.stringify({ type: 'reports', reports: [{ kind: 'ended', attempt: 'x' }] }), /not valid/],
    ['sends a log frame that is cut', Buffer.from([1, 0, 200, 1]), /cut short/],
    ['sends a log frame of nobody', Buffer.concat([Buffer.from([1, 0, 3]), Buffer.from('abc'), Buffer.alloc(8)]), /names no attempt/],
    ['sends more than a message may have', Buffer.alloc(LIMITS.messageBytes + 1, 0x20), /1009|1008/],
  ])('%s, after its hello', async ([, text, reason]) => {
    const socket = await greeted(rude[0]);
    const end = hungUp(socket);
    socket.send(text);
    expect(await end).toMatch(reason);
  });
});

test("a worker's word about another's attempt changes nothing", async () => {
  const { attempts } = await farm.client.call('getTask', { params: { job: bystander.id, index: 0 } });
  const attempt = attempts[0]?.id as AttemptId;
  const socket = await greeted(rude[1]);
  const answered = once(socket, 'message');
  socket.send(encodeLogFrame(attempt, 0, Buffer.alloc(100)));
  socket.send(JSON.stringify({ type: 'reports', reports: [{ kind: 'ended', attempt, end: { reason: 'exit', exitCode: 1 } }] }));
  const [data] = await answered;
  expect(JSON.parse(String(data))).toMatchObject({ type: 'acknowledge', attempts: [attempt] });
  expect((await farm.client.call('getJob', { params: { job: bystander.id } })).state).toBe('RUNNING');
  socket.terminate();
});

test('frames that are none, and silence, end a connection and nothing else', async () => {
  const { host, port } = splitAddress(farm.connection.peer);
  const upgrade = [
    'GET /link HTTP/1.1',
    `Host: ${farm.connection.peer}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ];
  const socket = connectTls({ host, port, ...peerOptions(rude[0]) });
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  socket.write(`${upgrade.join('\r\n')}\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toContain('101 Switching Protocols');
  // Reserved bits, an unknown opcode, no mask, a length of 2^63.
  socket.write(Buffer.from([0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
  await once(socket.resume(), 'close');
});

describe('a request is refused that', () => {
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${farm.connection.url}/api/jobs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${farm.connection.token}`, 'content-type': 'application/json', ...headers },
      body,
    });

  test.for<[string, string]>([
    ['is no JSON', '{"command":'],
    ['is of the wrong form', JSON.stringify({ command: 7, tasks: 'many' })],
    ['is nested deeper than anybody reads', `{"command":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['reaches for the prototype', '{"command":"true","__proto__":{"admin":true}}'],
    ['asks for more tasks than there may be', JSON.stringify({ command: 'true', tasks: { kind: 'count', count: 1e12 } })],
  ])('%s', async ([, body]) => {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: 'INVALID', message: expect.any(String) } });
  });

  test.for<[string, string, RegExp]>([
    ['is no HTTP', '\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n', /^HTTP\/1.1 400/],
    [
      'announces more than a request may have',
      `POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\nContent-Length: ${LIMITS.requestBytes + 1}\r\n\r\n`,
      /^HTTP\/1.1 413/,
    ],
    ['has endless headers', `GET / HTTP/1.1\r\n${'X-Header: value\r\n'.repeat(5_000)}\r\n`, /^HTTP\/1.1 431/],
    ['has two lengths', 'POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 9\r\n\r\n1', /^HTTP\/1.1 400/],
    [
      'comes in two ways at once',
      'POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1.1 400/,
    ],
  ])('%s', async ([, bytes, answer]) => {
    const socket = await raw(bytes.replace('TOKEN', farm.connection.token));
    const [data] = await once(socket, 'data');
    expect(String(data)).toMatch(answer);
    socket.destroy();
  });
});

async function raw(bytes: string): Promise<Socket> {
  const { hostname, port } = new URL(farm.connection.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(bytes, 'latin1');
  return socket;
}

test('and after all of it the coordinator has said what it refused, is as it was, and the other worker finishes its task', async () => {
  const log = await readFile(farm.coordinator.logFile, 'utf8');
  for (const reason of ['not JSON', 'speaks protocol 999', 'not valid', 'second hello', 'names no attempt']) expect(log).toContain(reason);
  expect(await peakMemoryMb(farm.coordinator.process.pid)).toBeLessThan(512);
  await writeFile(go, '');
  expect(await farm.untilEnded(bystander.id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
  expect(await farm.logOf(bystander.id)).toBe('before\nafter\n');
  const { attempts } = await farm.client.call('getTask', { params: { job: bystander.id, index: 0 } });
  expect(attempts).toHaveLength(1);
  expect(farm.coordinator.process.exitCode).toBeNull();
});
