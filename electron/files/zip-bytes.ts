import type { FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createInflateRaw, inflateRaw } from 'node:zlib';
import { RandomAccessReader } from 'yauzl';
import { readChunk } from './growing.ts';

const WINDOW_BYTES = 64 * 1024;
/** Up to here an entry is unpacked in one step, which for small files is several times faster than a stream. */
const SMALL_PACKED_BYTES = 64 * 1024;
const SMALL_BYTES = 256 * 1024;

const inflateWhole = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflateRaw);

/**
 * Lets the zip library read headers through a window: one call of the system for hundreds of entries. The library is
 * given no streams to make: its own end the whole program when one is stopped while another reads.
 */
export class ZipHeaders extends RandomAccessReader {
  readonly #handle: FileHandle;
  #window: Uint8Array = new Uint8Array(0);
  #windowStart = 0;

  constructor(handle: FileHandle) {
    super();
    this.#handle = handle;
  }

  override read(buffer: Buffer, offset: number, length: number, position: number, callback: (error: Error | null) => void): void {
    if (this.#take(buffer, offset, length, position)) {
      callback(null);
      return;
    }
    readChunk(this.#handle, position, Math.max(length, WINDOW_BYTES)).then((bytes) => {
      this.#window = bytes;
      this.#windowStart = position;
      callback(this.#take(buffer, offset, length, position) ? null : new Error('it is cut off'));
    }, callback);
  }

  /** The handle belongs to whoever opened it. */
  override close(callback: (error: Error | null) => void): void {
    callback(null);
  }

  #take(buffer: Buffer, offset: number, length: number, position: number): boolean {
    const start = position - this.#windowStart;
    if (start < 0 || start + length > this.#window.byteLength) return false;
    buffer.set(this.#window.subarray(start, start + length), offset);
    return true;
  }
}

/** Where the bytes of an entry lie, and what its header says of them. */
export interface PackedBytes {
  readonly start: number;
  readonly packedBytes: number;
  /** As declared; the truth may differ. */
  readonly bytes: number;
  readonly deflated: boolean;
}

/** Yields what an entry unpacks to. It may yield more than was declared; whoever reads counts, and stops. */
export async function* unpackedBytes(handle: FileHandle, packed: PackedBytes): AsyncGenerator<Uint8Array> {
  if (!packed.deflated) {
    yield* storedBytes(handle, packed);
    return;
  }
  if (packed.packedBytes <= SMALL_PACKED_BYTES && packed.bytes <= SMALL_BYTES) {
    const parts: Uint8Array[] = [];
    for await (const part of storedBytes(handle, packed)) parts.push(part);
    yield await inflateWhole(Buffer.concat(parts), { maxOutputLength: packed.bytes + 1 });
    return;
  }
  const inflate = createInflateRaw();
  // What goes wrong in either reaches the reader of the last.
  pipeline(Readable.from(storedBytes(handle, packed)), inflate, () => undefined);
  yield* inflate;
}

async function* storedBytes(handle: FileHandle, { start, packedBytes }: PackedBytes): AsyncGenerator<Uint8Array> {
  let done = 0;
  while (done < packedBytes) {
    const chunk = await readChunk(handle, start + done, Math.min(packedBytes - done, WINDOW_BYTES));
    if (chunk.byteLength === 0) throw new Error('it is cut off');
    done += chunk.byteLength;
    yield chunk;
  }
}
