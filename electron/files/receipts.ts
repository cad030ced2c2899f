import { appendFile, readFile, rename, stat } from 'node:fs/promises';
import { LIMITS } from '../../shared/limits.ts';
import { type Receipt, receiptSchema } from '../../shared/receipt.ts';
import { errorCode, namedDiskError } from '../disk.ts';
import { createGatheredWrite } from '../gathered-write.ts';
import type { Receipts } from '../ports/machine.ts';

/** Rest between two writes, in which receipts gather (ms). */
const REST_MS = 50;

/**
 * Receipts as lines of JSON, the newest last. A file that is full becomes the older one of two, and the one that was older is gone.
 * @param path for example `receipts.jsonl`
 */
export function openReceipts(path: string): Receipts {
  const older = `${path}.old`;
  let lines: string[] = [];

  const write = async (): Promise<void> => {
    const text = lines.join('');
    lines = [];
    try {
      const size = await stat(path).then(
        (info) => info.size,
        () => 0,
      );
      if (size >= LIMITS.receiptBytes / 2) await rename(path, older);
      await appendFile(path, text, { mode: 0o600 });
    } catch (error) {
      throw namedDiskError(error, 'writing a receipt');
    }
  };
  /** All that comes in such a rest goes out in one piece: a thousand short tasks a second cost little. */
  const gathered = createGatheredWrite(write, REST_MS);

  return {
    add(receipt) {
      lines.push(`${JSON.stringify(receipt)}\n`);
      return gathered.soon();
    },
    close: () => gathered.flush(),
    async list(limit) {
      await gathered.flush();
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
