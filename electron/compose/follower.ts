import { formatAddress } from '../../shared/address.ts';
import { rosterAnswerSchema, type SignedRoster } from '../../shared/trust.ts';
import type { Discovery } from '../ports/discovery.ts';
import type { Endpoint } from '../ports/link.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';
import { findDevice } from '../trust/farm.ts';
import { pinnedRequest } from '../trust/pinned-request.ts';
import { pinnedClientOptions } from '../trust/tls.ts';
import type { Device } from './device.ts';
import type { Locator } from './locator.ts';

/** How often a device that cannot reach its coordinator asks others of the farm who it is now (ms). */
const ASK_AROUND_MS = 1_000;

/** Keeps this device's roster in step with the farm's. What others say counts by its signatures, not by who says it. */
export interface Follower {
  follow(chain: readonly SignedRoster[], coordinatorAt: readonly string[]): Promise<void>;
  /** Asks the coordinator for newer rosters. @returns whether it answered */
  followCoordinator(): Promise<boolean>;
  /**
   * Asks the coordinator as this device knows it, and devices of the farm that say they coordinate but do not in this device's
   * roster: either the roster is old, or they are.
   */
  askAround(): Promise<void>;
  close(): void;
}

export function createFollower(options: {
  readonly device: Device;
  readonly locator: Locator;
  readonly discovery: Discovery | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long an answer may take (ms). */
  readonly answerMs?: number;
}): Follower {
  const { device, locator, discovery, clock, logger, answerMs = 15_000 } = options;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let planned: Dispose | undefined;

  const follow = async (chain: readonly SignedRoster[], at: readonly string[]) => {
    const next = chain.at(-1)?.roster.coordinator;
    // Learned first: once the roster names another coordinator, it is looked for at once.
    if (next !== undefined && next !== device.roster.current?.coordinator && at.length > 0) await locator.learn(at);
    await device.roster.follow(chain);
  };
  const followFrom = async ({ url, tls = {} }: Endpoint) => {
    const path = `/api/roster?since=${device.roster.current?.version ?? 0}`;
    try {
      const answer = await pinnedRequest({ address: new URL(url).host, tls, method: 'GET', path, answerMs }, rosterAnswerSchema);
      if (answer.chain.length > 0) await follow(answer.chain, answer.coordinatorAt);
      return true;
    } catch (error) {
      logger.debug('no roster was had', { from: url, error: (error as Error).message });
      return false;
    }
  };
  const followCoordinator = async () => {
    const endpoint = locator.endpoint();
    return endpoint !== undefined && (await followFrom(endpoint));
  };

  const askAround = async (): Promise<void> => {
    const waitMs = askedAtMs + ASK_AROUND_MS - clock.elapsedMs();
    if (waitMs > 0) {
      // Not forgotten: what gave rise to it may not happen again.
      planned ??= clock.after(waitMs, () => {
        planned = undefined;
        void askAround();
      });
      return;
    }
    const roster = device.roster.current;
    if (roster === undefined) return;
    askedAtMs = clock.elapsedMs();
    if (roster.coordinator !== device.identity.id) await followCoordinator();
    for (const { announcement, addresses } of discovery?.found() ?? []) {
      const claimant = findDevice(roster, announcement.nodeId);
      const { peer } = announcement.ports;
      const claims = announcement.farmId === roster.farm.id && announcement.roles.includes('coordinator');
      if (claimant === undefined || peer === null || !claims || claimant.id === roster.coordinator) continue;
      const tls = pinnedClientOptions(claimant.certificate, device.identity);
      for (const host of addresses.slice(0, 4)) await followFrom({ url: `https://${formatAddress(host, peer)}`, tls });
    }
  };

  return { follow, followCoordinator, askAround, close: () => planned?.() };
}
