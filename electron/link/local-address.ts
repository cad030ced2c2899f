import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';

/** How often the addresses of this machine are looked at while a connection stands (ms); a look takes well under a tenth of one. */
export const LOOK_MS = 1_500;

/**
 * @returns the addresses of this machine, as they are now; undefined where the system does not tell them, from which nothing is concluded
 */
export function localAddresses(): ReadonlySet<string> | undefined {
  try {
    return new Set(Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? []));
  } catch {
    return undefined;
  }
}

/**
 * A connection outlives the address that it was made from, and says nothing: what is sent from an address that is gone comes to nobody, and a
 * ping would notice only when it is not answered.
 * @returns a look whether the address of the socket is gone. Of one that was not among this machine's at the start nothing is concluded
 */
export function watchLocalAddress(socket: Pick<Socket, 'localAddress'>, read = localAddresses): () => boolean {
  // Without the zone that some systems put behind link-local ones.
  const address = socket.localAddress?.replace(/%.*$/, '');
  const wasThere = address !== undefined && (read()?.has(address) ?? false);
  return () => wasThere && read()?.has(address) === false;
}
