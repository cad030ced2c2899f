import { appendFile, readFile, rename, stat } from 'node:fs/promises';
import { LIMITS } from '../../shared/limits.ts';
import { type Receipt, receiptSchema } from '../../shared/receipt.ts';
import { errorCode, namedDiskError } from '../disk.ts';
import type { Receipts } from '../ports/machine.ts';

/**
 * Receipts as lines of JSON, the newest last. A file that is full becomes the older one of two, and the one that was older is gone.
 * @param path for example `receipts.jsonl`
 */
export function openReceipts(path: string): Receipts {
  const older = `${path}.old`;
  let waiting: string[] = [];
  let writing: Promise<void> | undefined;

  /** All that has come in the meantime goes out in one piece: a thousand short tasks a second cost little. */
  const write = async (): Promise<void> => {
    try {
      while (waiting.length > 0) {
        const lines = waiting;
        waiting = [];
        const size = await stat(path).then(
          (info) => info.size,
          () => 0,
        );
        if (size >= LIMITS.receiptBytes / 2) await rename(path, older);
        await appendFile(path, lines.join(''), { mode: 0o600 });
      }
    } catch (error) {
      throw namedDiskError(error, 'writing a receipt');
    } finally {
      writing = undefined;
    }
  };
  return {
    add(receipt) {
      waiting.push(`${JSON.stringify(receipt)}\n`);
      writing ??= write();
      return writing;
    },
    async list(limit) {
      const found: Receipt[] = [];
      for (const file of [path, older]) {
        if (found.length >= limit) break;
        found.push(...parse(await readText(file)).reverse());
      }
      return found.slice(0, limit);
    },
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  }
}

/** A line that a crash cut off, or that somebody edited, is left out. */
function parse(text: string): Receipt[] {
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    try {
      return [receiptSchema.parse(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}
