import { once } from 'node:events';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { encodeLogFrame } from '../../electron/link/log-frame.ts';
import { pinnedClientOptions } from '../../electron/trust/tls.ts';
import { splitAddress } from '../../shared/address.ts';
import type { AttemptId } from '../../shared/ids.ts';
import { PROTOCOL_VERSION, type WorkerMessage } from '../../shared/protocol.ts';
import { joinAs } from '../fakes/devices.ts';
import { type AttackedFarm, ask, startAttackedFarm } from './support/attack.ts';
import type { TestFarm } from './support/farm.ts';

/** What somebody may try on the connections of the workers, against a real coordinator process, and must not get. */

let attacked: AttackedFarm;
let farm: TestFarm;
let otherFarm: TestFarm;
let apiAddress: string;
let coordinatorCertificate: string;
let tokens: AttackedFarm['tokens'];

beforeAll(async () => {
  attacked = await startAttackedFarm();
  ({ farm, otherFarm, apiAddress, coordinatorCertificate, tokens } = attacked);
});
afterAll(() => attacked?.close());

const hello = (id: string) => ({
  type: 'hello',
  protocol: PROTOCOL_VERSION,
  node: { id, name: 'x', os: 'linux', arch: 'x64', version: '1', capacity: { cpu: 1, ramMb: 512, diskMb: 100 }, maxParallel: 1 },
  attempts: [],
});

const TEXT = 1;
const BINARY = 2;

const upgrade = (url: string, options: object): Promise<string> =>
  new Promise((resolve) => {
    const socket = new WebSocket(url, options);
    onTestFinished(() => socket.terminate());
    socket.on('open', () => resolve('open'));
    socket.on('unexpected-response', (_, response) => resolve(String(response.statusCode)));
    socket.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? error.message));
  });
const link = () => `wss://${farm.connection.peer}/link`;

test('is not there for tokens, of whatever kind, on any listener', async () => {
  for (const token of [undefined, ...Object.values(tokens)]) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    expect(await upgrade(`${farm.connection.url.replace('http', 'ws')}/link`, { headers })).not.toBe('open');
    expect(await upgrade(`wss://${apiAddress}/link`, { ...pinnedClientOptions(coordinatorCertificate), headers })).not.toBe('open');
    // Without a certificate TLS itself ends it.
    expect(await upgrade(link(), { ...pinnedClientOptions(coordinatorCertificate), headers })).not.toMatch(/open|^\d+$/);
  }
});

test('is for devices that work, and for no page of a browser', async () => {
  for (const role of ['viewer', 'submitter', 'admin'] as const) {
    const device = await joinAs(farm.client, join(farm.folder, `as-${role}`), role);
    expect(await upgrade(link(), device.tls), role).toBe('403');
  }
  const worker = await joinAs(farm.client, join(farm.folder, 'as-worker'), 'worker');
  expect(await upgrade(link(), { ...worker.tls, origin: 'https://evil.example' })).toBe('403');
  expect(await upgrade(link(), worker.tls)).toBe('open');
  const stranger = await joinAs(otherFarm.client, join(farm.folder, 'stranger'), 'worker');
  expect(await upgrade(link(), { ...worker.tls, key: stranger.identity.key, cert: stranger.identity.certificate })).not.toMatch(
    /open|^\d+$/,
  );
});

test('takes no id that is not that of the key', async () => {
  const worker = await joinAs(farm.client, join(farm.folder, 'liar'), 'worker');
  const victim = (await farm.client.call('listNodes')).nodes[0]?.description.id ?? '';
  const socket = new WebSocket(link(), worker.tls);
  await once(socket, 'open');
  const said = once(socket, 'message');
  socket.send(JSON.stringify(hello(victim)));
  expect(JSON.parse(String((await said)[0]))).toMatchObject({ type: 'refuse', message: 'this is not the id of your key' });
  expect((await farm.client.call('listNodes')).nodes.find(({ description }) => description.id === victim)?.status).not.toBe('OFFLINE');
});

