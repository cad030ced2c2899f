import { LanyardError } from '../../shared/errors.ts';
import { type Admission, ROLES, type Role, type RosterDevice } from '../../shared/trust.ts';
import type { Client } from '../api/client.ts';
import { shortFingerprint } from '../trust/certificate.ts';
import type { Context, Handler } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { chooseDevice } from './targets.ts';
import { plain } from './text.ts';
import { formatDuration } from './units.ts';

/** Who belongs to the farm, and who is let in. */

/** A device that waits, as the coordinator lists it. */
type Waiting = Omit<Admission, 'certificate'>;
type Device = Omit<RosterDevice, 'certificate'>;

export const devices: Handler = async (context) => {
  const client = await context.connect();
  const listed = await client.call('listDevices', { signal: context.signal });
  const waiting = await waitingDevices(context, client);
  if (context.options.json === true) {
    context.terminal.json({ ...listed, waiting });
    return EXIT.ok;
  }
  const now = Date.now();
  context.terminal.table(
    [{ title: 'NAME', flexible: true }, { title: 'ID' }, { title: 'ROLES' }, { title: 'COORDINATES' }, { title: 'ADDED', align: 'right' }],
    listed.devices.map(({ id, name, roles, addedAt }) => [
      name,
      shortFingerprint(id),
      roles.join(','),
      id === listed.coordinator ? 'yes' : '',
      `${formatDuration(Math.max(0, now - addedAt))} ago`,
    ]),
  );
  if (waiting === null || waiting.length === 0) return EXIT.ok;
  context.terminal.line('');
  context.terminal.table(
    [{ title: 'WAITING', flexible: true }, { title: 'ID' }, { title: 'AS' }, { title: 'FROM' }, { title: 'DIGITS' }],
    waiting.map(({ name, device, role, from, digits }) => [name, shortFingerprint(device), role, from, digitsText(digits) ?? '-']),
  );
  context.terminal.note('`lanyard approve NAME` lets one in, `lanyard refuse NAME` turns it away');
  return EXIT.ok;
};

/** Null for who may not see them. */
async function waitingDevices({ signal }: Context, client: Client): Promise<Waiting[] | null> {
  try {
    return (await client.call('listAdmissions', { signal })).admissions;
  } catch (error) {
    if (error instanceof LanyardError && error.code === 'FORBIDDEN') return null;
    throw error;
  }
}

export interface ApproveOptions {
  readonly role?: Role;
  readonly digits?: string;
}

/** Lets a device in; one that pairs by digits only when somebody has compared them. */
export const approve: Handler<ApproveOptions> = async (context, [wish], options) => {
  const client = await context.connect();
  const waiting = await chooseWaiting(context, client, wish);
  if (waiting.digits === null || options.digits !== undefined) {
    assertDigits(waiting, options.digits);
    return letIn(context, client, waiting, options.role);
  }
  if (context.terminal.canAsk) return decide(context, client, waiting, options);
  throw new LanyardError({
    code: 'INVALID',
    field: '--digits',
    message: `${describeDevice({ id: waiting.device, name: waiting.name })} shows six digits that somebody has to compare`,
    hint: 'read them from its screen and give them with --digits',
  });
};

export const refuse: Handler = async (context, [wish]) => {
  const client = await context.connect();
  return turnAway(context, client, await chooseWaiting(context, client, wish));
};

/** Shows who wants in, and asks. */
export async function decide(context: Context, client: Client, waiting: Waiting, { role }: ApproveOptions): Promise<ExitCode> {
  const { terminal, signal } = context;
  const who = describeDevice({ id: waiting.device, name: waiting.name });
  terminal.note(`${who} asks from ${plain(waiting.from)} to join as ${role ?? waiting.role}`);
  if (waiting.digits !== null) terminal.note(`its screen must show ${digitsText(waiting.digits)}`);
  const answer = await terminal.ask(waiting.digits === null ? 'let it in? [y/N]' : 'does it, and shall it be let in? [y/N]', signal);
  return /^y(es)?$/i.test(answer) ? letIn(context, client, waiting, role) : turnAway(context, client, waiting);
}

