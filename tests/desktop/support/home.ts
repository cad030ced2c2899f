import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { _electron, type ElectronApplication, test } from '@playwright/test';
import { type Client, createClient } from '../../../electron/api/client.ts';
import { foundFarm, openDevice } from '../../../electron/compose/device.ts';
import { findElectron } from './electron.ts';
import { type Session, startSession } from './session.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');

/** What the app finds on the disk of a person: its data folder. It can be started there again and again. */
export interface Home {
  readonly folder: string;
  /** Where the farm's files lie. */
  readonly data: string;
  /** In which its programs run. */
  readonly environment: Readonly<Record<string, string>>;
  /** The desktop that they find there. A test that asks for it is skipped where it cannot be played. */
  readonly session: Session;
  /** What the programs wrote, for a failure to show. */
  readonly log: () => string;
  start(args?: readonly string[]): Promise<ElectronApplication>;
  /** Starts it once more beside the one that runs. @returns its exit status */
  startSecond(args?: readonly string[]): Promise<number | null>;
  /** The farm of the app that runs here, as an administrator sees it. */
  client(): Promise<Client>;
  /** The same farm, as somebody else sees it. */
  clientOf(connection: { readonly url: string; readonly token: string }): Client;
  /** A file of the data folder. */
  read(name: string): Promise<string>;
  /** Ends what still runs, and removes all files. */
  remove(): Promise<void>;
}

export interface HomeWish {
  /** Whether there is a farm already, as after the first run; default: there is. */
  readonly hasFarm?: boolean;
  readonly settings?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Laid over that of the tests. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Tasks run without a container as well, and the coordinator takes any port. */
const SETTINGS = {
  coordinator: { port: 0, peerPort: 0, apiPort: 0, lanHost: '127.0.0.1', discovery: false },
  worker: { host: true, name: 'this-machine', ownerClearMs: 0 },
} as const;

export async function createHome({ settings = {}, hasFarm = true, environment: wished = {} }: HomeWish = {}): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-desktop-'));
  const data = join(folder, 'data');
  await mkdir(data, { mode: 0o700 });
  const file = {
    ...settings,
    coordinator: { ...SETTINGS.coordinator, ...settings.coordinator },
    worker: { ...SETTINGS.worker, ...settings.worker },
  };
  await writeFile(join(data, 'settings.json'), JSON.stringify(file));
  if (hasFarm) await foundFarm(await openDevice(data), 'farm', file.worker.name);
  const running = new Set<ElectronApplication>();
  const session = process.platform === 'linux' ? await startSession(folder) : undefined;
  const environment = { ...environmentOf(folder, data), ...session?.environment, ...wished };
  let output = '';
  const logFile = join(data, 'desktop/logs/lanyard.log');
  const readLog = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  return {
    folder,
    data,
    environment,
    get session() {
      if (session === undefined) {
        test.skip(true, 'only the desktop of Linux is played');
        throw new Error('there is no session');
      }
      return session;
    },
    log: () => `${output}\n${readLog()}`,
    async start(args = []) {
      const before = lives(readLog());
      const { executable, first } = await command();
      const app = await _electron.launch({ executablePath: executable, args: [...first, ...args], env: environment });
      const child = app.process();
      running.add(app);
      child.once('exit', () => running.delete(app));
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (bytes: Buffer) => {
          output += bytes.toString();
        });
      // Its own log has it all; what it prints may be gone before anybody listens.
      while (lives(readLog()) <= before) {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the app ended at its start:\n${output}\n${readLog()}`);
        await pause(50);
      }
      return app;
    },
    async startSecond(args = []) {
      const { executable, first } = await command();
      const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
      const child = spawn(executable, [...sandbox, ...first, ...args], { env: environment, stdio: 'ignore' });
      const [status] = (await once(child, 'exit')) as [number | null];
      return status;
    },
    async client() {
      const { url, token } = JSON.parse(await readFile(join(data, 'connection.json'), 'utf8')) as { url: string; token: string };
      return createClient({ url, token });
    },
    clientOf: createClient,
    read: (name) => readFile(join(data, name), 'utf8'),
    async remove() {
      for (const app of running) await end(app);
      await session?.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

/** Ends it as the system would at log-out. */
export async function end(app: ElectronApplication): Promise<void> {
  const child = app.process();
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

async function command(): Promise<{ readonly executable: string; readonly first: readonly string[] }> {
  const { executable, needsSqlite } = await findElectron();
  const shim = needsSqlite ? ['-r', join(import.meta.dirname, 'sqlite-shim.cjs')] : [];
  return { executable, first: [...shim, REPOSITORY] };
}

/** How often the app has said that it is up. */
function lives(log: string): number {
  return log.split('"the app is up"').length - 1;
}

function environmentOf(folder: string, data: string): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name, value]) => value !== undefined && !name.startsWith('LANYARD_'));
  const folders = { XDG_CONFIG_HOME: join(folder, 'config'), XDG_DATA_HOME: join(folder, 'share'), XDG_CACHE_HOME: join(folder, 'cache') };
  const own = { LANYARD_DATA: data, ...folders };
  return { ...(Object.fromEntries(kept) as Record<string, string>), ...own };
}
