import { networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { LanyardError } from '../../shared/errors.ts';
import type { CoordinatorNode, WorkerNode } from '../compose.ts';
import type { Logger } from '../ports.ts';
import { readConnection } from './connection.ts';
import type { Context, Handler } from './context.ts';
import { dashboardLink, findDashboard } from './dashboard.ts';
import { defaultDataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
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
  readonly url: string;
  /** This machine's node; null without a worker. */
  readonly node: string | null;
  readonly dataFolder: string;
}

/** Runs a coordinator, a worker or both until it is told to end. */
export const up: Handler<UpOptions> = async (context, _operands, options) => {
  const dataFolder = context.options.data === undefined ? defaultDataFolder(context.env) : resolve(context.cwd, context.options.data);
  const settings = resolveSettings({ flags: settingFlags(options), environment: context.env, file: await readSettingsFile(dataFolder) });
  const parts = partsOf(options);
  const remote = options.join === undefined ? undefined : await joinTarget(context, options.join, dataFolder);
  const { createLogger } = await import('../machine/logger.ts');
  const logger = createLogger({ level: options.logLevel ?? 'info' });
  const { startCoordinator, startWorker } = await import('../compose.ts');
  let coordinator: CoordinatorNode | undefined;
  let worker: WorkerNode | undefined;
  try {
    if (parts.coordinator) {
      const dashboardFolder = await findDashboard();
      coordinator = await startCoordinator({
        dataFolder,
        settings: settings.coordinator,
        logger,
        ...(dashboardFolder === undefined ? {} : { dashboardFolder }),
      });
    }
    const target = remote ?? (await ownTarget(coordinator, dataFolder));
    // The worker's files stand apart from the coordinator's, so that either can be moved or removed alone.
    if (parts.worker)
      worker = await startWorker({
        dataFolder: join(dataFolder, 'worker'),
        coordinatorUrl: target.url,
        token: target.token,
        settings: settings.worker,
        logger,
      });
    announce(context, settings, dataFolder, { coordinator, worker, url: target.url });
    return await untilEnd(context, worker, logger);
  } finally {
    await worker?.close();
    await coordinator?.close();
  }
};

/** Both, unless one is asked for; one that joins another coordinator needs none of its own. */
function partsOf(options: UpOptions): { readonly coordinator: boolean; readonly worker: boolean } {
  if (options.only === 'coordinator' && options.join !== undefined)
    throw new LanyardError({ code: 'INVALID', message: '--join makes a worker of this machine; it does not go with --only coordinator' });
  const workerOnly = options.only === 'worker' || options.join !== undefined;
  return { coordinator: !workerOnly, worker: options.only !== 'coordinator' };
}

interface Target {
  readonly url: string;
  readonly token: string;
}

async function joinTarget(context: Context, url: string, dataFolder: string): Promise<Target> {
  const token = context.options.token ?? context.env.LANYARD_TOKEN;
  if (token !== undefined && token !== '') return { url, token };
  const own = await readConnection(dataFolder);
  if (own !== undefined && URL.canParse(url) && new URL(own.url).origin === new URL(url).origin) return { url, token: own.workerToken };
  throw new LanyardError({
    code: 'UNAUTHENTICATED',
    message: `there is no token for ${url}`,
    hint: 'give the coordinator’s workerToken (it stands in its connection.json) with --token, or in LANYARD_TOKEN',
  });
}

/** The coordinator of this process, or else the one that has this data folder. */
async function ownTarget(coordinator: CoordinatorNode | undefined, dataFolder: string): Promise<Target> {
  const connection = coordinator?.connection ?? (await readConnection(dataFolder));
  if (connection === undefined)
    throw new LanyardError({
      code: 'INVALID',
      message: `--only worker needs a coordinator, and there is none in ${dataFolder}`,
      hint: 'name one with --join URL --token TOKEN',
    });
  return { url: reachable(connection.url), token: connection.workerToken };
}

/** An address to listen on at every interface is none to connect to. */
function reachable(url: string): string {
  const address = new URL(url);
  if (address.hostname === '0.0.0.0') address.hostname = '127.0.0.1';
  if (address.hostname === '[::]') address.hostname = '[::1]';
  return address.origin;
}

function announce(
  context: Context,
  settings: Settings,
  dataFolder: string,
  { coordinator, worker, url }: { coordinator: CoordinatorNode | undefined; worker: WorkerNode | undefined; url: string },
): void {
  const announcement: UpAnnouncement = { url: reachable(url), node: worker?.id ?? null, dataFolder };
  const { terminal } = context;
  if (context.options.json === true) {
    terminal.json(announcement, 'compact');
    return;
  }
  if (coordinator === undefined) {
    terminal.note(`this machine works for ${url} as ${worker?.id}; Ctrl-C ends it`);
    return;
  }
  terminal.note(`farm "${settings.coordinator.farmName}" is up at ${announcement.url}; Ctrl-C ends it`);
  terminal.note(`its data: ${dataFolder}`);
  // A token belongs on a screen that somebody looks at, not in the journal of a service.
  terminal.note(
    terminal.isInteractive
      ? `its dashboard: ${dashboardLink({ ...coordinator.connection, url: announcement.url })}`
      : 'its dashboard: `lanyard dashboard` prints a link',
  );
  const { hostname, port } = new URL(coordinator.url);
  const addresses = hostname === '0.0.0.0' || hostname === '[::]' ? lanAddresses() : [];
  if (addresses.length === 0) terminal.note('other machines cannot reach it; `--host 0.0.0.0` lets them');
  for (const address of addresses)
    terminal.note(`another machine joins with: lanyard up --join http://${address}:${port} --token (workerToken of connection.json)`);
}

function lanAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((one) => !one.internal && one.family === 'IPv4')
    .map((one) => one.address);
}

/** Ends on Ctrl-C, when the coordinator refuses the worker for good, or when a program that started this one over IPC is gone. */
async function untilEnd(context: Context, worker: WorkerNode | undefined, logger: Logger): Promise<ExitCode> {
  const { promise: asked, resolve: ask } = Promise.withResolvers<undefined>();
  const end = () => ask(undefined);
  // `false` only where there was a channel, and it is closed.
  if (context.signal.aborted || process.connected === false) return EXIT.ok;
  context.signal.addEventListener('abort', end, { once: true });
  process.once('disconnect', end);
  const refused = await Promise.race([asked, worker?.refused ?? asked]);
  process.removeListener('disconnect', end);
  if (refused === undefined) {
    logger.info('going down');
    return EXIT.ok;
  }
  throw new LanyardError({ code: 'FORBIDDEN', message: `the coordinator refuses this worker: ${refused}` });
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
