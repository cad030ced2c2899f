import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type ConnectionOptions, connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Roster } from '../../shared/trust.ts';
import { addDevice, removeDevice } from './farm.ts';
import type { DeviceIdentity } from './identity.ts';
import {
  apiServerOptions,
  fetchCertificate,
  fetchPinnedCertificate,
  guardPeers,
  type PeerGuard,
  peerServerOptions,
  pinnedClientOptions,
} from './tls.ts';
import { farmOf, makeIdentity } from './trust.fixture.ts';

let coordinator: DeviceIdentity;
let worker: DeviceIdentity;
let stranger: DeviceIdentity;
let alone: Roster;
let both: Roster;
beforeAll(async () => {
  [coordinator, worker, stranger] = await Promise.all([makeIdentity(), makeIdentity(), makeIdentity()]);
  alone = farmOf(coordinator).roster;
  both = addDevice(alone, coordinator, { name: 'worker', certificate: worker.certificate, roles: ['worker'] }, 2).roster;
});

async function listen(server: Server): Promise<number> {
  server.on('tlsClientError', () => {});
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {});
    socket.write(socket.destroyed ? '' : 'welcome');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function peerListener(roster = both): Promise<{ port: number; guard: PeerGuard; server: Server }> {
  const server = createServer(peerServerOptions(coordinator, roster));
  const guard = guardPeers(server, coordinator, roster);
  return { server, guard, port: await listen(server) };
}

/** What came of a connection: the first words of the server, or how it ended. */
async function talk(port: number, options: ConnectionOptions): Promise<string> {
  const socket = connect({ ...options, host: '127.0.0.1', port });
  onTestFinished(() => void socket.destroy());
  return new Promise((resolve) => {
    socket.once('data', (bytes) => {
      resolve(bytes.toString());
      socket.destroy();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('close', () => resolve('closed'));
  });
}

async function openssl(port: number, ...flags: string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...flags], { timeout: 10_000 }, (_error, out, errors) =>
      resolve(out + errors),
    );
    child.stdin?.end();
  });
}

test('devices of the farm meet, and know each other by their keys', async () => {
  const { port, guard, server } = await peerListener();
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const socket = connect({ ...pinnedClientOptions(coordinator.certificate, worker), host: '127.0.0.1', port });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'data');
  expect(socket.getProtocol()).toBe('TLSv1.3');
  expect(guard.deviceOf((await accepted)[0])).toMatchObject({ id: worker.id, roles: ['worker'] });
  expect(guard.deviceOf({})).toBeUndefined();
});

test('a certificate that is not in the roster is refused, as is none', async () => {
  const { port, server } = await peerListener();
  let admitted = 0;
  server.on('secureConnection', () => {
    admitted += 1;
  });
  expect(await talk(port, pinnedClientOptions(coordinator.certificate, stranger))).toBe('closed');
  expect(await talk(port, pinnedClientOptions(coordinator.certificate))).toContain('ALERT');
  expect(admitted).toBe(0);
  // The same counter does count a device that belongs here.
  expect(await talk(port, pinnedClientOptions(coordinator.certificate, worker))).toBe('welcome');
  expect(admitted).toBe(1);
  // Somebody else's certificate without its key.
  expect(() => connect({ ...pinnedClientOptions(coordinator.certificate), cert: worker.certificate, key: stranger.key, port })).toThrow();
});

test('a server with another key is refused before anything is sent, also when it is of the farm', async () => {
  const { port } = await peerListener();
  expect(await talk(port, pinnedClientOptions(stranger.certificate, worker))).toMatch(/CERT|SELF_SIGNED/);
  const trusting = { ...pinnedClientOptions(worker.certificate, worker), ca: [coordinator.certificate, worker.certificate] };
  expect(await talk(port, trusting)).toBe('FORBIDDEN');
});

