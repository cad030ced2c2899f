import { setTimeout as pause } from 'node:timers/promises';
import { renderUnicodeCompact } from 'uqr';
import type { Role } from '../../shared/trust.ts';
import type { Client } from '../api/client.ts';
import type { Context, Handler } from './context.ts';
import { decide, describeDevice } from './device-commands.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export interface InviteOptions {
  readonly role: Role;
  readonly approve?: boolean;
  readonly link?: boolean;
  readonly qr?: boolean;
}

const LOOK_EVERY_MS = 1_000;

/**
 * Makes an invite and prints it: what another machine types after `lanyard join` or `lanyard up --join`. Where somebody sits at the terminal it
 * waits for that machine, and asks whether to let it in.
 */
export const invite: Handler<InviteOptions> = async (context, _operands, { role, approve = false, link = false, qr = false }) => {
  const client = await context.connect();
  const { terminal, signal } = context;
  const { devices: before } = await client.call('listDevices', { signal });
  const made = await client.call('createInvite', { body: { role, approve }, signal });
  if (context.options.json === true) {
    terminal.json(made);
    return EXIT.ok;
  }
  terminal.line(link ? made.link : made.text);
  // In capitals the code has a letter's place for each letter, and is a third smaller; readers of invites do not mind.
  if (qr) terminal.line(renderUnicodeCompact(made.link.toUpperCase(), { border: 2 }));
  terminal.note(`good for one machine, until ${new Date(made.expiresAt).toLocaleTimeString('sv')}; there: \`lanyard up --join INVITE\``);
  if (!terminal.canAsk) {
    if (!approve) terminal.note('then let the machine in: `lanyard approve`');
    return EXIT.ok;
  }
  terminal.note('waiting for that machine; Ctrl-C stops the waiting, and the invite stays good');
  return untilUsed(context, client, made, new Set(before.map(({ id }) => id)));
};

/** @param before the devices that belonged to the farm when the invite was made */
async function untilUsed(
  context: Context,
  client: Client,
  { id, expiresAt }: { readonly id: string; readonly expiresAt: number },
  before: ReadonlySet<string>,
): Promise<ExitCode> {
  const { terminal, signal } = context;
  for (;;) {
    // In this order: an invite that is gone from the first answer has left its trace in the others.
    const { invites } = await client.call('listInvites', { signal });
    const { admissions } = await client.call('listAdmissions', { signal });
    const waiting = admissions.find((one) => one.invite === id);
    if (waiting !== undefined) {
      terminal.progress(undefined);
      return decide(context, client, waiting, {});
    }
    if (!invites.some((one) => one.id === id)) {
      terminal.progress(undefined);
      const { devices } = await client.call('listDevices', { signal });
      const joined = devices.filter((device) => !before.has(device.id));
      for (const device of joined) terminal.note(`${describeDevice(device)} joined as ${device.roles.join(', ')}`);
      if (joined.length === 0) terminal.note('the invite is not open any more, and nobody joined with it');
      return joined.length === 0 ? EXIT.conflict : EXIT.ok;
    }
    const seconds = Math.max(0, Math.round((expiresAt - Date.now()) / 1000));
    terminal.progress(`waiting for the machine (${seconds} s left)`);
    await pause(LOOK_EVERY_MS, undefined, { signal });
  }
}
