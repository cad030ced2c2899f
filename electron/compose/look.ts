import { formatAddress } from '../../shared/address.ts';
import type { FoundFarm } from '../../shared/ipc.ts';
import { type LanReading, probeLan } from '../discovery/probes.ts';
import { createClock } from '../machine/clock.ts';
import { createLogger } from '../machine/logger.ts';
import { shortFingerprint } from '../trust/certificate.ts';

/** Whoever is there is heard within two seconds; a bit more for a lost packet. */
const LOOK_MS = 2_500;

interface LookOptions {
  /** Names and networks of the interfaces to look on; none: those that lead to a local network. */
  readonly interfaces: readonly string[];
}

/** Looks around on the local network without announcing anything. */
export function lookAround({ interfaces }: LookOptions): Promise<LanReading> {
  const logger = createLogger({ level: 'error' });
  return probeLan({ clock: createClock(), logger, ...(interfaces.length === 0 ? {} : { only: interfaces }) }, LOOK_MS);
}

/** @returns the farms that announce themselves and that a device could join, each where it was heard */
export async function lookForFarms(options: LookOptions): Promise<readonly FoundFarm[]> {
  const { found } = await lookAround(options);
  return found.flatMap(({ announcement: { farmName, nodeId, nodeName, roles, ports }, addresses }) => {
    const { api } = ports;
    if (!roles.includes('coordinator') || api === null || addresses.length === 0) return [];
    const fingerprint = shortFingerprint(nodeId);
    return [
      {
        name: farmName,
        coordinator: nodeId,
        coordinatorName: nodeName,
        fingerprint,
        addresses: addresses.map((host) => formatAddress(host, api)),
      },
    ];
  });
}
