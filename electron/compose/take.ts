import { access, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Roster } from '../../shared/trust.ts';
import { DATABASE } from '../handover/files.ts';
import type { Logger } from '../ports/system.ts';
import { openAudit } from '../trust/audit.ts';
import { moveCoordinator } from '../trust/farm.ts';
import type { Device } from './device.ts';

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Makes this device the coordinator by its own signature, without the one that is gone: nothing comes from there. What it kept from an
 * earlier time as the coordinator goes aside, as its jobs have moved on since.
 * @throws LanyardError FORBIDDEN when it is no administrator, CONFLICT when it coordinates already
 */
export async function takeCoordination({ dataFolder, identity, roster }: Device): Promise<Roster> {
  if (roster.current === undefined) throw new Error('takeCoordination: the device belongs to no farm');
  const signed = moveCoordinator(roster.current, identity, identity.id);
  const database = join(dataFolder, DATABASE);
  if (await exists(database)) await rename(database, `${database}.earlier`);
  // A node that runs here starts to coordinate as soon as the roster is on disk.
  for (const suffix of ['-wal', '-shm']) await rm(database + suffix, { force: true });
  const audit = await openAudit({ folder: dataFolder, wallMs: Date.now, logger: SILENT });
  audit.record('coordinator-moved', identity.id, { target: identity.id, detail: `taken from ${roster.current.coordinator}` });
  await audit.close();
  return roster.follow([signed]);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
