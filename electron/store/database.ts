import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LanyardError } from '../../shared/errors.ts';
import type { FarmId } from '../../shared/ids.ts';
import type { Logger } from '../ports/system.ts';
import { APPLICATION_ID, migrate, pragmaNumber, SCHEMA_VERSION } from './schema.ts';
import { isBusy, isCorrupt, openError } from './sqlite-errors.ts';

export interface DatabaseOptions {
  /** The database file; `-wal`, `-shm`, `.lock` and `.refused` stand beside it. Its folder is made when it is missing. */
  readonly path: string;
  /** Whose jobs are in it. */
  readonly farm: FarmId;
  /** Wall clock, ms since 1970. */
  readonly wallMs: () => number;
  readonly logger: Logger;
  /** Begin with an empty database although a damaged one was set aside. */
  readonly startEmpty?: boolean;
}

export interface OpenDatabase {
  readonly database: DatabaseSync;
  close(): void;
}

/** Waits this long for another program that reads the file, a person's `sqlite3` say. */
const BUSY_TIMEOUT_MS = 5_000;
/**
 * Opens the database for this process alone, checked and brought up to date; makes a new one only where there never
 * was one, or on `startEmpty`.
 * @throws LanyardError CONFLICT (in use, of a newer version, or of another farm), UNAVAILABLE (damaged and set aside), INVALID (not ours), DISK_FULL
 */
export function openDatabase(options: DatabaseOptions): OpenDatabase {
  let lock: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(options.path), { recursive: true });
    lock = takeLock(options.path);
    admitStart(options);
    const database = openChecked(options);
    rmSync(markerPath(options.path), { force: true });
    return {
      database,
      close() {
        if (database.isOpen) database.close();
        if (lock?.isOpen) lock.close();
      },
    };
  } catch (error) {
    lock?.close();
    throw openError(error, options.path);
  }
}

/** Writes `contents` so that it is on disk, with its name, when this returns. */
function writeDurably(path: string, contents: string): void {
  writeFileSync(path, contents, { flush: true });
  syncFolder(dirname(path));
}

/** Makes renames and new names in a folder durable. Windows has no such call and needs none. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const file = openSync(folder, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * The lock is a lock of the operating system on a file of its own, held through SQLite: it goes with the process however
 * that ends, which a file with a process id in it does not.
 */
function takeLock(path: string): DatabaseSync {
  const lock = new DatabaseSync(`${path}.lock`);
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw error;
    throw new LanyardError(
      {
        code: 'CONFLICT',
        message: `The database ${path} is in use by another process.`,
        hint: 'A coordinator already runs on this data folder. Stop it first, or give this one another data folder.',
      },
      { cause: error },
    );
  }
}

const markerPath = (path: string): string => `${path}.refused`;

/** Refuses to begin anew where a damaged database was set aside and none was put in its place. */
function admitStart({ path, farm, startEmpty, logger }: DatabaseOptions): void {
  if (existsSync(path)) return;
  const marker = markerPath(path);
  if (!existsSync(marker)) {
    if (existsSync(`${path}-wal`)) throw refusal(`The database ${path} is gone, but its log ${path}-wal is still there.`, path);
    createEmpty(path, farm);
    return;
  }
  if (startEmpty !== true) throw refusal(readFileSync(marker, 'utf8').trim(), path);
  logger.warn('begins with an empty database, as asked', { path });
  createEmpty(path, farm);
}

function refusal(message: string, path: string): LanyardError {
  return new LanyardError({
    code: 'UNAVAILABLE',
    message,
    hint: `Restore a backup as ${path} (alone: no -wal and -shm beside it) and start again. To give up all jobs and begin with an empty farm, start with the option that says so (startEmpty).`,
  });
}

