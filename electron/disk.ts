import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LanyardError } from '../shared/errors.ts';

/** @returns the error's operating system code (`ENOENT`), or undefined when it has none */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Turns "no space" into a DISK_FULL that a person understands; every other error stays as it is. */
export function namedDiskError(error: unknown, doing: string): unknown {
  const code = errorCode(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return diskFull(doing, error);
}

export function diskFull(doing: string, cause?: unknown): LanyardError {
  return new LanyardError(
    { code: 'DISK_FULL', message: `The disk is full: ${doing} failed.`, hint: 'Free some space, then try again.' },
    { cause },
  );
}

/** Writes all of `bytes` at `position`: one system call may write less than it was given. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, position + done);
    done += bytesWritten;
  }
}

/** Writes all of `parts`, one after the other, at `position`, without joining them first. */
export async function writeParts(handle: FileHandle, parts: readonly Uint8Array[], position: number): Promise<void> {
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const { bytesWritten } = await handle.writev([...parts], position);
  if (bytesWritten < length) await writeAll(handle, Buffer.concat(parts).subarray(bytesWritten), position + bytesWritten);
}

/** Makes a rename or a new name in `folder` survive a power cut. Windows has no such call and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces a file that only its owner may read; after a crash the old or the new text is there, whole. @throws LanyardError DISK_FULL */
export async function replaceFile(path: string, text: string): Promise<void> {
  await viaTemporary(path, text, (temporary) => rename(temporary, path));
}

/** The same for a file that must not be there yet. @returns false when it is, and leaves it alone */
export async function createFile(path: string, text: string): Promise<boolean> {
  try {
    await viaTemporary(path, text, (temporary) => link(temporary, path));
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function viaTemporary(path: string, text: string, place: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.new`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(temporary);
  } catch (error) {
    throw namedDiskError(error, `writing ${path}`);
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(dirname(path));
}
