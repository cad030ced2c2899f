import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { formatAddress } from '../../shared/address.ts';
import { addressSchema } from '../../shared/trust.ts';
import { replaceFile } from '../disk.ts';
import type { Discovery } from '../ports/discovery.ts';
import type { Endpoint } from '../ports/link.ts';
import type { Logger } from '../ports/system.ts';
import { findDevice } from '../trust/farm.ts';
import { pinnedClientOptions } from '../trust/tls.ts';
import type { Device } from './device.ts';

/** Where the coordinator of this device's farm was reached last; survives restarts. */
const FILE = 'coordinator-at.json';
const fileSchema = z.array(addressSchema).max(8);

/**
 * Knows where the coordinator may be. Addresses are hints of whatever source: the one that answers must show the key that the
 * roster names.
 */
export interface Locator {
  /** Where it was reached last, or said to be. */
  readonly lastKnown: readonly string[];
  /** Where to try now. */
  readonly endpoint: () => Endpoint | undefined;
  /** That was not it, or not any more: the next address is tried. */
  failed(): void;
  /** That was it. */
  succeeded(): void;
  /** Somebody who should know said where it is: tried before all others, from the call on; resolves when that is kept. Never rejects. */
  learn(addresses: readonly string[]): Promise<void>;
}

export async function openLocator(options: {
  readonly device: Device;
  readonly discovery: Discovery | undefined;
  readonly logger: Logger;
}): Promise<Locator> {
  const { device, discovery, logger } = options;
  const path = join(device.dataFolder, FILE);
  let known: readonly string[] = await knownAddresses(device.dataFolder);
  let turn = 0;
  let made: { readonly key: string; readonly endpoint: Endpoint } | undefined;

  const announced = (): string[] => {
    const roster = device.roster.current;
    if (roster === undefined || discovery === undefined) return [];
    return discovery
      .found()
      .filter(({ announcement: { farmId, nodeId } }) => farmId === roster.farm.id && nodeId === roster.coordinator)
      .flatMap(({ announcement: { ports }, addresses }) =>
        ports.peer === null ? [] : addresses.map((host) => formatAddress(host, ports.peer)),
      );
  };
  const save = async (addresses: readonly string[]) => {
    if (addresses.join() === known.join()) return;
    known = addresses.slice(0, 8);
    try {
      await replaceFile(path, JSON.stringify(known));
    } catch (error) {
      logger.warn('the address of the coordinator could not be kept', { error: (error as Error).message });
    }
  };

  return {
    get lastKnown() {
      return known.slice(0, 1);
    },
    endpoint() {
      const roster = device.roster.current;
      const certificate = roster === undefined ? undefined : findDevice(roster, roster.coordinator)?.certificate;
      const candidates = [...new Set([...known, ...announced()])];
      const address = candidates[turn % Math.max(1, candidates.length)];
      if (certificate === undefined || address === undefined) return undefined;
      const key = `${address} ${certificate}`;
      // The same one as long as nothing changed: connections are kept by it.
      if (made?.key !== key)
        made = { key, endpoint: { url: `https://${address}`, tls: pinnedClientOptions(certificate, device.identity) } };
      return made.endpoint;
    },
    failed() {
      turn += 1;
    },
    succeeded() {
      if (made === undefined) return;
      const address = made.key.split(' ')[0] as string;
      turn = 0;
      void save([address, ...known.filter((one) => one !== address)]);
    },
    learn(addresses) {
      turn = 0;
      return save([...addresses, ...known.filter((one) => !addresses.includes(one))]);
    },
  };
}

/** Where the coordinator's peer listener was reached before, the latest first; kept for the data folder's next start. */
export async function knownAddresses(dataFolder: string): Promise<readonly string[]> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(join(dataFolder, FILE), 'utf8')));
  } catch {
    // Only hints: discovery or an invite gives others.
    return [];
  }
}
