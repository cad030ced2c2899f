import { unwatchFile, watchFile } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LanyardError } from '../../shared/errors.ts';
import type { Roster } from '../../shared/trust.ts';
import { replaceFile } from '../disk.ts';
import type { Dispose, Logger } from '../ports/system.ts';
import { createFarm, createFarmKey } from '../trust/farm.ts';
import { type DeviceIdentity, type KeyWrap, openIdentity } from '../trust/identity.ts';
import { openRoster, type RosterFile } from '../trust/roster.ts';

/** This install: its key, and the farm that it belongs to. */
export interface Device {
  readonly dataFolder: string;
  readonly identity: DeviceIdentity;
  readonly roster: RosterFile;
}

const ROSTER_FILE = 'roster.json';
/** Signs the first roster of a farm, and so proves who made it. Worth a backup; not needed from day to day. */
const FARM_KEY_FILE = 'farm-key.pem';

/**
 * Opens what `dataFolder` says of this device; makes its key at the first start.
 * @param options `wrap` seals the key where a keyring is at hand
 * @throws LanyardError INVALID when the folder cannot be made or a file in it is damaged
 */
export async function openDevice(dataFolder: string, options: { readonly wrap?: KeyWrap } = {}): Promise<Device> {
  await makePrivateFolder(dataFolder);
  const [identity, roster] = await Promise.all([openIdentity(dataFolder, options), openRoster(join(dataFolder, ROSTER_FILE))]);
  return { dataFolder, identity, roster };
}

/**
 * Makes a farm that this device coordinates.
 * @throws LanyardError CONFLICT when it belongs to one already
 */
export async function foundFarm({ dataFolder, identity, roster }: Device, farmName: string, deviceName: string): Promise<Roster> {
  if (roster.current !== undefined)
    throw new LanyardError({
      code: 'CONFLICT',
      message: `This device belongs to the farm "${roster.current.farm.name}" already.`,
      hint: '`lanyard farm leave` takes it out.',
    });
  const farmKey = createFarmKey();
  await replaceFile(join(dataFolder, FARM_KEY_FILE), farmKey);
  const device = { name: deviceName, certificate: identity.certificate };
  return roster.start([createFarm({ farmKey, name: farmName, device, works: true, nowMs: Date.now() })]);
}

/** What a coordinator, and a device on its way to one, keeps of its farm. Templates are also the user's own, and stay. */
const OF_A_FARM =
  /^(farm\.sqlite.*|backup-.*\.sqlite|handover.*|blobs|logs|thumbnails|tokens\.json|audit(\.\d)?\.jsonl|connection\.json|coordinator-at\.json|farm-key\.pem)$/;

/**
 * Takes this device out of its farm, on this side. What it kept of the farm goes into a folder beside it, for a later farm must
 * not begin with the jobs, tokens and logs of this one; what its worker had (copies all) goes away.
 * @returns that folder; null when there was nothing to keep
 */
export async function leaveFarm({ dataFolder, roster }: Device): Promise<string | null> {
  await roster.leave();
  await rm(join(dataFolder, 'worker'), { recursive: true, force: true });
  const kept = (await readdir(dataFolder)).filter((name) => OF_A_FARM.test(name));
  if (kept.length === 0) return null;
  const aside = join(dataFolder, `left-${new Date().toISOString().replaceAll(':', '-')}`);
  await mkdir(aside, { mode: 0o700 });
  for (const name of kept) await rename(join(dataFolder, name), join(aside, name));
  return aside;
}

/** How often the file is looked at (ms): once in a while somebody changes a farm from the command line. */
const WATCH_MS = 2_000;

/** Follows what other processes of this device do: a command may leave the farm, or take coordination over. */
export function watchDevice({ dataFolder, roster }: Device, logger: Logger): Dispose {
  const path = join(dataFolder, ROSTER_FILE);
  const look = () => {
    roster.reload().catch((error: Error) => logger.warn('the roster could not be read again', { error: error.message }));
  };
  watchFile(path, { interval: WATCH_MS, persistent: false }, look);
  return () => unwatchFile(path, look);
}

/** @throws LanyardError INVALID */
export async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    throw new LanyardError(
      {
        code: 'INVALID',
        field: 'data',
        message: `The data folder ${path} cannot be made: ${cause.message}`,
        hint: 'Choose another with --data.',
      },
      { cause },
    );
  });
}
