import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { broadcastAddresses, hardwareAddresses, magicPacket, wakeOnLan } from './wake-on-lan.ts';

const MAC = '52:54:00:12:34:ef';

/** A network card that listens, on a port of its own. */
async function card(address: string) {
  const socket = createSocket('udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  const heard = once(socket, 'message').then(([bytes]) => bytes as Buffer);
  return { port: socket.address().port, heard };
}

test('a magic packet is six bytes of ones and sixteen times the address', () => {
  const packet = Buffer.from(magicPacket(MAC));
  expect(packet).toHaveLength(102);
  expect(packet.subarray(0, 6).toString('hex')).toBe('ffffffffffff');
  for (let part = 0; part < 16; part++) expect(packet.subarray(6 + part * 6, 12 + part * 6).toString('hex')).toBe('5254001234ef');
  expect(() => magicPacket('52:54')).toThrow('no hardware address');
});

test('the packet arrives at an address over a real socket', async () => {
  const { port, heard } = await card('127.0.0.1');
  await wakeOnLan([MAC], [`127.0.0.1:${port}`]);
  expect(Buffer.compare(await heard, magicPacket(MAC))).toBe(0);
});

test.skipIf(process.platform !== 'linux')('the packet arrives by broadcast', async () => {
  const { port, heard } = await card('0.0.0.0');
  await wakeOnLan([MAC], [`127.255.255.255:${port}`]);
  expect(Buffer.compare(await heard, magicPacket(MAC))).toBe(0);
});

test('an address that takes nothing is no harm while another does, and an error where none does', async () => {
  const { port, heard } = await card('127.0.0.1');
  await wakeOnLan([MAC], ['999.0.0.1:9', `127.0.0.1:${port}`]);
  expect((await heard).length).toBe(102);
  await expect(wakeOnLan([MAC], ['999.0.0.1:9'])).rejects.toThrow();
});

test('real cards have hardware addresses and networks have broadcast addresses', () => {
  const base = { family: 'IPv4', internal: false, cidr: null } as const;
  const interfaces = {
    lo: [{ ...base, address: '127.0.0.1', netmask: '255.0.0.0', mac: '00:00:00:00:00:00', internal: true }],
    eth0: [
      { ...base, address: '192.168.1.17', netmask: '255.255.255.0', mac: '52:54:00:12:34:EF' },
      { ...base, family: 'IPv6', address: 'fe80::1', netmask: 'ffff::', mac: '52:54:00:12:34:EF', scopeid: 0 },
    ],
    wlan0: [{ ...base, address: '10.20.30.40', netmask: '255.255.240.0', mac: '0a:00:00:00:00:01' }],
    docker0: [{ ...base, address: '172.17.0.1', netmask: '255.255.0.0', mac: '02:42:00:00:00:01' }],
  } as Parameters<typeof hardwareAddresses>[0];
  expect(hardwareAddresses(interfaces)).toEqual(['52:54:00:12:34:ef', '0a:00:00:00:00:01']);
  expect(broadcastAddresses(interfaces)).toEqual(['255.255.255.255', '192.168.1.255', '10.20.31.255', '172.17.255.255']);
});
