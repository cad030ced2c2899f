import { lstat, opendir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { LIMITS } from '../../shared/limits.ts';
import { diskFull } from '../disk.ts';

const MIB = 1024 * 1024;

/** The disk of an attempt that failed, in bytes. */
export interface DiskRoom {
  readonly free: number;
  readonly total: number;
  /** What the attempt's folder takes, its input included. */
  readonly own: number;
  /** What the attempt asked for. */
  readonly promised: number;
}

/**
 * Whether it is the machine whose disk ran out. It is where the attempt took no more than it asked for, or where the disk
 * would be as full without all that it took; an attempt that filled the disk itself has failed by its own doing.
 */
export function isMachineShort({ free, total, own, promised }: DiskRoom): boolean {
  const floor = floorOf(total);
  return free < floor && (own <= promised || free + own < floor);
}

/**
 * Looks at an attempt that failed. A command may have cleaned up before it ended; what cannot be told then is not said.
 * @returns a sentence when the machine is short of disk by `isMachineShort`
 */
export async function diskShortage(folder: string, promisedMb: number): Promise<string | undefined> {
  const { bavail, blocks, bsize } = await statfs(folder);
  const [free, total] = [bavail * bsize, blocks * bsize];
  // The folder is counted only where it matters.
  if (free >= floorOf(total)) return undefined;
  const room = { free, total, own: await allocatedBytes(folder), promised: promisedMb * MIB };
  return isMachineShort(room) ? `this machine's disk is full: ${Math.floor(free / MIB)} MiB were left` : undefined;
}

/** Taken from the disk's room at once, so that it need not be asked for each write. */
const LUMP_BYTES = 16 * MIB;

/**
 * The room of a disk for what can be sent again (logs, blobs). It ends before the disk does: the rest is for the database,
 * without which nothing goes on.
 */
export class SpareRoom {
  readonly #folder: string;
  #left = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws LanyardError DISK_FULL when there is no room for so many bytes; `doing` says for what */
  async take(bytes: number, doing: string): Promise<void> {
    if (this.#left < bytes) this.#left = Math.min(await spareBytes(this.#folder), LUMP_BYTES + bytes);
    if (this.#left < bytes) throw diskFull(doing);
    this.#left -= bytes;
  }
}

async function spareBytes(folder: string): Promise<number> {
  const { bavail, blocks, bsize } = await statfs(folder);
  // Some file systems in user space do not tell.
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize - floorOf(blocks * bsize);
}

/** A small disk is full later. */
function floorOf(total: number): number {
  return Math.min(LIMITS.diskFloorBytes, total / 50);
}

async function allocatedBytes(folder: string): Promise<number> {
  let bytes = 0;
  for await (const entry of await opendir(folder, { recursive: true })) {
    // What goes away meanwhile takes nothing any more. A block counts 512 bytes whatever the disk's own are.
    const stats = await lstat(join(entry.parentPath, entry.name)).catch(() => undefined);
    bytes += stats === undefined ? 0 : Math.max(stats.blocks * 512, process.platform === 'win32' ? stats.size : 0);
  }
  return bytes;
}
