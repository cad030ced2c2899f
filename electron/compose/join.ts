import type { Logger } from '../ports/system.ts';
import { parseInvite } from '../trust/invite-text.ts';
import { joinByInvite } from '../trust/joining.ts';
import type { Device } from './device.ts';
import { openLocator } from './locator.ts';

export interface JoinFarmOptions {
  readonly device: Device;
  /** What the device calls itself. */
  readonly name: string;
  /** Its text, or the link with it. */
  readonly invite: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** The request is under way, and an administrator has to look at it. */
  readonly waiting: () => void;
}

/** Joins the farm of an invite, and remembers where its coordinator is. @throws LanyardError as `parseInvite` and `joinByInvite` */
export async function joinFarm({ device, name, invite, logger, signal, waiting }: JoinFarmOptions): Promise<{ readonly farm: string }> {
  const { identity, roster } = device;
  const joined = await joinByInvite(parseInvite(invite), { identity, roster, name, signal, waiting });
  const locator = await openLocator({ device, discovery: undefined, logger });
  await locator.learn([joined.coordinatorAt]);
  return { farm: joined.roster.farm.name };
}
