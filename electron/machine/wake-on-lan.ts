import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** The port that magic packets are sent to by custom; a sleeping network card looks at the bytes only. */
const WAKE_PORT = 9;

/** @returns hardware addresses of this machine's real network cards */
export function hardwareAddresses(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces()): string[] {
  const found = Object.entries(interfaces)
    .filter(([name]) => !/^(docker|veth|br-|virbr|tun|tap|utun|lo|awdl|llw|bridge)/.test(name))
    .flatMap(([, list]) => list ?? [])
    .filter(({ internal, mac }) => !internal && mac !== '00:00:00:00:00:00')
    .map(({ mac }) => mac.toLowerCase());
  return [...new Set(found)].slice(0, 16);
}

/** @returns where every machine of the local networks hears: the broadcast address of each interface */
export function broadcastAddresses(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces()): string[] {
  const found = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address, netmask }) => {
      const mask = netmask.split('.').map(Number);
      return address
        .split('.')
        .map((byte, at) => (Number(byte) | (~(mask[at] ?? 255) & 255)).toString())
        .join('.');
    });
  return [...new Set(['255.255.255.255', ...found])];
}

/** Six bytes of ones, and sixteen times the hardware address (AMD, Magic Packet Technology, 1995). */
export function magicPacket(mac: string): Uint8Array {
  const address = Buffer.from(mac.replaceAll(':', ''), 'hex');
  if (address.length !== 6) throw new Error(`${mac} is no hardware address`);
  return Buffer.concat([Buffer.alloc(6, 0xff), ...Array.from({ length: 16 }, () => address)]);
}

/**
 * Sends a magic packet for each hardware address to each target. Nobody answers one.
 * @param targets `HOST` or `HOST:PORT`, IPv4; none: the broadcast addresses of all interfaces
 */
export async function wakeOnLan(macs: readonly string[], targets: readonly string[]): Promise<void> {
  const socket = createSocket('udp4');
  try {
    socket.bind(0);
    await once(socket, 'listening');
    socket.setBroadcast(true);
    const failures: Error[] = [];
    let sent = 0;
    for (const target of targets.length === 0 ? broadcastAddresses() : targets) {
      const [host = '', port = String(WAKE_PORT)] = target.split(':');
      for (const mac of macs)
        await new Promise<void>((resolve) => {
          socket.send(magicPacket(mac), Number(port), host, (error) => {
            if (error === null) sent++;
            else failures.push(error);
            resolve();
          });
        });
    }
    // An interface that is down takes none; one that took one is enough.
    if (sent === 0 && failures[0] !== undefined) throw failures[0];
  } finally {
    socket.close();
  }
}
