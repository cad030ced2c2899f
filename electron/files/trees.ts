import { constants } from 'node:fs';
import { chmod, chown, copyFile, mkdir, opendir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '../disk.ts';

/** Files copied at a time. */
const PARALLEL = 8;

/**
 * The user that a container runs as when this program is root (`nobody` on most systems). Everything in an attempt's
 * folder then belongs to it. Without root, containers run as this program's own user, who owns the files anyway.
 */
export const CONTAINER_USER = 65_534;

async function handOver(path: string): Promise<void> {
  if (process.getuid?.() === 0) await chown(path, CONTAINER_USER, CONTAINER_USER);
}

/** Makes a folder, with its parents below `root`, that the attempt may write to. */
export async function makeAttemptFolder(root: string, path: string): Promise<void> {
  const missing: string[] = [];
  for (let folder = path; folder.length > root.length; folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) {
    try {
      await mkdir(folder);
      await handOver(folder);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }
}

/** Copies one file with its mode, sharing its blocks where the file system can; the copy is the attempt's own. */
export async function copyForAttempt(source: string, target: string): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_FICLONE);
  await handOver(target);
}

/** Copies a tree of plain files and folders to `target`, which must not exist. @throws the reason of `signal` */
export async function copyTree(source: string, target: string, signal: AbortSignal): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const start = async (work: Promise<void>): Promise<void> => {
    const guarded: Promise<void> = work
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => running.delete(guarded));
    running.add(guarded);
    if (running.size >= PARALLEL) await Promise.race(running);
  };
  const visit = async (from: string, to: string): Promise<void> => {
    await mkdir(to);
    await handOver(to);
    for await (const entry of await opendir(from)) {
      signal.throwIfAborted();
      if (failure !== undefined) return;
      const [child, copy] = [join(from, entry.name), join(to, entry.name)];
      if (entry.isDirectory()) await visit(child, copy);
      else await start(copyForAttempt(child, copy));
    }
  };
  try {
    await visit(source, target);
  } finally {
    await Promise.all(running);
  }
  if (failure !== undefined) throw failure.error;
}

/** Removes a tree whatever modes a task gave to what is in it. Links in it are removed, not followed. */
export async function removeTree(path: string): Promise<void> {
  try {
    // Most are empty, or not there at all: one call, where the other way takes a look at everything first.
    return await rmdir(path);
  } catch (error) {
    // Windows says so of a file, too.
    if (errorCode(error) === 'ENOENT' && process.platform !== 'win32') return;
  }
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'ENOTEMPTY') throw error;
    await unlock(path);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function unlock(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for await (const entry of await opendir(folder)) {
    if (entry.isDirectory()) await unlock(join(folder, entry.name));
  }
}
