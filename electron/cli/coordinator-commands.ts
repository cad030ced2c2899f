import { setTimeout as pause } from 'node:timers/promises';
import { LanyardError } from '../../shared/errors.ts';
import type { HandoverState, RosterDevice } from '../../shared/trust.ts';
import { type Client, createClient } from '../api/client.ts';
import { findDevice as deviceInRoster, moveCoordinator } from '../trust/farm.ts';
import { type Connection, connectionAfterMove, dataFolderOf, findConnection, findDevice } from './connection.ts';
import type { Context, Handler } from './context.ts';
import { describeDevice } from './device-commands.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { chooseDevice } from './targets.ts';
import { plain } from './text.ts';
import { formatBytes } from './units.ts';

/** Which device coordinates the farm, and how another one comes to do it. */

type Device = Omit<RosterDevice, 'certificate'>;

export const coordinator: Handler = async (context) => {
  const client = await context.connect();
  const { coordinator: id, term, devices } = await client.call('listDevices', { signal: context.signal });
  const handover = await client.call('coordinatorState', { signal: context.signal });
  const device = devices.find((one) => one.id === id);
  if (context.options.json === true) {
    context.terminal.json({ coordinator: device ?? { id }, term, handover });
    return EXIT.ok;
  }
  context.terminal.line(`${device === undefined ? id : describeDevice(device)} coordinates the farm, in term ${term}`);
  if (handover.phase !== 'none') context.terminal.line(`handing over: ${plain(handover.message)}`);
  return EXIT.ok;
};

const LOOK_EVERY_MS = 500;
/** How long the old and the new coordinator may both be silent in between. */
const SILENCE_MS = 60_000;

/** Hands coordination over, and watches until the other device has it. Ctrl-C ends the watching only. */
export const move: Handler = async (context, [wish = '']) => {
  const client = await context.connect();
  const { devices } = await client.call('listDevices', { signal: context.signal });
  const device = chooseDevice(devices, wish);
  const connection = await findConnection(context.options, context.env);
  const { host } = await client.call('moveCoordinator', { body: { device: device.id }, signal: context.signal });
  const successor = { device, host, connection };
  try {
    const state = await untilMoved(context, client, successor);
    context.terminal.progress(undefined);
    if (state.phase === 'failed') throw new LanyardError({ code: 'CONFLICT', message: state.message });
    return announceMove(context, successor);
  } catch (error) {
    context.terminal.progress(undefined);
    if (context.signal.aborted)
      context.terminal.note(
        'coordination goes on moving; `lanyard coordinator` says how it stands, `lanyard coordinator cancel` takes it back',
      );
    throw error;
  }
};

/** Who is to coordinate, from where it is connected, and how the coordinator of before was reached. */
interface Successor {
  readonly device: Device;
  readonly host: string | null;
  readonly connection: Connection;
}

/** Takes back a move that is under way. */
export const cancelMove: Handler = async (context) => {
  const client = await context.connect();
  const state = await client.call('cancelMove', { signal: context.signal });
  if (context.options.json === true) context.terminal.json({ handover: state });
  else context.terminal.line(plain(state.message));
  return EXIT.ok;
};

async function untilMoved(context: Context, client: Client, successor: Successor): Promise<HandoverState> {
  const { signal, terminal } = context;
  let heardAtMs = performance.now();
  let lastMessage = '';
  for (;;) {
    try {
      const state = await client.call('coordinatorState', { signal });
      heardAtMs = performance.now();
      if (state.phase === 'done' || state.phase === 'failed') return state;
      const text = `${plain(state.message)} ${formatBytes(state.doneBytes)} of ${formatBytes(state.totalBytes)}`;
      terminal.progress(text);
      if (!terminal.isInteractive && state.message !== lastMessage) terminal.note(plain(state.message));
      lastMessage = state.message;
    } catch (error) {
      if (!(error instanceof LanyardError) || !['UNAVAILABLE', 'GONE', 'FORBIDDEN'].includes(error.code)) throw error;
      // Who has handed over stops answering at once: ask whoever coordinates by now.
      const state = await askAnew(context, successor);
      if (state !== undefined) return state;
      if (performance.now() - heardAtMs > SILENCE_MS) throw error;
    }
    await pause(LOOK_EVERY_MS, undefined, { signal });
  }
}