test('TLS 1.2 is refused by both listeners, also to a stock client', async () => {
  const { port } = await peerListener();
  const apiPort = await listen(createServer(apiServerOptions(coordinator)));
  const old: ConnectionOptions = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
  for (const each of [port, apiPort]) {
    expect(await talk(each, { ...pinnedClientOptions(coordinator.certificate, worker), ...old })).toContain('PROTOCOL_VERSION');
    expect(await openssl(each, '-tls1_2')).toContain('alert protocol version');
  }
  expect(await openssl(apiPort, '-tls1_3')).toContain('TLSv1.3');
});

test('the API listener asks for no certificate and is pinned all the same', async () => {
  const port = await listen(createServer(apiServerOptions(coordinator)));
  expect(await talk(port, pinnedClientOptions(coordinator.certificate))).toBe('welcome');
  expect(await talk(port, pinnedClientOptions(stranger.certificate))).toMatch(/CERT|SELF_SIGNED/);
});

test('a removed device loses its live connection, and neither its certificate nor its ticket lets it in', async () => {
  const { port, guard } = await peerListener();
  const options = { ...pinnedClientOptions(coordinator.certificate, worker), host: '127.0.0.1', port };
  const live = connect(options);
  const tickets: Buffer[] = [];
  live.on('session', (ticket: Buffer) => tickets.push(ticket));
  live.on('error', () => {});
  await once(live, 'data');
  await expect.poll(() => tickets.length).toBeGreaterThan(0);
  const [session] = tickets;
  if (session === undefined) throw new Error('no ticket');
  // The ticket is good as long as the device is in the roster.
  const resumed = connect({ ...options, session });
  await once(resumed, 'data');
  expect(resumed.isSessionReused()).toBe(true);
  resumed.destroy();

  const closed = once(live, 'close');
  guard.update(removeDevice(both, coordinator, worker.id).roster);
  await closed;
  expect(await talk(port, { ...options, session })).not.toBe('welcome');
  expect(await talk(port, options)).not.toBe('welcome');
});

test('a ticket of a removed device is refused even by a listener that still takes tickets of before', async () => {
  const ticketKeys = Buffer.alloc(48, 7);
  const server = createServer({ ...peerServerOptions(coordinator, both), ticketKeys });
  const port = await listen(server);
  const options = { ...pinnedClientOptions(coordinator.certificate, worker), host: '127.0.0.1', port };
  const first = connect(options);
  const [session] = (await once(first, 'session')) as [Buffer];
  first.destroy();
  const later = createServer({ ...peerServerOptions(coordinator, alone), ticketKeys });
  guardPeers(later, coordinator, alone);
  expect(await talk(await listen(later), { ...options, session })).not.toBe('welcome');
});

test('a device that joins is let in without a restart', async () => {
  const { port, guard } = await peerListener(alone);
  const options = pinnedClientOptions(coordinator.certificate, worker);
  expect(await talk(port, options)).not.toBe('welcome');
  guard.update(both);
  expect(await talk(port, options)).toBe('welcome');
});

test('with a fingerprint only, the certificate is looked at in a handshake that carries nothing', async () => {
  const server = createServer(apiServerOptions(coordinator));
  const received: Buffer[] = [];
  server.on('secureConnection', (socket: TLSSocket) => socket.on('data', (bytes: Buffer) => received.push(bytes)));
  const port = await listen(server);
  expect(await fetchCertificate('127.0.0.1', port)).toEqual({ id: coordinator.id, certificate: coordinator.certificate });
  const certificate = await fetchPinnedCertificate('127.0.0.1', port, coordinator.id);
  expect(await talk(port, pinnedClientOptions(certificate))).toBe('welcome');
  await expect(fetchPinnedCertificate('127.0.0.1', port, stranger.id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  expect(received).toEqual([]);
  // A peer listener shows its certificate too.
  expect((await fetchCertificate('127.0.0.1', (await peerListener()).port)).id).toBe(coordinator.id);
});

test('nobody there, or nobody who speaks TLS 1.3, is said', async () => {
  const old = createServer({ key: coordinator.key, cert: coordinator.certificate, maxVersion: 'TLSv1.2' });
  await expect(fetchCertificate('127.0.0.1', await listen(old))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const gone = createServer();
  const port = await listen(gone);
  gone.close();
  await once(gone, 'close');
  await expect(fetchCertificate('127.0.0.1', port)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
