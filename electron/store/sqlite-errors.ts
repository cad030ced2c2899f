import { LanyardError } from '../../shared/errors.ts';

/** Result codes of SQLite (https://sqlite.org/rescode.html); the low byte of an extended code is the primary one. */
const SQLITE_BUSY = 5;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

export function isBusy(error: unknown): boolean {
  return primaryCode(error) === SQLITE_BUSY;
}

export function isCorrupt(error: unknown): boolean {
  const code = primaryCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/**
 * @returns a DISK_FULL when the file system would not take a write, else the error as it came.
 * An I/O error counts too: a file system over its quota, or one that cannot grow the shared memory file, reports one.
 */
export function writeError(error: unknown, path: string): unknown {
  const code = primaryCode(error);
  const full = code === SQLITE_FULL || code === SQLITE_IOERR || hasErrno(error, 'ENOSPC') || hasErrno(error, 'EDQUOT');
  if (!full) return error;
  return new LanyardError(
    {
      code: 'DISK_FULL',
      message: `The database ${path} could not be written (${(error as Error).message}); nothing of this change was stored.`,
      hint: 'Make room on that disk. The coordinator goes on by itself once there is some.',
    },
    { cause: error },
  );
}

/** As `writeError`, and says it when the file or its folder cannot be opened at all. */
export function openError(error: unknown, path: string): unknown {
  if (primaryCode(error) !== SQLITE_CANTOPEN && !hasErrno(error, 'EACCES') && !hasErrno(error, 'EROFS')) return writeError(error, path);
  return new LanyardError(
    {
      code: 'UNAVAILABLE',
      message: `The database ${path} cannot be opened (${(error as Error).message}).`,
      hint: 'Check that the data folder belongs to the user who runs the coordinator, and that its disk is not read-only.',
    },
    { cause: error },
  );
}

function hasErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
