import { execFileSync } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Why no small disk can be mounted here, for the name of a test that is skipped; undefined where one can. */
export const noSmallDisk =
  process.platform === 'linux' && process.getuid?.() === 0 ? undefined : 'needs root on Linux to mount a small disk';

const MIB = 1024 * 1024;
const FILLER = 'filler';

/** Makes `folder` a disk of its own, of `megabytes`. */
export async function mountSmallDisk(folder: string, megabytes: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
}

/** Lets go of it at once; it is gone when nobody holds a file of it any more. */
export function unmountSmallDisk(folder: string): void {
  execFileSync('umount', ['--lazy', folder]);
}

/** Takes all the room there is, but `spare` bytes. */
export async function fillDisk(folder: string, spare = 0): Promise<void> {
  const filler = await open(join(folder, FILLER), 'w');
  try {
    // Until not even one byte is taken: each part as large as still goes.
    for (let bytes = MIB; bytes >= 1; ) {
      const taken = await filler.write(Buffer.alloc(bytes)).then(
        ({ bytesWritten }) => bytesWritten === bytes,
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOSPC') throw error;
          return false;
        },
      );
      if (!taken) bytes >>= 1;
    }
    const { size } = await filler.stat();
    await filler.truncate(size - spare);
  } finally {
    await filler.close();
  }
}

/** Gives back what `fillDisk` took. */
export async function emptyDisk(folder: string): Promise<void> {
  await rm(join(folder, FILLER));
}
