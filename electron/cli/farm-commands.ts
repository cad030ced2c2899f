import { hostname } from 'node:os';
import { LanyardError } from '../../shared/errors.ts';
import type { Roster } from '../../shared/trust.ts';
import { type Device, foundFarm, leaveFarm, openDevice } from '../compose/device.ts';
import { findDevice as deviceInRoster } from '../trust/farm.ts';
import { dataFolderOf, findConnection, findDevice, readConnection } from './connection.ts';
import type { Context, Handler } from './context.ts';
import { describeDevice } from './device-commands.ts';
import { EXIT } from './exit-codes.ts';
import { readSettingsFile, resolveSettings } from './settings.ts';
import { plain } from './text.ts';

/** What this device belongs to. */
export const farm: Handler = async (context) => {
  const device = await findDevice(dataFolderOf(context.options, context.env));
  const { terminal } = context;
  const roster = device?.roster.current;
  if (context.options.json === true) {
    terminal.json(farmJson(device, roster));
    return EXIT.ok;
  }
  if (device === undefined || roster === undefined) {
    terminal.line('this device belongs to no farm');
    terminal.note('`lanyard farm create NAME` makes one, `lanyard join` joins one');
    return EXIT.ok;
  }
  const self = deviceInRoster(roster, device.identity.id);
  const coordinator = deviceInRoster(roster, roster.coordinator);
  for (const [name, value] of [
    ['farm', plain(roster.farm.name)],
    ['its id', roster.farm.id],
    ['this device', self === undefined ? `${device.identity.shortFingerprint}, which was removed` : describeDevice(self)],
    ['its id', device.identity.id],
    ['roles', self?.roles.join(', ') ?? '-'],
    ['coordinator', coordinator?.id === device.identity.id ? 'this device' : coordinator === undefined ? '-' : describeDevice(coordinator)],
    ['term', String(roster.term)],
    ['devices', String(roster.devices.length)],
  ])
    terminal.line(`${name?.padEnd(12)}${value}`);
  return EXIT.ok;
};

function farmJson(device: Device | undefined, roster: Roster | undefined) {
  const self = device === undefined || roster === undefined ? undefined : deviceInRoster(roster, device.identity.id);
  return {
    farm: roster === undefined ? null : { id: roster.farm.id, name: roster.farm.name },
    device: device === undefined ? null : { id: device.identity.id, name: self?.name ?? null, roles: self?.roles ?? [] },
    coordinator: roster?.coordinator ?? null,
    term: roster?.term ?? null,
  };
}

/** Makes a farm that this device coordinates. */
export const createFarm: Handler<{ readonly name?: string }> = async (context, [farmName = ''], { name }) => {
  const dataFolder = dataFolderOf(context.options, context.env);
  const settings = resolveSettings({ flags: {}, environment: context.env, file: await readSettingsFile(dataFolder) });
  const device = await openDevice(dataFolder);
  const roster = await foundFarm(device, farmName, name ?? settings.worker.name ?? hostname());
  if (context.options.json === true) context.terminal.json(farmJson(device, roster));
  else {
    context.terminal.line(
      `farm "${plain(roster.farm.name)}" is made, and this device (${device.identity.shortFingerprint}) coordinates it`,
    );
    context.terminal.note('`lanyard up` starts it; the farm’s own key is in farm-key.pem of the data folder, and worth a backup');
  }
  return EXIT.ok;
};

export const leave: Handler<{ readonly force?: boolean }> = async (context, _operands, { force = false }) => {
  const device = await findDevice(dataFolderOf(context.options, context.env));
  const roster = device?.roster.current;
  if (device === undefined || roster === undefined) throw new LanyardError({ code: 'CONFLICT', message: 'this device belongs to no farm' });
  const isTold = roster.coordinator === device.identity.id ? await endFarm(context, device, roster, force) : await tellFarm(context, force);
  const aside = await leaveFarm(device);
  if (context.options.json === true) context.terminal.json({ left: { id: roster.farm.id, name: roster.farm.name }, isTold, aside });
  else {
    context.terminal.line(`this device has left the farm "${plain(roster.farm.name)}"`);
    if (aside !== null) context.terminal.note(`what it kept of the farm is in ${aside}`);
    if (!isTold) context.terminal.note('the farm does not know yet; an administrator takes the device out with `lanyard remove`');
  }
  return EXIT.ok;
};

/** @returns whether the coordinator knows */
async function tellFarm(context: Context, force: boolean): Promise<boolean> {
  const { createClient } = await import('../api/client.ts');
  try {
    // Through the data folder, whatever LANYARD_URL says: only the device itself can leave.
    const { data } = context.options;
    const client = createClient(await findConnection({ data: dataFolderOf({ data }, context.env) }, context.env));
    await client.call('leave', { signal: context.signal }).catch((error: unknown) => {
      // It answered a moment ago; whoever leaves is cut off, often before the answer.
      if (!(error instanceof LanyardError) || error.code !== 'UNAVAILABLE') throw error;
    });
    return true;
  } catch (error) {
    if (force && !context.signal.aborted) return false;
    if (!(error instanceof LanyardError)) throw error;
    throw new LanyardError({ ...error.toValue(), hint: 'to leave without telling the farm, add --force' }, { cause: error });
  }
}

/** A farm without its coordinator is none: that is said before anything is done. */
async function endFarm(context: Context, device: Device, roster: Roster, force: boolean): Promise<boolean> {
  const others = roster.devices.length - 1;
  if (others > 0 && !force)
    throw new LanyardError({
      code: 'CONFLICT',
      message: `this device coordinates the farm "${roster.farm.name}", to which ${others} other ${others === 1 ? 'device belongs' : 'devices belong'}`,
      hint: 'hand coordination over first: `lanyard coordinator move DEVICE`; --force leaves them without a coordinator',
    });
  const stored = await readConnection(device.dataFolder);
  const isUp = stored !== undefined && (await answers(stored.url, context.signal));
  if (isUp)
    throw new LanyardError({
      code: 'CONFLICT',
      message: 'the coordinator runs from this data folder',
      hint: 'end it (Ctrl-C in `lanyard up`, or quit the app), and try again',
    });
  return others === 0;
}

async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  const { createClient } = await import('../api/client.ts');
  try {
    await createClient({ url }).call('health', { signal });
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
