import { readFile, rm } from 'node:fs/promises';
import { z } from 'zod';
import { errorCode, replaceFile } from '../disk.ts';
import type { OwnerPause } from '../ports/machine.ts';

const pauseSchema = z.object({ pausedUntil: z.number().nullable() });

/**
 * The owner's pause as a file of the worker's data folder, so that the command line, the desktop app and the worker itself mean the
 * same one. A file that cannot be read counts as a pause: the owner wanted something.
 */
export function openOwnerPause(path: string): OwnerPause {
  return {
    async until() {
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return undefined;
        throw error;
      }
      return parse(text);
    },
    async set(until) {
      if (until === undefined) await rm(path, { force: true });
      else await replaceFile(path, `${JSON.stringify({ pausedUntil: until })}\n`);
    },
  };
}

function parse(text: string): number | null {
  try {
    return pauseSchema.parse(JSON.parse(text)).pausedUntil;
  } catch {
    return null;
  }
}
