import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { type BrowserContext, chromium, expect, type Page } from '@playwright/test';
import { findElectron } from './electron.ts';
import type { Home } from './home.ts';

const run = promisify(execFile);
const REPOSITORY = join(import.meta.dirname, '../../..');

/** The app as `npm run dist:dir` packs it, from the build that is there, with a given Electron and without any download. */
export interface PackagedApp {
  readonly folder: string;
  readonly executable: string;
  /**
   * @param settings of electron-builder, as a release gives them
   * @returns the installer that electron-builder makes of it; the one tool that it would download is ours (`fpm.mjs`)
   */
  deb(...settings: readonly string[]): Promise<string>;
  start(home: Home, args?: readonly string[], environment?: Readonly<Record<string, string>>): RunningPackage;
  remove(): Promise<void>;
}

/** It lets nobody look inside: only its windows, its files and what it prints are there to be seen. */
export interface RunningPackage {
  /** Exit status and signal. */
  readonly ended: Promise<readonly unknown[]>;
  output(): string;
  /** Its windows, for one that was started with a debugging port. */
  windows(): Promise<BrowserContext>;
  firstWindow(): Promise<Page>;
  /** As at log-out, or abruptly. @returns exit status and signal */
  end(signal?: 'SIGTERM' | 'SIGKILL'): Promise<readonly unknown[]>;
}

/** Lets a test see the windows; the program is the same. */
export const SEEN = '--remote-debugging-port=0';

/** Where Electron is older than the one that ships, an entry of this test gives it what it lacks; all else is as it is shipped. */
export async function packApp(): Promise<PackagedApp> {
  const { folder: electronDist, version, needsSqlite } = await findElectron();
  const work = await mkdtemp(join(tmpdir(), 'lanyard-package-'));
  const entry = join(work, 'entry');
  await mkdir(entry);
  const shim = pathToFileURL(join(import.meta.dirname, 'sqlite-shim.cjs')).href;
  await writeFile(join(entry, 'test-entry.mjs'), `import '${shim}';\nawait import('./out/main/main.js');\n`);
  const config = {
    extends: join(REPOSITORY, 'electron-builder.yml'),
    directories: { output: join(work, 'dist') },
    electronDist,
    electronVersion: version,
    ...(needsSqlite ? { extraMetadata: { main: 'test-entry.mjs' }, files: [{ from: entry, to: '.', filter: ['*.mjs'] }] } : {}),
  };
  await writeFile(join(work, 'builder.json'), JSON.stringify(config));
  const build = async (...args: string[]) => {
    const builder = join(REPOSITORY, 'node_modules/electron-builder/cli.js');
    await run(process.execPath, [builder, '--linux', ...args, '--x64', '--publish', 'never', '--config', join(work, 'builder.json')], {
      cwd: REPOSITORY,
      env: { ...process.env, LANYARD_UPDATE_URL: 'https://updates.example/', CUSTOM_FPM_PATH: join(import.meta.dirname, 'fpm.mjs') },
      maxBuffer: 16 * 1024 * 1024,
    });
  };
  await build('dir');
  const folder = join(work, 'dist/linux-unpacked');
  return {
    folder,
    executable: join(folder, 'lanyard-desktop'),
    async deb(...settings) {
      await build('deb', '--prepackaged', folder, ...settings);
      const made = (await readdir(join(work, 'dist'))).find((name) => name.endsWith('.deb'));
      if (made === undefined) throw new Error('no .deb was made');
      return join(work, 'dist', made);
    },
    start: (home, args = [SEEN], environment = {}) => start(join(folder, 'lanyard-desktop'), args, { ...home.environment, ...environment }),
    remove: () => rm(work, { recursive: true, force: true }),
  };
}

function start(executable: string, args: readonly string[], env: Readonly<Record<string, string>>): RunningPackage {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const child = spawn(executable, [...sandbox, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
  let seen: BrowserContext | undefined;
  const windows = async () => {
    const address = () => /DevTools listening on (ws:\S+)/.exec(output)?.[1];
    await expect.poll(address).toBeDefined();
    const [context] = (await chromium.connectOverCDP(address() as string)).contexts();
    if (context === undefined) throw new Error('the app shows no windows to a debugger');
    return context;
  };
  return {
    ended,
    output: () => output,
    async windows() {
      seen ??= await windows();
      return seen;
    },
    async firstWindow() {
      const context = await this.windows();
      return context.pages()[0] ?? (await context.waitForEvent('page'));
    },
    async end(signal = 'SIGTERM') {
      await seen?.browser()?.close();
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return await ended;
    },
  };
}
