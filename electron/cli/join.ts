import type { Device } from '../compose/device.ts';
import { openLocator } from '../compose/locator.ts';
import { parseInvite } from '../trust/invite-text.ts';
import { joinByInvite } from '../trust/joining.ts';
import type { Context } from './context.ts';

/** Joins the farm of an invite, and remembers where its coordinator is. @throws LanyardError as `parseInvite` and `joinByInvite` */
export async function joinFarm(context: Context, device: Device, name: string, invite: string): Promise<void> {
  const { identity, roster } = device;
  const joined = await joinByInvite(parseInvite(invite), {
    identity,
    roster,
    name,
    signal: context.signal,
    waiting: () => context.terminal.note(`waiting for an administrator to let ${name} (${identity.shortFingerprint}) in`),
  });
  const logger = { debug() {}, info() {}, warn: (message: string) => context.terminal.note(message), error() {} };
  const locator = await openLocator({ device, discovery: undefined, logger });
  await locator.learn([joined.coordinatorAt]);
  context.terminal.note(`joined the farm "${joined.roster.farm.name}"`);
}
