import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import type { Logger } from '../ports/system.ts';
import { askThread, startThread } from '../thread.ts';

/**
 * Pages in the log (4 KiB each), as far as they can be told, before they are carried into the database: enough that rows which change
 * often are carried once.
 */
const CHECKPOINT_PAGES = 4_096;
/** What a commit writes to the log, as a rule at most: some pages, and one more for each so many rows. */
const PAGES_OF_COMMIT = 8;
const ROWS_OF_PAGE = 16;

const sync = promisify(fdatasync);

/**
 * The log of a database (https://sqlite.org/wal.html) on its way to the disk. SQLite itself would sync it with each commit
 * (`synchronous = FULL`), and from time to time carry it into the database, while all else stands still. With `NORMAL` it leaves the
 * first to us, and that is all the difference: what `sync` has brought to the disk is as sure as with FULL.
 */
export class LogOnDisk {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #logger: Logger;
  #log: number | undefined;
  #pages = 0;
  /** A sync that is going on. */
  #syncing: Promise<void> | undefined;
  #carrying: Promise<void> | undefined;
  #thread: Worker | undefined;
  /** A sync has failed: what can be read of the log may never have reached the disk, and a second sync would not say so. */
  #isDoubtful = false;

  constructor(path: string, database: DatabaseSync, logger: Logger) {
    this.#path = path;
    this.#database = database;
    this.#logger = logger;
    database.exec('PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0');
  }

  /** A commit of so many rows is in the log. */
  grew(rows: number): void {
    this.#pages += PAGES_OF_COMMIT + rows / ROWS_OF_PAGE;
  }

  /** Brings all that is committed to the disk, in a thread; and when the log is long, waits until it is carried into the database. */
  async sync(): Promise<void> {
    try {
      this.#syncing = sync(this.#open());
      await this.#syncing;
    } catch (error) {
      this.#isDoubtful = true;
      throw error;
    } finally {
      this.#syncing = undefined;
    }
    // Meanwhile nothing is committed, so that all of the log can be carried, and the next commit begins it anew.
    if (this.#pages >= CHECKPOINT_PAGES) await this.#carry();
  }

  /** As `sync`, on the spot. */
  syncNow(): void {
    try {
      fdatasyncSync(this.#open());
    } catch (error) {
      this.#isDoubtful = true;
      throw error;
    }
    if (this.#pages >= CHECKPOINT_PAGES) void this.#carry();
  }

  /** After a failed sync, makes sure of what can be read: writes it all anew, into the database. @throws when that fails too */
  makeSure(): void {
    if (!this.#isDoubtful) return;
    const result = this.#database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
    if (result?.busy !== 0) throw new Error('somebody reads the database, so that its log cannot be carried into it');
    this.#isDoubtful = false;
  }

  /** Closes the database when nothing goes on any more: at once where nothing does. */
  async close(closeDatabase: () => void): Promise<void> {
    if (this.#syncing !== undefined) await this.#syncing.catch(() => undefined);
    if (this.#carrying !== undefined) await this.#carrying;
    if (this.#log !== undefined) closeSync(this.#log);
    this.#log = undefined;
    closeDatabase();
    await this.#thread?.terminate();
  }

  #open(): number {
    this.#log ??= openSync(`${this.#path}-wal`, 'r+');
    return this.#log;
  }

  #carry(): Promise<void> {
    this.#carrying ??= this.#carryOrWarn().finally(() => {
      this.#carrying = undefined;
    });
    return this.#carrying;
  }

  /** A log that cannot be carried now is carried later: nothing is lost but room. Where no thread can do it, it is done here. */
  async #carryOrWarn(): Promise<void> {
    this.#pages = 0;
    this.#thread ??= this.#startThread();
    const thread = this.#thread;
    thread.ref();
    let failure = await askThread<string | null>(thread, this.#path);
    thread.unref();
    try {
      if (failure === undefined) this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch (error) {
      failure = (error as Error).message;
    }
    if (failure === null) return;
    const error = failure ?? 'it has ended';
    this.#logger.warn('the log of the database was not carried into it by its thread', { path: this.#path, error });
  }

  #startThread(): Worker {
    const thread = startThread('store/checkpoint-thread.ts', 'checkpoint-thread.js');
    return thread.once('exit', () => {
      this.#thread = undefined;
    });
  }
}
