import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Size at which a log file is set aside, and how many of those are kept. */
const FILE_BYTES = 5 * 1024 * 1024;
const OLD_FILES = 3;

export const LOG_FILE = 'lanyard.log';

/**
 * Appends lines to `lanyard.log` in a folder, and begins anew when it is full: the log of a year takes 20 MiB at most.
 * Writing is synchronous, so that the last lines before a crash are there; there are a few lines a minute. It never throws.
 */
export function openLogFile(folder: string): (line: string) => void {
  const path = join(folder, LOG_FILE);
  let bytes = 0;
  try {
    mkdirSync(folder, { recursive: true });
    bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    // A full or locked disk: as below.
  }
  return (line) => {
    try {
      if (bytes > FILE_BYTES) {
        for (let age = OLD_FILES - 1; age > 0; age -= 1) tryRename(`${path}.${age}`, `${path}.${age + 1}`);
        tryRename(path, `${path}.1`);
        bytes = 0;
      }
      appendFileSync(path, line, { mode: 0o600 });
      bytes += Buffer.byteLength(line);
    } catch {
      // A log that cannot be written must not end what it reports about.
    }
  };
}

function tryRename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch {
    // There is no such age yet.
  }
}
