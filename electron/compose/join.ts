import { formatAddress } from '../../shared/address.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { NodeId } from '../../shared/ids.ts';
import { addressSchema } from '../../shared/trust.ts';
import { parseAddress } from '../discovery/address.ts';
import type { Logger } from '../ports/system.ts';
import { parseInvite } from '../trust/invite-text.ts';
import { type Joined, joinByDigits, joinByInvite } from '../trust/joining.ts';
import type { Device } from './device.ts';
import { openLocator } from './locator.ts';

export interface JoinFarmOptions {
  readonly device: Device;
  /** What the device calls itself. */
  readonly name: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** The request is under way, and an administrator has to look at it. */
  readonly waiting: () => void;
}

/**
 * Joins the farm of an invite, and remembers where its coordinator is.
 * @param invite its text, or the link with it
 * @throws LanyardError as `parseInvite` and `joinByInvite`
 */
export async function joinFarm(invite: string, options: JoinFarmOptions): Promise<{ readonly farm: string }> {
  return await keep(options, await joinByInvite(parseInvite(invite), optionsOf(options)));
}

export interface PairOptions extends JoinFarmOptions {
  /** Of the coordinator's API listener, as a person types it. */
  readonly address: string;
  /** What is meant where the address names no port. */
  readonly usualPort: number;
  /** Who should answer there; an announcement is only a hint, and so is this. */
  readonly expected?: NodeId;
  /** The person compares both screens. @returns whether they show the same digits */
  readonly compare: (digits: string) => Promise<boolean>;
}

/** Joins a farm by six digits that two people compare. @throws LanyardError INVALID for what is no address, else as `joinByDigits` */
export async function pairWithFarm(options: PairOptions): Promise<{ readonly farm: string }> {
  const { expected, compare } = options;
  const address = addressOf(options);
  const joined = await joinByDigits({ ...optionsOf(options), address, compare, ...(expected === undefined ? {} : { expected }) });
  return await keep(options, joined);
}

function addressOf({ address: typed, usualPort }: PairOptions): string {
  const { host, port } = parseAddress(typed);
  const address = formatAddress(host, port ?? usualPort);
  if (addressSchema.safeParse(address).success) return address;
  throw new LanyardError({ code: 'INVALID', field: 'address', message: 'This is not an address.', hint: 'Expected HOST:PORT.' });
}

function optionsOf({ device: { identity, roster }, name, signal, waiting }: JoinFarmOptions) {
  return { identity, roster, name, signal, waiting };
}

async function keep({ device, logger }: JoinFarmOptions, { roster, coordinatorAt }: Joined): Promise<{ readonly farm: string }> {
  await (await openLocator({ device, discovery: undefined, logger })).learn([coordinatorAt]);
  return { farm: roster.farm.name };
}
