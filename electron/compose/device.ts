import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LanyardError } from '../../shared/errors.ts';
import type { Roster } from '../../shared/trust.ts';
import { createFarm, createFarmKey } from '../trust/farm.ts';
import { type DeviceIdentity, type KeyWrap, openIdentity } from '../trust/identity.ts';
import { writePrivateFile } from '../trust/private-file.ts';
import { openRoster, type RosterFile } from '../trust/roster.ts';

/** This install: its key, and the farm that it belongs to. */
export interface Device {
  readonly dataFolder: string;
  readonly identity: DeviceIdentity;
  readonly roster: RosterFile;
}

/** Signs the first roster of a farm, and so proves who made it. Worth a backup; not needed from day to day. */
const FARM_KEY_FILE = 'farm-key.pem';

/**
 * Opens what `dataFolder` says of this device; makes its key at the first start.
 * @param options `wrap` seals the key where a keyring is at hand
 * @throws LanyardError INVALID when the folder cannot be made or a file in it is damaged
 */
export async function openDevice(dataFolder: string, options: { readonly wrap?: KeyWrap } = {}): Promise<Device> {
  await makePrivateFolder(dataFolder);
  const [identity, roster] = await Promise.all([openIdentity(dataFolder, options), openRoster(join(dataFolder, 'roster.json'))]);
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
  await writePrivateFile(join(dataFolder, FARM_KEY_FILE), farmKey);
  const device = { name: deviceName, certificate: identity.certificate };
  return roster.start([createFarm({ farmKey, name: farmName, device, works: true, nowMs: Date.now() })]);
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
