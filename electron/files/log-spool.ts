import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type AttemptId, parseAttemptId } from '../../shared/ids.ts';
import type { LogStream } from '../../shared/protocol.ts';
import { writeParts } from '../disk.ts';
import type { LogSpool, LogSpools } from '../ports/workspace.ts';
import { type GrowingBytes, Growth, READ_CHUNK_BYTES, readChunk, readGrowing } from './growing.ts';
import { encodeSystemLine, framedBytes, frameLog, LOG_HEADER_BYTES } from './log-records.ts';
import { LogRing, type RingShape, ringShape } from './log-ring.ts';
import { ReusedBuffer } from './reused-buffer.ts';

/** Output waits this long for more of it, or until there is this much. */
const FLUSH_MS = 50;
const FLUSH_BYTES = 160 * 1024;
/** The longest batch that is framed in memory which the next uses again. */
const BATCH_BYTES = 512 * 1024;
const SMALLEST_CAP_BYTES = 16 * 1024;

/**
 * Opens the worker's logs, one file of framed records per attempt, at most about `capBytes` long. The first half of
 * `capBytes` goes straight to the file; from then on the newest half is kept in a ring file, which becomes the log's end.
 */
export async function openLogSpools(folder: string, capBytes: number): Promise<LogSpools> {
  if (capBytes < SMALLEST_CAP_BYTES) throw new Error(`a log needs a cap of at least ${SMALLEST_CAP_BYTES} bytes, not ${capBytes}`);
  await mkdir(folder, { recursive: true });
  return {
    async open(attempt: AttemptId): Promise<LogSpool> {
      if (parseAttemptId(attempt) === undefined) throw new Error(`not an attempt id: ${attempt}`);
      const path = join(folder, `${attempt}.log`);
      return new SpoolFile(path, await open(path, 'w+', 0o640), capBytes);
    },
    async removeStrays(): Promise<void> {
      for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
    },
  };
}

/** Output of one stream without output of the other in between. */
interface Stretch {
  readonly stream: LogStream;
  readonly time: number;
  readonly parts: Uint8Array[];
}

class SpoolFile implements LogSpool, GrowingBytes {
  readonly growth = new Growth();
  ended = false;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #headBytes: number;
  readonly #shape: RingShape;
  /** For the batch that is being written, and of the one before it. */
  #framed = new ReusedBuffer(BATCH_BYTES);
  #written = new ReusedBuffer(BATCH_BYTES);
  /** What was written last, for readers who keep up: it stays as it is while the next batch is framed and written. */
  #newest: { readonly position: number; readonly bytes: Buffer } | undefined;
  #fileBytes = 0;
  #ring: LogRing | undefined;
  #staged: Stretch[] = [];
  #stagedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #draining: Promise<void> | undefined;
  #closing = false;
  #removed = false;
  /** Bytes of output that could not be written since the last that could. */
  #unwritable = 0;

  constructor(path: string, handle: FileHandle, capBytes: number) {
    this.#path = path;
    this.#handle = handle;
    this.#headBytes = Math.floor(capBytes / 2);
    this.#shape = ringShape(capBytes - this.#headBytes);
  }

  /** What can be read: the ring belongs to it once the log has ended. */
  get size(): number {
    return this.#fileBytes + (this.ended ? (this.#ring?.bytes ?? 0) : 0);
  }

