import type { Role } from '../../shared/trust.ts';
import type { Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';

export interface InviteOptions {
  readonly role: Role;
  readonly approve?: boolean;
}

/** Makes an invite and prints it: what another machine types after `lanyard up --join`. */
export const invite: Handler<InviteOptions> = async (context, _operands, { role, approve = false }) => {
  const client = await context.connect();
  const answer = await client.call('createInvite', { body: { role, approve }, signal: context.signal });
  const { terminal } = context;
  if (context.options.json === true) {
    terminal.json(answer);
    return EXIT.ok;
  }
  terminal.line(answer.text);
  terminal.note(`good for one machine, until ${new Date(answer.expiresAt).toLocaleTimeString()}; there: lanyard up --join INVITE`);
  if (!approve) terminal.note('an administrator then lets the machine in');
  return EXIT.ok;
};
