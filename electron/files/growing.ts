import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { ReusedBuffer } from './reused-buffer.ts';

/** Most bytes that one step of a reader yields. */
export const READ_CHUNK_BYTES = 256 * 1024;

/** Wakes everyone who waits for a change: an event of the process, so that nobody has to poll a file. */
export class Growth {
  readonly #waiting = new Set<() => void>();

  get waiting(): number {
    return this.#waiting.size;
  }

  wake(): void {
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of woken) resume();
  }

  /** Resolves at the next `wake`, or when `signal` is aborted. */
  next(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const resume = (): void => {
        this.#waiting.delete(resume);
        signal.removeEventListener('abort', resume);
        resolve();
      };
      this.#waiting.add(resume);
      signal.addEventListener('abort', resume, { once: true });
    });
  }
}

/** Bytes that grow at their end until they are ended. */
export interface GrowingBytes {
  readonly size: number;
  readonly ended: boolean;
  readonly growth: Growth;
  /** Reads at most `length` bytes at `position`, all of them below `size`. @param memory to read into, instead of memory of their own */
  readAt(position: number, length: number, memory?: ReusedBuffer): Promise<Uint8Array>;
}

/**
 * Yields the bytes from `offset` on in chunks of at most 256 KiB; with `follow` it waits for more until they are ended.
 * It ends quietly when `signal` is aborted. It reads only when it is asked for more, so a slow reader costs the writer nothing.
 * @param memory where each chunk is put in the place of the one before it: it is the reader's until the next is asked for
 */
export async function* readGrowing(
  bytes: GrowingBytes,
  offset: number,
  follow: boolean,
  signal: AbortSignal,
  memory?: ReusedBuffer,
): AsyncGenerator<Uint8Array> {
  let at = offset;
  while (!signal.aborted) {
    if (at < bytes.size) {
      const chunk = await bytes.readAt(at, Math.min(bytes.size - at, READ_CHUNK_BYTES), memory);
      if (chunk.byteLength === 0) return;
      at += chunk.byteLength;
      yield chunk;
      continue;
    }
    if (!follow || bytes.ended) return;
    await bytes.growth.next(signal);
  }
}

/** Reads at most `length` bytes at `position` into memory of their own, or into `memory`. */
export async function readChunk(handle: FileHandle, position: number, length: number, memory?: ReusedBuffer): Promise<Uint8Array> {
  const buffer = memory?.take(length) ?? Buffer.allocUnsafeSlow(length);
  const { bytesRead } = await handle.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** Opens a file for reading and writing, keeping what is in it. */
export function openReadWrite(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_CREAT, 0o640);
}
