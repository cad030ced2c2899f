import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
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
  const builder = join(REPOSITORY, 'node_modules/electron-builder/cli.js');
  await run(process.execPath, [builder, '--linux', 'dir', '--x64', '--publish', 'never', '--config', join(work, 'builder.json')], {
    cwd: REPOSITORY,
    env: { ...process.env, LANYARD_UPDATE_URL: 'https://updates.example/' },
    maxBuffer: 16 * 1024 * 1024,
  });
  const folder = join(work, 'dist/linux-unpacked');
  return { folder, executable: join(folder, 'lanyard-desktop'), remove: () => rm(work, { recursive: true, force: true }) };
}