  /**
   * `bytes` must not be changed afterwards. What comes after `end` is dropped. Never rejects: output that the disk
   * does not take is counted, and a system record says how much is missing once the disk takes bytes again.
   */
  write(stream: LogStream, bytes: Uint8Array): Promise<void> | undefined {
    if (this.#closing || bytes.byteLength === 0) return undefined;
    const last = this.#staged.at(-1);
    if (last?.stream === stream) last.parts.push(bytes);
    else this.#staged.push({ stream, time: Date.now(), parts: [bytes] });
    this.#stagedBytes += bytes.byteLength;
    if (this.#stagedBytes >= FLUSH_BYTES) {
      const busy = this.#draining !== undefined;
      const drained = this.#drain();
      return busy ? drained : undefined;
    }
    this.#timer ??= setTimeout(() => void this.#drain(), FLUSH_MS);
    return undefined;
  }

  async end(): Promise<number> {
    this.#closing = true;
    await this.#drain();
    const leftOut = this.#ring?.leftOutBytes ?? 0;
    if (leftOut > 0) {
      const line = encodeSystemLine(Date.now(), `… ${leftOut} bytes are left out here; the newest ${this.#ring?.bytes} follow.`);
      await this.#appendToFile([line]).catch(() => undefined);
    }
    this.ended = true;
    this.growth.wake();
    return this.size;
  }

  read(offset: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return readGrowing(this, offset, true, signal, new ReusedBuffer(READ_CHUNK_BYTES));
  }

  async readAt(position: number, length: number, memory?: ReusedBuffer): Promise<Uint8Array> {
    if (this.#removed) return Buffer.alloc(0);
    if (position >= this.#fileBytes && this.#ring !== undefined) return this.#ring.readAt(position - this.#fileBytes, length, memory);
    return (
      this.#fromNewest(position, length, memory) ?? readChunk(this.#handle, position, Math.min(length, this.#fileBytes - position), memory)
    );
  }

  /** Frees nothing: a log is bounded by its cap, and is removed in one piece. */
  acknowledge(): void {}

  async remove(): Promise<void> {
    this.#closing = true;
    await this.#drain();
    if (this.#removed) return;
    this.#removed = true;
    this.ended = true;
    this.growth.wake();
    await this.#handle.close();
    await this.#ring?.remove();
    await rm(this.#path, { force: true });
  }

  #drain(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#staged.length > 0) this.#draining ??= this.#drainAll();
    return this.#draining ?? Promise.resolve();
  }

  async #drainAll(): Promise<void> {
    while (this.#staged.length > 0) {
      const staged = this.#staged;
      const bytes = this.#stagedBytes;
      this.#staged = [];
      this.#stagedBytes = 0;
      try {
        await this.#store(this.#frame(staged, bytes));
        this.#unwritable = 0;
      } catch {
        this.#unwritable += bytes;
      }
    }
    this.#draining = undefined;
  }

  /** @returns records that stay as they are until the next call */
  #frame(staged: readonly Stretch[], bytes: number): Buffer[] {
    const records: Buffer[] = [];
    if (this.#unwritable > 0) {
      records.push(
        encodeSystemLine(Date.now(), `… ${this.#unwritable} bytes are missing here: the worker could not write them to its disk.`),
      );
    }
    // Each stretch may end with a record that is not full.
    const framed = this.#framed.take(framedBytes(bytes, this.#shape.recordBytes) + staged.length * LOG_HEADER_BYTES);
    let at = 0;
    for (const { stream, time, parts } of staged) {
      for (const record of frameLog(framed.subarray(at), stream, time, parts, this.#shape.recordBytes)) {
        records.push(record);
        at += record.byteLength;
      }
    }
    return records;
  }

  async #store(records: readonly Buffer[]): Promise<void> {
    const forHead = this.#ring === undefined ? this.#fitting(records) : 0;
    if (forHead > 0) await this.#appendToFile(records.slice(0, forHead));
    if (forHead === records.length) return;
    this.#ring ??= await this.#startRing();
    await this.#ring.append(records.slice(forHead));
  }

  /** @returns how many of `records` the head still takes */
  #fitting(records: readonly Buffer[]): number {
    let bytes = this.#fileBytes;
    const first = records.findIndex((record) => {
      bytes += record.byteLength;
      return bytes > this.#headBytes;
    });
    return first === -1 ? records.length : first;
  }

  async #startRing(): Promise<LogRing> {
    const ring = await LogRing.open(`${this.#path}.ring`, this.#shape);
    const kept = this.#shape.regionBytes * this.#shape.regions;
    const line = `… This log is long. From here on its newest ${kept - this.#shape.regions * LOG_HEADER_BYTES} bytes are kept; they are shown when the task ends.`;
    await this.#appendToFile([encodeSystemLine(Date.now(), line)]).catch(() => undefined);
    return ring;
  }

  async #appendToFile(records: readonly Buffer[]): Promise<void> {
    await writeParts(this.#handle, records, this.#fileBytes);
    const bytes = joined(records);
    this.#newest = bytes && { position: this.#fileBytes, bytes };
    [this.#framed, this.#written] = [this.#written, this.#framed];
    this.#fileBytes += records.reduce((sum, record) => sum + record.byteLength, 0);
    this.growth.wake();
  }

  /** A copy: where it is from is soon used for other bytes. */
  #fromNewest(position: number, length: number, memory: ReusedBuffer | undefined): Buffer | undefined {
    if (this.#newest === undefined) return undefined;
    const at = position - this.#newest.position;
    if (at < 0 || at >= this.#newest.bytes.byteLength) return undefined;
    const found = this.#newest.bytes.subarray(at, at + length);
    const copy = memory?.take(found.byteLength) ?? Buffer.allocUnsafeSlow(found.byteLength);
    copy.set(found);
    return copy;
  }
}

/** @returns records that stand one behind the other in memory, as one piece; undefined for others */
function joined(records: readonly Buffer[]): Buffer | undefined {
  const [first] = records;
  if (first === undefined) return undefined;
  let end = first.byteOffset;
  for (const { buffer, byteOffset, byteLength } of records) {
    if (buffer !== first.buffer || byteOffset !== end) return undefined;
    end += byteLength;
  }
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset);
}
