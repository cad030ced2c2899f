import { renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import type { Store } from '../ports/store.ts';
import { type DatabaseOptions, openDatabase, syncFolder } from './database.ts';
import { LogOnDisk } from './log-on-disk.ts';
import { createReader } from './reader.ts';
import { openError, writeError } from './sqlite-errors.ts';
import { createWriter } from './writer.ts';

/**
 * Opens the farm's database. One process at a time may have it open; a damaged file is set aside and never replaced by an
 * empty one on its own (see `openDatabase` for what is thrown). A new job's specification and its first row must come in
 * the same batch.
 */
export function openStore(options: DatabaseOptions): Store {
  const { path, logger } = options;
  const { database, close } = openDatabase(options);
  const writer = createWriter(database);
  const reader = createReader(database, writer);
  const log = new LogOnDisk(path, database, logger);
  const named = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      throw writeError(error, path);
    }
  };
  return {
    ...reader,
    load() {
      named(() => log.makeSure());
      return reader.load();
    },
    nextJobId: writer.nextJobId,
    commit(batch) {
      const rows = named(() => writer.commit(batch));
      log.grew(rows);
      return rows;
    },
    sync: () =>
      log.sync().catch((error: unknown) => {
        throw writeError(error, path);
      }),
    syncNow: () => named(() => log.syncNow()),
    backup: (to) => copyDatabase(path, to),
    close: () => log.close(close),
  };
}

/** As many pages as there are, in one step: see `copyDatabase`. */
const ALL_PAGES = 2 ** 31 - 1;

/**
 * Copies the database off the main thread, under another name until it is whole. Through a connection of its own, because
 * steps that share the writer's fail while it writes; and in one step, which sees one state of the file, because a
 * copy in several begins again after each commit and might never end.
 */
async function copyDatabase(from: string, to: string): Promise<void> {
  const unfinished = `${to}.new`;
  const source = new DatabaseSync(from, { readOnly: true });
  try {
    rmSync(unfinished, { force: true });
    await backup(source, unfinished, { rate: ALL_PAGES });
    await syncFile(unfinished);
    renameSync(unfinished, to);
    syncFolder(dirname(to));
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw openError(error, to);
  } finally {
    source.close();
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
