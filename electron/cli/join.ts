import { hostname } from 'node:os';
import { LanyardError } from '../../shared/errors.ts';
import type { FoundFarm } from '../../shared/ipc.ts';
import { type Device, openDevice } from '../compose/device.ts';
import { type JoinFarmOptions, joinFarm as joinByInvite, type PairOptions, pairWithFarm } from '../compose/join.ts';
import { lookForFarms } from '../compose/look.ts';
import { findDevice } from '../trust/farm.ts';
import { dataFolderOf } from './connection.ts';
import type { Context, Handler } from './context.ts';
import { digitsText } from './device-commands.ts';
import { EXIT } from './exit-codes.ts';
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
  say(context, await joinByInvite(invite, joinOptions(context, device, name)));
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
  const chosen = given === undefined ? await chooseFarm(context, settings) : { address: given };
  const compare = async (digits: string) => {
    terminal.note(`both screens must show ${digitsText(digits)}; an administrator sees it with \`lanyard approve\``);
    return /^y(es)?$/i.test(await terminal.ask('is it the same there? [y/N]', signal));
  };
  const usualPort = settings.coordinator.apiPort;
  say(context, await pairWithFarm({ ...joinOptions(context, device, name), ...chosen, usualPort, compare }));
}

async function chooseFarm(context: Context, { worker }: Settings): Promise<Pick<PairOptions, 'address' | 'expected'>> {
  const { terminal, signal } = context;
  terminal.note('looking for farms on the local network');
  const farms = await lookForFarms(worker);
  if (farms.length === 0)
    throw new LanyardError({
      code: 'NOT_FOUND',
      message: 'no farm announces itself on the local network',
      hint: 'name the coordinator with --address HOST:PORT, or use an invite; `lanyard doctor` looks for what is in the way',
    });
  for (const [at, farm] of farms.entries()) terminal.note(`${String(at + 1).padStart(3)}  ${describeFarm(farm)}`);
  const answer = await terminal.ask(`which one? [1-${farms.length}]`, signal);
  const chosen = /^\d{1,4}$/.test(answer) ? farms[Number(answer) - 1] : undefined;
  const [address] = chosen?.addresses ?? [];
  if (chosen === undefined || address === undefined)
    throw new LanyardError({ code: 'INVALID', message: `"${plain(answer)}" is none of the farms` });
  return { address, expected: chosen.coordinator };
}

function describeFarm({ name, coordinatorName, fingerprint, addresses }: FoundFarm): string {
  return `${plain(name)}, coordinated by ${plain(coordinatorName)} (${fingerprint}) at ${addresses.join(', ')}`;
}

function joinOptions({ terminal, signal }: Context, device: Device, name: string): JoinFarmOptions {
  const logger = { debug() {}, info() {}, warn: (message: string) => terminal.note(message), error() {} };
  const waiting = () => terminal.note(`waiting for an administrator to let ${plain(name)} (${device.identity.shortFingerprint}) in`);
  return { device, name, logger, signal, waiting };
}

function say({ terminal }: Context, { farm }: { readonly farm: string }): void {
  terminal.note(`joined the farm "${plain(farm)}"`);
}