/** Made under another name and renamed when complete: an empty or half-made file under the real name is always damage. */
function createEmpty(path: string, farm: FarmId): void {
  const unfinished = `${path}.new`;
  for (const file of [unfinished, `${unfinished}-journal`]) rmSync(file, { force: true });
  const database = new DatabaseSync(unfinished);
  try {
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    migrate(database);
    const insert = database.prepare('INSERT INTO meta (key, value) VALUES (?, ?)');
    insert.run('farm_id', farm);
    insert.run('next_job', '1');
  } finally {
    database.close();
  }
  renameSync(unfinished, path);
  syncFolder(dirname(path));
}

function openChecked(options: DatabaseOptions): DatabaseSync {
  const { path, logger } = options;
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    refuseForeign(database, path);
    const problem = database.prepare('PRAGMA quick_check(1)').get()?.quick_check;
    if (problem !== 'ok') throw new DamagedError(String(problem));
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA journal_size_limit = ${64 * 1024 * 1024};
      PRAGMA cache_size = -65536;
      PRAGMA temp_store = MEMORY;
    `);
    const before = migrate(database);
    if (before !== SCHEMA_VERSION) logger.info('database brought up to date', { path, from: before, to: SCHEMA_VERSION });
    claim(database, options);
    return database;
  } catch (error) {
    database.close();
    if (error instanceof DamagedError || isCorrupt(error)) throw setAside(options, (error as Error).message);
    throw error;
  }
}

/** How farms were named before they had keys: by a random UUID (RFC 9562) that the database itself made up. */
const EARLIER_FARM_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Jobs of one farm must never run, or be answered for, as those of another. A database from before farms had keys becomes this farm's, once. */
function claim(database: DatabaseSync, { path, farm, logger }: DatabaseOptions): void {
  const stored = String(database.prepare("SELECT value FROM meta WHERE key = 'farm_id'").get()?.value);
  if (stored === farm) return;
  if (!EARLIER_FARM_ID.test(stored))
    throw new LanyardError({
      code: 'CONFLICT',
      message: `The database ${path} is of another farm (${stored}) than the one this device coordinates (${farm}).`,
      hint: 'Start with the data folder that belongs to that database, or move the database away to begin with an empty queue.',
    });
  database.prepare("UPDATE meta SET value = ? WHERE key = 'farm_id'").run(farm);
  logger.info('the database now belongs to the farm of this device', { path, farm, before: stored });
}

class DamagedError extends Error {}

/** An empty file counts as damage: we never leave one under the real name. */
function refuseForeign(database: DatabaseSync, path: string): void {
  if (pragmaNumber(database, 'page_count') === 0) throw new DamagedError('the file is empty');
  if (pragmaNumber(database, 'application_id') !== APPLICATION_ID)
    throw new LanyardError({
      code: 'INVALID',
      message: `${path} is a database, but not one of Lanyard's.`,
      hint: 'Give the coordinator another data folder, or move that file away.',
    });
  const version = pragmaNumber(database, 'user_version');
  if (version > SCHEMA_VERSION)
    throw new LanyardError({
      code: 'CONFLICT',
      message: `The database ${path} has version ${version}; this Lanyard knows versions up to ${SCHEMA_VERSION}.`,
      hint: 'Start the newer Lanyard that wrote it, or restore a backup made before the update.',
    });
}

/** The marker is written before the file moves, so that a crash between the two ends in a refusal and not in an empty start. */
function setAside({ path, wallMs, logger }: DatabaseOptions, problem: string): LanyardError {
  const stamp = new Date(wallMs()).toISOString().replaceAll(':', '-');
  const aside = `${path}.damaged-${stamp}`;
  const message = `The database ${path} is damaged (${problem}) and was set aside as ${aside}; nothing of it was deleted.`;
  writeDurably(markerPath(path), `${message}\n`);
  for (const suffix of ['', '-wal', '-shm']) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  syncFolder(dirname(path));
  logger.error('database is damaged and was set aside', { path, aside, problem });
  return refusal(message, path);
}
