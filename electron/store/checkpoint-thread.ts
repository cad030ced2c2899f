import { DatabaseSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';

/** The entrance of the thread that carries the log of a database into it: each message is the path of one, and is answered when that is done. */

const port = parentPort;
if (port === null) throw new Error('this is a worker thread');

port.on('message', (path: string) => {
  let failure: string | null = null;
  try {
    carry(path);
  } catch (error) {
    failure = (error as Error).message;
  }
  port.postMessage(failure);
});

/** A connection of its own each time: the database is closed in good order only by the last connection to it. */
function carry(path: string): void {
  const database = new DatabaseSync(path);
  try {
    // Waits for nobody: what somebody still reads as it was is carried another time.
    database.exec('PRAGMA wal_checkpoint(PASSIVE)');
  } finally {
    database.close();
  }
}