test('lets a worker neither end nor write nor read what another one has', async () => {
  const { id } = await farm.submit({ command: 'echo mine; sleep 60', image: null, requirements: { cpu: 0.1, ramMb: 16 } });
  await farm.until(id, ({ counts }) => counts.RUNNING === 1);
  const attempt = `${id}.0.1` as AttemptId;
  const worker = await joinAs(farm.client, join(farm.folder, 'thief'), 'worker');
  const socket = new WebSocket(link(), worker.tls);
  await once(socket, 'open');
  const welcomed = once(socket, 'message');
  socket.send(JSON.stringify({ ...hello(worker.identity.id), attempts: [{ attempt, state: 'running' }] }));
  expect(JSON.parse(String((await welcomed)[0]))).toMatchObject({ type: 'welcome', stop: [attempt], logs: [] });
  const answered = once(socket, 'message');
  socket.send(encodeLogFrame(attempt, 0, Buffer.alloc(64)));
  const end = { reason: 'completed', exitCode: 0, outputs: [] };
  socket.send(
    JSON.stringify({
      type: 'reports',
      reports: [
        { kind: 'started', attempt },
        { kind: 'ended', attempt, end },
      ],
    }),
  );
  await answered;
  expect((await farm.client.call('getTask', { params: { job: id, index: 0 } })).task).toMatchObject({ state: 'RUNNING', attempt: 1 });
  const at = (method: string, path: string, body?: object) =>
    ask(farm.connection.peer, {
      ...worker.tls,
      method,
      path,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  for (const path of [`/api/jobs/${id}`, `/api/jobs/${id}/tasks/0`, `/api/jobs/${id}/outputs`, '/api/events', '/api/tokens', '/api/audit'])
    expect((await at('GET', path)).status, path).toBe(403);
  expect((await at('GET', `/api/jobs/${id}/tasks/0/attempts/1/log`)).status).toBe(403);
  expect((await at('POST', '/api/jobs/submit-result', { id: attempt, exitCode: 0 })).status).toBe(403);
  expect((await at('POST', '/api/jobs/stream-output', { id: attempt, output: 'forged' })).status).toBe(403);
  for (const path of ['/api/handover/manifest', '/api/handover/file?path=identity.json', '/api/handover/file?path=blobs/../identity.json'])
    expect((await at('GET', path)).status, path).toBe(403);
  expect((await at('POST', '/api/handover/freeze')).status).toBe(403);
  expect((await at('POST', '/api/handover/complete', { peerPort: 1 })).status).toBe(403);
  expect(await farm.logOf(id)).toBe('mine\n');
  await farm.client.call('cancelJob', { params: { job: id } });
  socket.terminate();
});

test('is cut the moment that a device is removed, and neither its key nor its ticket opens it again', async () => {
  const worker = await joinAs(farm.client, join(farm.folder, 'removed'), 'worker');
  const { host, port } = splitAddress(farm.connection.peer);
  const tickets: Buffer[] = [];
  const live = connectTls({ ...worker.tls, host, port });
  live.on('session', (ticket: Buffer) => tickets.push(ticket));
  live.on('error', () => undefined);
  await once(live, 'secureConnect');
  live.write(`GET /api/roster HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  expect(String((await once(live, 'data'))[0])).toContain('200 OK');
  expect(tickets.length).toBeGreaterThan(0);
  const closed = once(live, 'close');
  await farm.client.call('removeDevice', { params: { device: worker.identity.id } });
  await closed;
  expect(await upgrade(link(), worker.tls)).not.toMatch(/open|^\d+$/);
  expect(await upgrade(link(), { ...worker.tls, session: tickets[0] })).not.toMatch(/open|^\d+$/);
});

describe('of all that a worker may say', () => {
  const attempt = '1.0.1' as AttemptId;
  const { node } = hello('a'.repeat(52));
  const said: { readonly [Type in WorkerMessage['type']]: object } = {
    hello: hello('a'.repeat(52)),
    heartbeat: { type: 'heartbeat', metrics: { cpuPercent: 0 }, running: 0 },
    reports: {
      type: 'reports',
      reports: [{ kind: 'ended', attempt, end: { reason: 'completed', exitCode: 0, outputs: [], ranForMs: 1, logBytes: 0 } }],
    },
    describe: { type: 'describe', node: { ...node, name: 'renamed' } },
    cache: { type: 'cache', request: 1, cache: { capBytes: 1, inputs: [], images: [] } },
    goodbye: { type: 'goodbye' },
  };
  const frames: [string, Buffer][] = [
    ...Object.entries(said).map(([type, message]): [string, Buffer] => [type, webSocketFrame(TEXT, Buffer.from(JSON.stringify(message)))]),
    ['the bytes of a log', webSocketFrame(BINARY, encodeLogFrame(attempt, 0, Buffer.alloc(64)))],
  ];
  type Caller = { readonly address: string; readonly tls: ConnectionOptions; readonly token?: string };
  const callers: Record<string, Caller> = {};

  beforeAll(async () => {
    const peer = farm.connection.peer;
    const stranger = await joinAs(otherFarm.client, join(farm.folder, 'caller-of-other-farm'), 'worker');
    const removed = await joinAs(farm.client, join(farm.folder, 'caller-removed'), 'worker');
    await farm.client.call('removeDevice', { params: { device: removed.identity.id } });
    const worker = await joinAs(farm.client, join(farm.folder, 'caller-worker'), 'worker');
    const { key, certificate: cert } = stranger.identity;
    callers.worker = { address: peer, tls: worker.tls };
    callers['a device without a certificate'] = { address: peer, tls: pinnedClientOptions(coordinatorCertificate) };
    callers['a worker of another farm'] = { address: peer, tls: { ...worker.tls, key, cert } };
    callers['a removed worker'] = { address: peer, tls: removed.tls };
    for (const role of ['viewer', 'submitter', 'admin'] as const)
      callers[`a device that is ${role}`] = {
        address: peer,
        tls: (await joinAs(farm.client, join(farm.folder, `caller-${role}`), role)).tls,
      };
    for (const [name, token] of Object.entries(tokens))
      callers[`the token "${name}"`] = { address: apiAddress, tls: pinnedClientOptions(coordinatorCertificate), token };
  });

  /** Asks for the connection and says `frames` in the same breath, without waiting for leave. @returns all that came back */
  function blurt({ address, tls, token }: Caller, frames: Buffer): Promise<string> {
    return new Promise((resolve) => {
      const { host, port } = splitAddress(address);
      const socket = connectTls({ ...tls, host, port });
      onTestFinished(() => void socket.destroy());
      let heard = '';
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(heard));
      socket.on('data', (data) => {
        heard += data.toString('latin1');
        const isAnswered = heard.includes('101 Switching') ? heard.includes('"refuse"') : heard.includes('\r\n\r\n');
        if (isAnswered) socket.destroy();
      });
      const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
      const key = Buffer.alloc(16, 1).toString('base64');
      socket.write(
        `GET /link HTTP/1.1\r\nHost: ${host}:${port}\r\n${authorization}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
      );
      socket.write(frames);
    });
  }

  test.each(frames)('%s is heard from no one but a worker of this farm', async (type, frame) => {
    const { worker, ...others } = callers;
    // What is refused below would be heard from somebody who may speak: even if only to be told that the id is another's.
    const heard = await blurt(worker as Caller, frame);
    expect(heard).toContain('101 Switching Protocols');
    expect(heard).toContain(type === 'hello' ? 'this is not the id of your key' : 'the first message is not a hello');
    for (const [who, caller] of Object.entries(others)) {
      const answer = await blurt(caller, frame);
      expect(answer, who).not.toContain('101');
      expect(answer, who).toMatch(/^$|^HTTP\/1\.1 40[134] /);
    }
  });
});

/** A WebSocket frame as a client sends it, masked with zeros (RFC 6455, section 5.2). */
function webSocketFrame(opcode: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(0x80 | opcode, 0);
  header.writeUInt8(0x80 | 126, 1);
  header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, payload]);
}
