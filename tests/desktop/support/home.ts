import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { _electron, type ElectronApplication } from '@playwright/test';
import { type Client, createClient } from '../../../electron/api/client.ts';
import { findElectron } from './electron.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');

/** What the app finds on the disk of a person: its data folder. It can be started there again and again. */
export interface Home {
  readonly folder: string;
  /** Where the farm's files lie. */
  readonly data: string;
  /** What the programs wrote, for a failure to show. */
  readonly log: () => string;
  start(args?: readonly string[]): Promise<ElectronApplication>;
  /** The farm of the app that runs here, as an administrator sees it. */
  client(): Promise<Client>;
  /** Ends what still runs, and removes all files. */
  remove(): Promise<void>;
}

export interface HomeWish {
  readonly settings?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Tasks run without a container as well, and the coordinator takes any port. */
const SETTINGS = { coordinator: { port: 0 }, worker: { host: true, name: 'this-machine' } } as const;

export async function createHome({ settings = {} }: HomeWish = {}): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-desktop-'));
  const data = join(folder, 'data');
  await mkdir(data, { mode: 0o700 });
  const file = {
    ...settings,
    coordinator: { ...SETTINGS.coordinator, ...settings.coordinator },
    worker: { ...SETTINGS.worker, ...settings.worker },
  };
  await writeFile(join(data, 'settings.json'), JSON.stringify(file));
  const running = new Set<ElectronApplication>();
  let log = '';
  return {
    folder,
    data,
    log: () => log,
    async start(args = []) {
      const { executable, needsSqlite } = await findElectron();
      const before = [...(needsSqlite ? ['-r', join(import.meta.dirname, 'sqlite-shim.cjs')] : [])];
      const app = await _electron.launch({
        executablePath: executable,
        args: [...before, '-r', join(import.meta.dirname, 'spies.cjs'), REPOSITORY, ...args],
        env: { ...environment(), LANYARD_DATA: data, XDG_CONFIG_HOME: join(folder, 'config'), XDG_DATA_HOME: join(folder, 'share') },
      });
      const child = app.process();
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (bytes: Buffer) => {
          log += bytes.toString();
        });
      running.add(app);
      child.once('exit', () => running.delete(app));
      return app;
    },
    async client() {
      const { url, token } = JSON.parse(await readFile(join(data, 'connection.json'), 'utf8')) as { url: string; token: string };
      return createClient({ url, token });
    },
    async remove() {
      for (const app of running) await end(app);
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

function environment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name, value]) => value !== undefined && !name.startsWith('LANYARD_'));
  return Object.fromEntries(kept) as Record<string, string>;
}