/**
 * Whoever coordinates by now: as the options lead there, or, where they name the coordinator of before, at the host of its successor.
 * @returns undefined while nobody can say
 */
async function askAnew(context: Context, { device, host, connection }: Successor): Promise<HandoverState | undefined> {
  const ways = [
    () => context.connect(),
    ...(host === null ? [] : [async () => createClient(await connectionAfterMove(connection, device.id, host))]),
  ];
  for (const connect of ways)
    try {
      const { coordinator: now } = await (await connect()).call('listDevices', { signal: context.signal });
      if (now === device.id)
        return { phase: 'done', to: now, host, doneBytes: 0, totalBytes: 0, message: 'The other device coordinates now.' };
    } catch {
      context.signal.throwIfAborted();
    }
  return undefined;
}

function announceMove({ options, env, terminal }: Context, { device, host }: Successor): ExitCode {
  const isNamed = options.url !== undefined || (options.data === undefined && (env.LANYARD_URL ?? '') !== '');
  if (options.json === true) {
    terminal.json({ coordinator: device, host });
    return EXIT.ok;
  }
  terminal.line(`${describeDevice(device)} coordinates the farm now${host === null ? '' : `, at ${host}`}`);
  if (isNamed)
    terminal.note(
      `the address that was named with --url (LANYARD_URL) is a coordinator's no more; tokens stay good, and \`lanyard token create\` prints how ${host ?? 'the new one'} is reached`,
    );
  return EXIT.ok;
}

const LOST = [
  'Coordination is taken, not handed over. What only the old coordinator had is lost to the farm:',
  '  - the queue and the history of all jobs, with their inputs, logs and outputs;',
  '  - tokens of people and scripts, open invites, and the audit log;',
  '  - tasks that run now are given up by their workers.',
  'Devices and their roles stay. Should the old coordinator come back, it steps down.',
];

/** Makes this device the coordinator in place of one that is gone for good. */
export const take: Handler<{ readonly force?: boolean }> = async (context, _operands, { force = false }) => {
  const { terminal, signal } = context;
  const device = await findDevice(dataFolderOf(context.options, context.env));
  const roster = device?.roster.current;
  if (device === undefined || roster === undefined) throw new LanyardError({ code: 'CONFLICT', message: 'this device belongs to no farm' });
  // Refuses who may not before anybody is asked.
  moveCoordinator(roster, device.identity, device.identity.id);
  const old = deviceInRoster(roster, roster.coordinator);
  const oldName = old === undefined ? roster.coordinator : describeDevice(old);
  if (!force) {
    if (await isAnswering(context, device.dataFolder))
      throw new LanyardError({
        code: 'CONFLICT',
        message: `${oldName} answers, and coordinates the farm`,
        hint: 'hand coordination over without loss: `lanyard coordinator move DEVICE`',
      });
    for (const line of LOST) terminal.note(line);
    if (!terminal.canAsk)
      throw new LanyardError({ code: 'INVALID', field: '--force', message: 'nobody is there to agree to that', hint: 'add --force' });
    const answer = await terminal.ask(`take coordination from ${oldName}? [y/N]`, signal);
    if (!/^y(es)?$/i.test(answer)) return EXIT.interrupted;
  }
  const { takeCoordination } = await import('../compose/take.ts');
  const taken = await takeCoordination(device);
  if (context.options.json === true) context.terminal.json({ coordinator: device.identity.id, term: taken.term });
  else {
    terminal.line(`this device coordinates the farm "${plain(taken.farm.name)}" now, in term ${taken.term}`);
    terminal.note('`lanyard up` starts the coordinator, if it does not run here already; workers find it on the local network');
  }
  return EXIT.ok;
};

async function isAnswering(context: Context, dataFolder: string): Promise<boolean> {
  try {
    await findConnection({ data: dataFolder }, context.env);
    return true;
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof LanyardError && error.code === 'UNAVAILABLE') return false;
    throw error;
  }
}
