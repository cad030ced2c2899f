import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { findElectron } from './electron.ts';

const run = promisify(execFile);
const REPOSITORY = join(import.meta.dirname, '../../..');

/** The app as `npm run dist:dir` packs it, from the build that is there, with a given Electron and without any download. */
export interface PackagedApp {
  readonly folder: string;
  readonly executable: string;
  /** @returns the installer that electron-builder makes of it; the one tool that it would download is ours (`fpm.mjs`) */
  deb(): Promise<string>;
  remove(): Promise<void>;
}

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
    async deb() {
      await build('deb', '--prepackaged', folder);
      const made = (await readdir(join(work, 'dist'))).find((name) => name.endsWith('.deb'));
      if (made === undefined) throw new Error('no .deb was made');
      return join(work, 'dist', made);
    },
    remove: () => rm(work, { recursive: true, force: true }),
  };
}