async function letIn(context: Context, client: Client, waiting: Waiting, role: Role | undefined): Promise<ExitCode> {
  const params = { admission: waiting.id };
  await client.call('approveAdmission', { params, body: role === undefined ? {} : { role }, signal: context.signal });
  return done(context, { device: waiting.device, name: waiting.name, role: role ?? waiting.role }, `is in as ${role ?? waiting.role}`);
}

async function turnAway(context: Context, client: Client, waiting: Waiting): Promise<ExitCode> {
  await client.call('refuseAdmission', { params: { admission: waiting.id }, signal: context.signal });
  return done(context, { device: waiting.device, name: waiting.name, role: null }, 'was turned away');
}

function done(context: Context, result: { device: string; name: string; role: Role | null }, what: string): ExitCode {
  if (context.options.json === true) context.terminal.json(result);
  else context.terminal.line(`${describeDevice({ id: result.device, name: result.name })} ${what}`);
  return EXIT.ok;
}

async function chooseWaiting(context: Context, client: Client, wish: string | undefined): Promise<Waiting> {
  const { admissions } = await client.call('listAdmissions', { signal: context.signal });
  const [only, another] = admissions;
  if (wish === undefined && only !== undefined && another === undefined) return only;
  if (wish === undefined && only !== undefined)
    throw new LanyardError({
      code: 'CONFLICT',
      field: 'DEVICE',
      message: `${admissions.length} devices wait: ${admissions.map(({ name, device }) => describeDevice({ id: device, name })).join(', ')}`,
      hint: 'name one of them',
    });
  const candidates = admissions.map((waiting) => ({ id: waiting.device, name: waiting.name, waiting }));
  return chooseDevice(
    candidates,
    wish ?? '',
    wish === undefined ? 'no device waits to be let in' : `no device "${wish}" waits to be let in`,
  ).waiting;
}

function assertDigits({ digits }: Waiting, given: string | undefined): void {
  if (given === undefined || given.replace(/\s/g, '') === digits) return;
  throw new LanyardError({
    code: 'FORBIDDEN',
    field: '--digits',
    message: 'these are not the digits of that device',
    hint: 'if its screen really shows them, somebody may sit in between: refuse it, and use an invite',
  });
}

/** Takes devices out of the farm. */
export async function removeDevices(context: Context, wishes: readonly string[]): Promise<ExitCode> {
  const client = await context.connect();
  const { devices: known } = await client.call('listDevices', { signal: context.signal });
  for (const device of wishes.map((wish) => chooseDevice(known, wish))) {
    await client.call('removeDevice', { params: { device: device.id }, signal: context.signal });
    if (context.options.json !== true) context.terminal.line(`${describeDevice(device)} does not belong to the farm any more`);
  }
  if (context.options.json === true) context.terminal.json({ ok: true });
  return EXIT.ok;
}

export const role: Handler = async (context, [wish = '', ...given]) => {
  const roles = given.flatMap((text) => text.split(',')).map(parseRole);
  const client = await context.connect();
  const { devices: known } = await client.call('listDevices', { signal: context.signal });
  const device = chooseDevice(known, wish);
  await client.call('updateDevice', { params: { device: device.id }, body: { roles }, signal: context.signal });
  const changed: Device = { ...device, roles: ROLES.filter((one) => roles.includes(one)) };
  if (context.options.json === true) context.terminal.json(changed);
  else context.terminal.line(`${describeDevice(device)} is now ${changed.roles.join(', ')}`);
  return EXIT.ok;
};

function parseRole(text: string): Role {
  const found = ROLES.find((one) => one === text);
  if (found !== undefined) return found;
  throw new LanyardError({ code: 'INVALID', field: 'ROLE', message: `"${text}" is no role; expected ${ROLES.join(', ')}` });
}

/** A name that anybody may have chosen, with the id that only the device has. */
export function describeDevice({ id, name }: { readonly id: string; readonly name: string }): string {
  return `${plain(name)} (${shortFingerprint(id)})`;
}

/** In two groups, as people read them out. */
export function digitsText(digits: string | null): string | undefined {
  return digits?.replace(/^(\d{3})/, '$1 ');
}
