import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LanyardError } from '../../shared/errors.ts';
import type { HandoverManifest, SignedRoster } from '../../shared/trust.ts';
import type { Endpoint } from '../ports/link.ts';
import { DATABASE, isMovable, STAGING, TEMPLATES } from './files.ts';

export interface TakerOptions {
  readonly dataFolder: string;
  /** The coordinator's peer listener. */
  readonly from: Endpoint;
  /** The JSON routes of the giver. */
  readonly manifest: () => Promise<HandoverManifest>;
  readonly freeze: () => Promise<HandoverManifest>;
  /** Looks whether this device can coordinate with what it got. @throws whatever is in the way */
  readonly check: () => Promise<void>;
  readonly complete: () => Promise<readonly SignedRoster[]>;
  /** Tells the coordinator that it need not wait any more. */
  readonly abandon: (reason: string) => Promise<unknown>;
}

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
  try {
    await rm(staging, { recursive: true, force: true });
    await copyAll(options, staging, await options.manifest(), 'may-have-gone');
    const last = await options.freeze();
    await copyAll(options, staging, last, 'must-be-there');
    await install(options.dataFolder, staging, last);
    await options.check();
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    // It goes on at once when it hears so; else when it has heard nothing for a while.
    await options.abandon((error as Error).message).catch(() => undefined);
    throw error;
  }
  // The turning point: an answer that gets lost may have come too late to be taken back, so from here on nothing is abandoned.
  return options.complete();
}

async function copyAll(
  options: TakerOptions,
  staging: string,
  { files }: HandoverManifest,
  missing: 'may-have-gone' | 'must-be-there',
): Promise<void> {
  for (const { path, bytes } of files) {
    if (!isMovable(path)) throw new LanyardError({ code: 'INVALID', message: `the coordinator hands over a file with a strange name` });
    const to = join(staging, path);
    // A blob never changes, so one that is here already need not come again.
    if (path.startsWith('blobs/') && (await sizeOf(join(options.dataFolder, path))) === bytes) continue;
    const onlyGrows = path.startsWith('blobs/') || path.startsWith('logs/');
    const staged = onlyGrows ? await sizeOf(to) : undefined;
    if (staged !== undefined && staged >= bytes) continue;
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    try {
      await fetchFile(options.from, path, staged ?? 0, to);
    } catch (error) {
      // While the farm works, a job may be removed together with its logs.
      if (missing === 'may-have-gone' && error instanceof LanyardError && error.code === 'NOT_FOUND') continue;
      throw error;
    }
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
      const code = response.statusCode === 404 ? 'NOT_FOUND' : 'UNAVAILABLE';
      reject(new LanyardError({ code, message: `the coordinator answered ${response.statusCode} for ${path}` }));
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
  // The farm may have taken templates out since.
  await rm(join(dataFolder, TEMPLATES), { recursive: true, force: true });
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
