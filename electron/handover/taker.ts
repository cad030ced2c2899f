import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LanyardError } from '../../shared/errors.ts';
import type { HandoverManifest, SignedRoster } from '../../shared/trust.ts';
import type { Endpoint } from '../ports.ts';
import { DATABASE, isMovable } from './files.ts';

export interface TakerOptions {
  readonly dataFolder: string;
  /** The coordinator's peer listener. */
  readonly from: Endpoint;
  /** The JSON routes of the giver. */
  readonly manifest: () => Promise<HandoverManifest>;
  readonly freeze: () => Promise<HandoverManifest>;
  readonly complete: () => Promise<readonly SignedRoster[]>;
}

/** Where the farm's files wait until all are there. */
const STAGING = 'handover';
const IDLE_MS = 60_000;

/**
 * Fetches a farm from its coordinator, in two passes: what only grows while the farm works, then the rest while it stands still.
 * The files are in their places before the coordinator is told, so that from the turning point on this device can start as
 * the coordinator, also after a crash.
 * @returns the rosters that make this device the coordinator
 * @throws LanyardError or a system's error; the coordinator then stays where it is
 */
export async function takeOver(options: TakerOptions): Promise<readonly SignedRoster[]> {
  const staging = join(options.dataFolder, STAGING);
  await rm(staging, { recursive: true, force: true });
  await copyAll(options, staging, await options.manifest());
  const last = await options.freeze();
  await copyAll(options, staging, last);
  await install(options.dataFolder, staging, last);
  return options.complete();
}

async function copyAll(options: TakerOptions, staging: string, { files }: HandoverManifest): Promise<void> {
  for (const { path, bytes } of files) {
    if (!isMovable(path)) throw new LanyardError({ code: 'INVALID', message: `the coordinator hands over a file with a strange name` });
    const to = join(staging, path);
    // A blob never changes, so one that is here already need not come again.
    if (path.startsWith('blobs/') && (await sizeOf(join(options.dataFolder, path))) === bytes) continue;
    const have = path.startsWith('blobs/') || path.startsWith('logs/') ? ((await sizeOf(to)) ?? 0) : 0;
    if (have >= bytes && bytes > 0 && have > 0) continue;
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    await fetchFile(options.from, path, have, to);
    const got = await sizeOf(to);
    if (got === undefined || got < bytes)
      throw new LanyardError({ code: 'UNAVAILABLE', message: `${path} came with ${got ?? 0} of ${bytes} bytes` });
  }
}

async function fetchFile({ url, tls }: Endpoint, path: string, offset: number, to: string): Promise<void> {
  const target = new URL(`/api/handover/file?path=${encodeURIComponent(path)}&offset=${offset}`, url);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sent = httpsRequest(target, { ...tls, timeout: IDLE_MS }, (response) => {
    if (response.statusCode !== 200) {
      response.resume();
      reject(new LanyardError({ code: 'UNAVAILABLE', message: `the coordinator answered ${response.statusCode} for ${path}` }));
      return;
    }
    const file = createWriteStream(to, { flags: offset === 0 ? 'w' : 'a', mode: 0o600, flush: true });
    pipeline(response, file).then(resolve, reject);
  });
  sent.once('timeout', () => sent.destroy(new Error('nothing moved for too long')));
  sent.once('error', reject);
  sent.end();
  await promise;
}

/** What stood there from an earlier term goes aside; logs and blobs of one name are the same files, only longer. */
async function install(dataFolder: string, staging: string, { files }: HandoverManifest): Promise<void> {
  const database = join(dataFolder, DATABASE);
  if ((await sizeOf(database)) !== undefined) await rename(database, `${database}.earlier`);
  for (const suffix of ['-wal', '-shm']) await rm(database + suffix, { force: true });
  for (const { path } of files) {
    const from = join(staging, path);
    if ((await sizeOf(from)) === undefined) continue;
    await mkdir(dirname(join(dataFolder, path)), { recursive: true, mode: 0o700 });
    await rename(from, join(dataFolder, path));
  }
  await rm(staging, { recursive: true, force: true });
}

async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}
