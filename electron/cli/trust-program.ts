import { Option } from 'commander';
import { ROLES } from '../../shared/trust.ts';
import type { Add } from './commands.ts';

/** The commands about who belongs to a farm, and who coordinates it. */
export function addTrustCommands(add: Add): void {
  addMembershipCommands(add);
  addTokenCommands(add);
  const coordinators = () => import('./coordinator-commands.ts');
  const coordinator = add('coordinator', 'say which device coordinates the farm', async () => (await coordinators()).coordinator);
  add(
    'move <device>',
    'hand coordination over to another device, with all that belongs to it',
    async () => (await coordinators()).move,
    coordinator,
  );
  add('cancel', 'take back a move of coordination that is under way', async () => (await coordinators()).cancelMove, coordinator);
  add(
    'take',
    'make this device the coordinator in place of one that is gone for good (its jobs are lost)',
    async () => (await coordinators()).take,
    coordinator,
  ).option('--force', 'ask nothing, and do it although the coordinator answers');
}

function addMembershipCommands(add: Add): void {
  const role = (text: string) => new Option('--role <role>', text).choices(ROLES);
  const farms = () => import('./farm-commands.ts');
  const farm = add('farm', 'say which farm this device belongs to', async () => (await farms()).farm);
  add('create <name>', 'make a farm that this device coordinates', async () => (await farms()).createFarm, farm).option(
    '--name <name>',
    'what this device is called in it',
  );
  add('leave', 'take this device out of its farm', async () => (await farms()).leave, farm).option(
    '--force',
    'although the farm cannot be told, or loses its coordinator',
  );
  add('invite', 'make an invite for another machine, and wait for it', async () => (await import('./invite.ts')).invite)
    .addOption(role('what the machine may do').default('worker'))
    .option('--approve', 'let whoever brings it in at once')
    .option('--link', 'print it as a link')
    .option('--qr', 'print it as a QR code too');
  add('join [invite]', 'join a farm: with an invite, or by comparing six digits', async () => (await import('./join.ts')).join)
    .option('--address <host:port>', 'the coordinator, where it is not found on the local network')
    .option('--name <name>', 'what this device is called there');
  const devices = () => import('./device-commands.ts');
  add('devices', 'list the devices of the farm, and those that wait to be let in', async () => (await devices()).devices);
  add('approve [device]', 'let a device in that waits', async () => (await devices()).approve)
    .addOption(role('as this, instead of what it asked for'))
    .option('--digits <digits>', 'the six digits on its screen');
  add('refuse [device]', 'turn a device away that waits', async () => (await devices()).refuse);
  add('role <device> <roles...>', `change what a device may do: ${ROLES.join(', ')}`, async () => (await devices()).role);
}

function addTokenCommands(add: Add): void {
  const tokens = () => import('./token-commands.ts');
  const token = add('token', 'list the tokens of people and scripts', async () => (await tokens()).tokens);
  add('create <name>', 'make a token; it is shown once', async () => (await tokens()).createToken, token)
    .addOption(new Option('--role <role>', 'what it allows').choices(ROLES).default('submitter'))
    .option('--days <days>', 'how long it is good for, or never', '90');
  add('list', 'list the tokens', async () => (await tokens()).tokens, token);
  add('revoke <tokens...>', 'revoke tokens, by id or name', async () => (await tokens()).revokeToken, token);
  add('audit', 'show who let whom in and who did what, newest first', async () => (await tokens()).audit)
    .option('--limit <number>', 'how many lines', '100')
    .option('--before <line>', 'only older lines than this one');
}
