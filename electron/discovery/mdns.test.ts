import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { FarmId, NodeId } from '../../shared/ids.ts';
import { silentLogger } from '../../tests/fakes/silent-logger.ts';
import { createClock } from '../machine/clock.ts';
import type { Announcement, Discovery } from '../ports/discovery.ts';
import type { Clock } from '../ports/system.ts';
import type { InterfaceTable } from './interfaces.ts';
import { createDiscovery, type DiscoveryOptions } from './mdns.ts';
import { probeLan } from './probes.ts';

/** Real multicast over the loopback, on a port of its own: nothing of this reaches a network. */
const lo: InterfaceTable = {
  lo: [{ family: 'IPv4', address: '127.0.0.1', netmask: '255.0.0.0', cidr: '127.0.0.1/8', internal: true, mac: '00:00:00:00:00:00' }],
};
const clock = createClock();

async function bound(options: { exclusive: boolean }): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket({ type: 'udp4', reuseAddr: !options.exclusive });
  socket.bind(0);
  await once(socket, 'listening');
  return { socket, port: socket.address().port };
}

async function freePort(): Promise<number> {
  const { socket, port } = await bound({ exclusive: true });
  socket.close();
  await once(socket, 'close');
  return port;
}

const announcement = (id: string, change: Partial<Announcement> = {}): Announcement => ({
  farmId: 'farm-1' as FarmId,
  farmName: 'Studio',
  nodeId: id as NodeId,
  nodeName: id,
  roles: ['worker'],
  version: '0.1.0',
  ports: { api: null, peer: 7421 },
  ...change,
});

function open(port: number, change: Partial<DiscoveryOptions> = {}): Discovery {
  const discovery = createDiscovery({
    clock,
    logger: silentLogger,
    only: ['lo'],
    readInterfaces: () => lo,
    port,
    times: { rescanMs: 50, queryMs: 200, forgetMs: 60_000 },
    ...change,
  });
  onTestFinished(() => discovery.close());
  return discovery;
}

/** Resolves once `accept` is true of what discovery shows. */
function until(discovery: Discovery, accept: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!accept()) return;
      stop();
      resolve();
    };
    const stop = discovery.watch(look);
    look();
  });
}

const ids = (discovery: Discovery) => discovery.found().map((node) => node.announcement.nodeId);

describe('discovery', () => {
  test('finds, follows a change, and hears a goodbye', async () => {
    const port = await freePort();
    const [one, two] = [open(port), open(port)];
    one.announce(announcement('one'));
    two.announce(announcement('two'));
    await Promise.all([until(one, () => ids(one).join() === 'two'), until(two, () => ids(two).join() === 'one')]);
    expect(two.found()).toMatchObject([{ addresses: ['127.0.0.1'], interfaces: ['lo'] }]);

    one.announce(announcement('one', { roles: ['coordinator'] }));
    await until(two, () => two.found()[0]?.announcement.roles[0] === 'coordinator');
    one.announce(null);
    await until(two, () => ids(two).length === 0);
    one.announce(announcement('one'));
    await until(two, () => ids(two).join() === 'one');
    await one.close();
    await until(two, () => ids(two).length === 0);
  });

  test('hears its own packets, and tells what it makes of each interface', async () => {
    const discovery = open(await freePort());
    await until(discovery, () => discovery.interfaces()[0]?.heardItself === true);
    expect(discovery.interfaces()).toEqual([
      {
        name: 'lo',
        address: '127.0.0.1',
        used: true,
        reason: 'The setting names it (lo).',
        failure: null,
        heardItself: true,
        heardOthers: false,
      },
    ]);
    expect(discovery.found()).toEqual([]);
  });

  test('survives a port that is taken, and takes it when it is free', async () => {
    const { socket, port } = await bound({ exclusive: true });
    const discovery = open(port);
    await until(discovery, () => discovery.interfaces()[0]?.failure !== null && discovery.interfaces().length === 1);
    expect(discovery.interfaces()[0]?.failure).toContain('EADDRINUSE');
    socket.close();
    await until(discovery, () => discovery.interfaces()[0]?.heardItself === true);
    expect(discovery.interfaces()[0]?.failure).toBeNull();
  });

  test('follows interfaces that come and go', async () => {
    const port = await freePort();
    let table: InterfaceTable = {};
    const other = open(port);
    other.announce(announcement('other'));
    const discovery = open(port, { readInterfaces: () => table });
    discovery.announce(announcement('one'));
    expect(discovery.interfaces()).toEqual([]);
    table = lo;
    await until(discovery, () => ids(discovery).join() === 'other');
    await until(other, () => ids(other).join() === 'one');
    table = {};
    await until(discovery, () => discovery.interfaces().length === 0);
    await until(other, () => ids(other).length === 0);
  });

  test('opens its sockets again after sleep', async () => {
    const port = await freePort();
    let sleptMs = 0;
    const sleeper: Clock = { ...clock, elapsedMs: () => clock.elapsedMs() + sleptMs };
    const discovery = open(port, { clock: sleeper });
    await until(discovery, () => discovery.interfaces()[0]?.heardItself === true);
    sleptMs = 8 * 3_600_000;
    await until(discovery, () => discovery.interfaces()[0]?.heardItself === false);
    await until(discovery, () => discovery.interfaces()[0]?.heardItself === true);
    expect(discovery.interfaces()[0]?.failure).toBeNull();
  });

  test('does not stumble over what is no DNS, or asks a thousand questions', async () => {
    const port = await freePort();
    const [one, two] = [open(port), open(port)];
    two.announce(announcement('two'));
    await until(one, () => ids(one).length === 1);
    const sender = createSocket('udp4');
    onTestFinished(() => void sender.close());
    const header = Buffer.from([0, 0, 0x84, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    for (const packet of [Buffer.alloc(0), Buffer.alloc(5), header, Buffer.concat([header, Buffer.alloc(9_500, 0xc0)])]) {
      sender.send(packet, port, '127.0.0.1');
    }
    two.announce(announcement('two', { roles: [] }));
    await until(one, () => one.found()[0]?.announcement.roles.length === 0);
    expect(ids(one)).toEqual(['two']);
  });

  test('looks around once', async () => {
    const port = await freePort();
    const other = open(port);
    other.announce(announcement('other'));
    await until(other, () => other.interfaces()[0]?.heardItself === true);
    const reading = await probeLan({ clock, logger: silentLogger, only: ['lo'], readInterfaces: () => lo, port }, 400);
    expect(reading.found.map((node) => node.announcement.nodeId)).toEqual(['other']);
    expect(reading.interfaces).toMatchObject([{ name: 'lo', failure: null, heardItself: true }]);
  });
});
