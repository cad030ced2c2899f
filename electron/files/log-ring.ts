import { type FileHandle, open, rm } from 'node:fs/promises';
import { writeParts } from '../disk.ts';
import { readChunk } from './growing.ts';
import { LOG_HEADER_BYTES } from './log-records.ts';
import type { ReusedBuffer } from './reused-buffer.ts';

const REGIONS = 16;
const LARGEST_RECORD_BYTES = 64 * 1024;

/** How a ring file of fixed length is laid out. */
export interface RingShape {
  readonly regions: number;
  readonly regionBytes: number;
  /** Longest payload of a record that fits. */
  readonly recordBytes: number;
}

export function ringShape(ringBytes: number): RingShape {
  const regionBytes = Math.floor(ringBytes / REGIONS);
  return { regions: REGIONS, regionBytes, recordBytes: Math.min(LARGEST_RECORD_BYTES, regionBytes - LOG_HEADER_BYTES) };
}

interface Region {
  usedBytes: number;
  payloadBytes: number;
}

/**
 * Keeps the newest framed records in a file of fixed length. The file is divided into regions; records never cross into
 * another, and when all are used the oldest region is emptied as a whole. So no record is ever half overwritten, and all
 * that has to be remembered is one length per region. It keeps between 15/16 and all of its length.
 */
export class LogRing {
  /** Bytes of output, without headers, that were overwritten. */
  leftOutBytes = 0;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #shape: RingShape;
  readonly #regions: Region[];
  #current = 0;

  static async open(path: string, shape: RingShape): Promise<LogRing> {
    return new LogRing(path, await open(path, 'w+', 0o640), shape);
  }

  private constructor(path: string, handle: FileHandle, shape: RingShape) {
    this.#path = path;
    this.#handle = handle;
    this.#shape = shape;
    this.#regions = Array.from({ length: shape.regions }, () => ({ usedBytes: 0, payloadBytes: 0 }));
  }

  /** Framed bytes that it holds. */
  get bytes(): number {
    return this.#regions.reduce((sum, region) => sum + region.usedBytes, 0);
  }

  async append(records: readonly Buffer[]): Promise<void> {
    let batch: Buffer[] = [];
    let batchBytes = 0;
    for (const record of records) {
      if (this.#region(this.#current).usedBytes + batchBytes + record.byteLength > this.#shape.regionBytes) {
        await this.#write(batch);
        batch = [];
        batchBytes = 0;
        this.#emptyOldest();
      }
      batch.push(record);
      batchBytes += record.byteLength;
    }
    await this.#write(batch);
  }

  /** Reads at most `length` bytes of the framed bytes it holds, oldest first, from `position` on. */
  async readAt(position: number, length: number, memory?: ReusedBuffer): Promise<Uint8Array> {
    let start = position;
    for (let step = 1; step <= this.#shape.regions; step += 1) {
      const index = (this.#current + step) % this.#shape.regions;
      const { usedBytes } = this.#region(index);
      if (start < usedBytes)
        return readChunk(this.#handle, index * this.#shape.regionBytes + start, Math.min(length, usedBytes - start), memory);
      start -= usedBytes;
    }
    return Buffer.alloc(0);
  }

  async remove(): Promise<void> {
    await this.#handle.close();
    await rm(this.#path, { force: true });
  }

  async #write(batch: readonly Buffer[]): Promise<void> {
    if (batch.length === 0) return;
    const region = this.#region(this.#current);
    const bytes = batch.reduce((sum, record) => sum + record.byteLength, 0);
    await writeParts(this.#handle, batch, this.#current * this.#shape.regionBytes + region.usedBytes);
    region.usedBytes += bytes;
    region.payloadBytes += bytes - batch.length * LOG_HEADER_BYTES;
  }

  #emptyOldest(): void {
    this.#current = (this.#current + 1) % this.#shape.regions;
    const region = this.#region(this.#current);
    this.leftOutBytes += region.payloadBytes;
    region.usedBytes = 0;
    region.payloadBytes = 0;
  }

  #region(index: number): Region {
    const region = this.#regions[index];
    if (region === undefined) throw new Error(`the ring has no region ${index}`);
    return region;
  }
}
