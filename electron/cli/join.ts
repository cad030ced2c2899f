import { hostname } from 'node:os';
import { formatAddress } from '../../shared/address.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { NodeId } from '../../shared/ids.ts';
import { addressSchema } from '../../shared/trust.ts';
import { type Device, openDevice } from '../compose/device.ts';
import { openLocator } from '../compose/locator.ts';
import { parseAddress } from '../discovery/address.ts';
import type { FoundNode } from '../ports/discovery.ts';
import { shortFingerprint } from '../trust/certificate.ts';
import { findDevice } from '../trust/farm.ts';
import { parseInvite } from '../trust/invite-text.ts';
import { type Joined, type JoinOptions, joinByDigits, joinByInvite } from '../trust/joining.ts';
import { dataFolderOf } from './connection.ts';
import type { Context, Handler } from './context.ts';
import { digitsText } from './device-commands.ts';
import { EXIT } from './exit-codes.ts';
import { lookAround } from './look.ts';
import { readSettingsFile, resolveSettings, type Settings } from './settings.ts';
import { plain } from './text.ts';

export interface JoinCommandOptions {
  readonly address?: string;
  readonly name?: string;
}

/** Makes this device one of a farm: with an invite, or by six digits that two people compare. */
export const join: Handler<JoinCommandOptions> = async (context, [invite], { address, name }) => {
  const dataFolder = dataFolderOf(context.options, context.env);
  const settings = resolveSettings({ flags: {}, environment: context.env, file: await readSettingsFile(dataFolder) });
  const device = await openDevice(dataFolder);
  const ownName = name ?? settings.worker.name ?? hostname();
  if (invite !== undefined) await joinFarm(context, device, ownName, invite);
  else await joinByComparing(context, device, ownName, settings, address);
  const farm = device.roster.current;
  const self = farm === undefined ? undefined : findDevice(farm, device.identity.id);
  if (context.options.json === true)
    context.terminal.json({
      farm: { id: farm?.farm.id, name: farm?.farm.name },
      device: { id: self?.id, name: self?.name, roles: self?.roles },
    });
  else if (self?.roles.includes('worker')) context.terminal.note('`lanyard up` makes this machine work for it');
  return EXIT.ok;
};

/** Joins the farm of an invite, and remembers where its coordinator is. @throws LanyardError as `parseInvite` and `joinByInvite` */
export async function joinFarm(context: Context, device: Device, name: string, invite: string): Promise<void> {
  await keep(context, device, await joinByInvite(parseInvite(invite), joinOptions(context, device, name)));
}

async function joinByComparing(
  context: Context,
  device: Device,
  name: string,
  settings: Settings,
  given: string | undefined,
): Promise<void> {
  const { terminal, signal } = context;
  if (!terminal.canAsk)
    throw new LanyardError({
      code: 'INVALID',
      field: 'INVITE',
      message: 'without an invite somebody has to compare six digits, and there is nobody at this terminal',
      hint: 'run `lanyard invite` on a machine of the farm, and `lanyard join INVITE` here',
    });
  const { address, expected } = given === undefined ? await chooseFarm(context, settings) : typedAddress(given, settings);
  const compare = async (digits: string) => {
    terminal.note(`both screens must show ${digitsText(digits)}; an administrator sees it with \`lanyard approve\``);
    return /^y(es)?$/i.test(await terminal.ask('is it the same there? [y/N]', signal));
  };
  const options = joinOptions(context, device, name);
  await keep(context, device, await joinByDigits({ ...options, address, compare, ...(expected === undefined ? {} : { expected }) }));
}

interface FarmAddress {
  readonly address: string;
  /** Who should answer there; an announcement is only a hint, and so is this. */
  readonly expected?: NodeId;
}

function typedAddress(text: string, { coordinator }: Settings): FarmAddress {
  const { host, port } = parseAddress(text);
  const address = formatAddress(host, port ?? coordinator.apiPort);
  if (addressSchema.safeParse(address).success) return { address };
  throw new LanyardError({ code: 'INVALID', field: '--address', message: `"${plain(text)}" is no address`, hint: 'expected HOST:PORT' });
}

async function chooseFarm(context: Context, settings: Settings): Promise<FarmAddress> {
  const { terminal, signal } = context;
  terminal.note('looking for farms on the local network');
  const { found } = await lookAround(settings);
  const farms = found.filter(({ announcement }) => announcement.roles.includes('coordinator') && announcement.ports.api !== null);
  if (farms.length === 0)
    throw new LanyardError({
      code: 'NOT_FOUND',
      message: 'no farm announces itself on the local network',
      hint: 'name the coordinator with --address HOST:PORT, or use an invite; `lanyard doctor` looks for what is in the way',
    });
  for (const [at, farm] of farms.entries()) terminal.note(`${String(at + 1).padStart(3)}  ${describeFarm(farm)}`);
  const answer = await terminal.ask(`which one? [1-${farms.length}]`, signal);
  const chosen = /^\d{1,4}$/.test(answer) ? farms[Number(answer) - 1] : undefined;
  const [host] = chosen?.addresses ?? [];
  if (chosen === undefined || host === undefined)
    throw new LanyardError({ code: 'INVALID', message: `"${plain(answer)}" is none of the farms` });
  return { address: formatAddress(host, chosen.announcement.ports.api), expected: chosen.announcement.nodeId };
}

function describeFarm({ announcement, addresses }: FoundNode): string {
  const { farmName, nodeName, nodeId } = announcement;
  return `${plain(farmName)}, coordinated by ${plain(nodeName)} (${shortFingerprint(nodeId)}) at ${addresses.join(', ')}`;
}

function joinOptions({ terminal, signal }: Context, { identity, roster }: Device, name: string): JoinOptions {
  const waiting = () => terminal.note(`waiting for an administrator to let ${plain(name)} (${identity.shortFingerprint}) in`);
  return { identity, roster, name, signal, waiting };
}

async function keep({ terminal }: Context, device: Device, { roster, coordinatorAt }: Joined): Promise<void> {
  const logger = { debug() {}, info() {}, warn: (message: string) => terminal.note(message), error() {} };
  await (await openLocator({ device, discovery: undefined, logger })).learn([coordinatorAt]);
  terminal.note(`joined the farm "${plain(roster.farm.name)}"`);
}
