import { hostname } from 'node:os';
import { LanyardError } from '../../shared/errors.ts';
import { type Device, foundFarm, openDevice } from '../compose/device.ts';
import type { LanyardNode } from '../compose/node.ts';
import type { Logger } from '../ports/system.ts';
import { dataFolderOf } from './connection.ts';
import type { Context, Handler } from './context.ts';
import { dashboardLink, findDashboard } from './dashboard.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { joinFarm } from './join.ts';
import { readSettingsFile, resolveSettings, type Settings } from './settings.ts';
import { SETTINGS } from './settings-table.ts';

export interface UpOptions {
  readonly only?: 'coordinator' | 'worker';
  readonly join?: string;
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error';
  /** The settings' flags, in camel case as commander has them. */
  readonly [flag: string]: unknown;
}

/** What other programs read from the first line that `lanyard up --json` prints. */
export interface UpAnnouncement {
  /** Where this machine's coordinator listens for this machine; null without one. */
  readonly url: string | null;
  /** This device's id, which is also its node's. */
  readonly node: string;
  readonly dataFolder: string;
}

/** Runs what this device is in its farm until it is told to end; makes or joins a farm first where there is none. */
export const up: Handler<UpOptions> = async (context, _operands, options) => {
  const dataFolder = dataFolderOf(context.options, context.env);
  const settings = resolveSettings({ flags: settingFlags(options), environment: context.env, file: await readSettingsFile(dataFolder) });
  const device = await openDevice(dataFolder);
  await enterFarm(context, device, settings, options);
  const { createLogger } = await import('../machine/logger.ts');
  const logger = createLogger({ level: options.logLevel ?? 'info' });
  const { startNode } = await import('../compose/node.ts');
  const dashboardFolder = await findDashboard();
  const node = await startNode({
    device,
    settings,
    logger,
    coordinates: options.only !== 'worker',
    works: options.only !== 'coordinator',
    ...(dashboardFolder === undefined ? {} : { dashboardFolder }),
  });
  try {
    announce(context, node);
    return await untilEnd(context, node, logger);
  } finally {
    await node.close();
  }
};

/** A device that belongs to no farm joins the one it is invited to; without an invite it makes one. */
async function enterFarm(context: Context, device: Device, settings: Settings, options: UpOptions): Promise<void> {
  const invite = options.join ?? context.env.LANYARD_INVITE;
  const farm = device.roster.current;
  if (farm !== undefined) {
    // Started again with the same command line: the invite did its work the first time.
    if (invite !== undefined)
      context.terminal.note(`this device belongs to the farm "${farm.farm.name}" already; the invite is not needed`);
    return;
  }
  const name = settings.worker.name ?? hostname();
  if (invite !== undefined && invite !== '') {
    await joinFarm(context, device, name, invite);
    return;
  }
  if (options.only === 'worker')
    throw new LanyardError({
      code: 'INVALID',
      message: `--only worker needs a farm, and the device of ${device.dataFolder} belongs to none`,
      hint: 'join one: `lanyard invite` on the coordinator, then `lanyard up --join INVITE` here',
    });
  await foundFarm(device, settings.coordinator.farmName, name);
}

function announce(context: Context, node: LanyardNode): void {
  const { terminal } = context;
  const { device, coordinator } = node;
  const announcement: UpAnnouncement = { url: coordinator?.url ?? null, node: device.identity.id, dataFolder: device.dataFolder };
  if (context.options.json === true) {
    terminal.json(announcement, 'compact');
    return;
  }
  const farm = device.roster.current?.farm.name;
  if (coordinator === undefined) {
    terminal.note(`this machine works for the farm "${farm}" as ${device.identity.shortFingerprint}; Ctrl-C ends it`);
    return;
  }
  terminal.note(`farm "${farm}" is up at ${coordinator.url}; Ctrl-C ends it`);
  terminal.note(`its data: ${device.dataFolder}`);
  // A token belongs on a screen that somebody looks at, not in the journal of a service.
  terminal.note(
    terminal.isInteractive ? `its dashboard: ${dashboardLink(coordinator.connection)}` : 'its dashboard: `lanyard dashboard` prints a link',
  );
  terminal.note(
    coordinator.addresses.length === 0
      ? 'other machines cannot reach it; `--lan-host 0.0.0.0` lets them'
      : 'another machine joins with what `lanyard invite` prints',
  );
}

/** Ends on Ctrl-C, when the node cannot go on, or when a program that started this one over IPC is gone. */
async function untilEnd(context: Context, node: LanyardNode, logger: Logger): Promise<ExitCode> {
  const { promise: asked, resolve: ask } = Promise.withResolvers<undefined>();
  const end = () => ask(undefined);
  // `false` only where there was a channel, and it is closed.
  if (context.signal.aborted || process.connected === false) return EXIT.ok;
  context.signal.addEventListener('abort', end, { once: true });
  process.once('disconnect', end);
  const failed = await Promise.race([asked, node.failed]);
  process.removeListener('disconnect', end);
  if (failed === undefined) {
    logger.info('going down');
    return EXIT.ok;
  }
  throw new LanyardError({ code: 'FORBIDDEN', message: `this node cannot go on: ${failed}` });
}

/** Commander's names (`maxParallel`) back to those of the flags (`max-parallel`). */
function settingFlags(options: UpOptions): Readonly<Record<string, string | boolean | readonly string[] | undefined>> {
  return Object.fromEntries(
    SETTINGS.map(({ flag }) => {
      const name = flag.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
      return [flag, options[name] as string | boolean | readonly string[] | undefined];
    }),
  );
}
