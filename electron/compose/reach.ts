import { LanyardError } from '../../shared/errors.ts';
import { createDiscovery } from '../discovery/mdns.ts';
import { createClock } from '../machine/clock.ts';
import type { Discovery } from '../ports/discovery.ts';
import type { Endpoint } from '../ports/link.ts';
import type { Logger } from '../ports/system.ts';
import { findDevice } from '../trust/farm.ts';
import type { Device } from './device.ts';
import { createFollower } from './follower.ts';
import { openLocator } from './locator.ts';

const ANSWER_MS = 4_000;
/** Whoever announces itself is heard within two seconds; one more for a lost packet. */
const LOOK_MS = 3_000;
/** As many addresses as are kept, twice: the coordinator may have moved in between. */
const TRIES = 16;

/**
 * Finds the coordinator of the device's farm for a program that is not the node itself: at the addresses that the device keeps, and
 * if none of them answers, by listening on the local network. The device's roster is up to date afterwards.
 * @param options `look` false: does not listen on the network
 * @throws LanyardError UNAVAILABLE when it is nowhere
 */
export async function reachCoordinator(options: {
  /** Of a farm. */
  readonly device: Device;
  readonly logger: Logger;
  readonly look: boolean;
  readonly interfaces: readonly string[];
}): Promise<Endpoint> {
  const { device, logger, look, interfaces } = options;
  const clock = createClock();
  const kept = await tryAll(options, undefined);
  if (kept !== undefined) return kept;
  if (look) {
    const discovery = createDiscovery({ clock, logger, ...(interfaces.length === 0 ? {} : { only: interfaces }) });
    try {
      await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve));
      const found = await tryAll(options, discovery);
      if (found !== undefined) return found;
    } finally {
      await discovery.close();
    }
  }
  const roster = device.roster.current;
  const name = roster === undefined ? undefined : findDevice(roster, roster.coordinator)?.name;
  throw new LanyardError({
    code: 'UNAVAILABLE',
    message: `${name ?? 'the device'}, which coordinates the farm "${roster?.farm.name}", does not answer`,
    hint: 'is it on, and on this network? `lanyard doctor` looks for what is in the way; an administrator may also have removed this device',
  });
}

async function tryAll(
  { device, logger }: { readonly device: Device; readonly logger: Logger },
  discovery: Discovery | undefined,
): Promise<Endpoint | undefined> {
  const locator = await openLocator({ device, discovery, logger });
  const follower = createFollower({ device, locator, discovery, clock: createClock(), logger, answerMs: ANSWER_MS });
  // Somebody may know of a newer coordinator than this device does.
  if (discovery !== undefined) await follower.askAround();
  const tried = new Set<string>();
  for (let tries = 0; tries < TRIES; tries += 1) {
    const endpoint = locator.endpoint();
    const term = device.roster.current?.term;
    if (endpoint === undefined || tried.has(`${endpoint.url} ${term}`)) return undefined;
    tried.add(`${endpoint.url} ${term}`);
    if (!(await follower.followCoordinator())) locator.failed();
    else if (device.roster.current?.term === term) {
      await locator.learn([endpoint.url.slice('https://'.length)]);
      return endpoint;
    }
  }
  return undefined;
}
