import { randomUUID } from 'node:crypto';
import { createReadStream, openSync, statSync, unlinkSync, utimesSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { LanyardError } from '../../shared/errors.ts';
import { type BlobId, isBlobId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { errorCode, namedDiskError, syncFolder, writeParts } from '../disk.ts';
import type { Blobs } from '../ports/files.ts';
import { SpareRoom } from './disk-room.ts';
import { fileThreads } from './threads/file-threads.ts';

const READ_CHUNK_BYTES = 256 * 1024;
/** Bytes that came and are not written yet, beyond which no more are taken. */
const WAITING_BYTES = 1024 * 1024;
/** A blob's file time is its last use; it is renewed at most this often. */
const USE_RESOLUTION_MS = 60_000;
/** As an error calls it. */
const STORING = 'storing a blob';

/**
 * Opens (and makes) a content-addressed store: `blobs/ab/cdef…` holds whole, verified blobs, `incoming/` holds what is
 * on its way. A blob appears under its name by one rename after its bytes are on disk, so a blob that is there is whole.
 *
 * Sources belong to the caller: after an error a source is neither drained nor destroyed, so that a server can still answer.
 */
export async function openBlobs(folder: string): Promise<Blobs> {
  const store = new BlobFolder(folder);
  await store.prepare();
  return store;
}

class BlobFolder implements Blobs {
  readonly #blobs: string;
  readonly #incoming: string;
  readonly #room: SpareRoom;
  /** Uploads that an `append` is writing to now. */
  readonly #appending = new Set<BlobId>();
  /** Temporary files of `write` calls under way; everything else of that kind is of an earlier life. */
  readonly #writing = new Set<string>();

  constructor(folder: string) {
    this.#blobs = join(folder, 'blobs');
    this.#incoming = join(folder, 'incoming');
    this.#room = new SpareRoom(folder);
  }

  async prepare(): Promise<void> {
    await mkdir(this.#blobs, { recursive: true });
    await mkdir(this.#incoming, { recursive: true });
    for (const name of await readdir(this.#incoming)) {
      if (name.endsWith('.temporary')) await rm(join(this.#incoming, name), { force: true });
    }
  }

  /** Being asked for counts as use: whoever learns here that a blob need not be sent again still finds it after a sweep. */
  async size(blob: BlobId): Promise<number | undefined> {
    try {
      return touch(this.path(blob));
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  path(blob: BlobId): string {
    requireBlobId(blob);
    return join(this.#blobs, blob.slice(0, 2), blob.slice(2));
  }

  /**
   * @param range `start` is the first byte and `end` the first byte that is not read any more
   * @throws LanyardError NOT_FOUND
   */
  read(blob: BlobId, range?: { readonly start: number; readonly end: number }): Readable {
    if (range !== undefined && range.start >= range.end) return Readable.from([]);
    const fd = openForReading(this.path(blob), blob);
    return createReadStream('', {
      fd,
      highWaterMark: READ_CHUNK_BYTES,
      ...(range === undefined ? {} : { start: range.start, end: range.end - 1 }),
    });
  }

  async write(
    source: Readable,
    expect: { readonly blob?: BlobId; readonly maxBytes?: number } = {},
  ): Promise<{ blob: BlobId; bytes: number }> {
    if (expect.blob !== undefined) requireBlobId(expect.blob);
    holdErrors(source);
    const maxBytes = Math.min(expect.maxBytes ?? LIMITS.blobBytes, LIMITS.blobBytes);
    const temporary = join(this.#incoming, `${randomUUID()}.temporary`);
    this.#writing.add(temporary);
    try {
      const [, { blob, bytes }] = await this.#fill(temporary, 'wx', 0, source, (done) => refuseLarger(done, maxBytes), hashed);
      if (expect.blob !== undefined && expect.blob !== blob) throw wrongHash(expect.blob, blob);
      await this.#place(temporary, blob);
      return { blob, bytes };
    } catch (error) {
      await rm(temporary, { force: true });
      throw namedDiskError(error, STORING);
    } finally {
      this.#writing.delete(temporary);
    }
  }

  async received(upload: BlobId): Promise<number> {
    const whole = await this.size(upload);
    return whole ?? fileSize(this.#part(upload));
  }

  /**
   * @throws LanyardError CONFLICT when another append to this upload is under way or `offset` is not what was received;
   *   INVALID when the bytes are not those of `upload` or more than `total` (the upload then begins anew);
   *   TOO_LARGE, DISK_FULL
   */
  async append(
    upload: BlobId,
    offset: number,
    total: number,
    source: Readable,
  ): Promise<{ readonly received: number; readonly complete: boolean }> {
    requireBlobId(upload);
    refuseLarger(total, LIMITS.blobBytes);
    holdErrors(source);
    if (this.#appending.has(upload)) {
      throw new LanyardError({ code: 'CONFLICT', message: 'Another transfer is sending this blob.', hint: 'Wait for it, or try again.' });
    }
    this.#appending.add(upload);
    try {
      return await this.#appendAlone(upload, offset, total, source);
    } finally {
      this.#appending.delete(upload);
    }
  }

  async remove(blob: BlobId): Promise<void> {
    await rm(this.path(blob), { force: true });
  }

  async sweep(referenced: ReadonlySet<BlobId>, olderThanMs: number): Promise<number> {
    const before = Date.now() - olderThanMs;
    let freed = 0;
    for (const shard of await readdir(this.#blobs)) {
      for (const rest of await readdir(join(this.#blobs, shard))) {
        if (referenced.has(`${shard}${rest}` as BlobId)) continue;
        freed += removeIfOlder(join(this.#blobs, shard, rest), before);
      }
    }
    for (const name of await readdir(this.#incoming)) {
      const path = join(this.#incoming, name);
      if (this.#writing.has(path) || this.#appending.has(name.slice(0, 64) as BlobId)) continue;
      freed += removeIfOlder(path, before);
    }
    return freed;
  }

  async #appendAlone(upload: BlobId, offset: number, total: number, source: Readable) {
    const there = await this.size(upload);
    if (there !== undefined) return { received: there, complete: true };
    const part = this.#part(upload);
    const held = await fileSize(part);
    if (held !== offset) {
      throw new LanyardError({ code: 'CONFLICT', message: `This upload goes on at byte ${held}, not at ${offset}.`, field: 'offset' });
    }
    try {
      const whole = (path: string, bytes: number) => (bytes < total ? undefined : hashed(path));
      const [received, found] = await this.#fill(part, 'a', offset, source, (done) => refuseOverrun(done, total), whole);
      if (found === undefined) return { received, complete: false };
      if (found.blob !== upload) throw wrongHash(upload, found.blob);
      await this.#place(part, upload);
      return { received, complete: true };
    } catch (thrown) {
      const error = namedDiskError(thrown, STORING);
      const useless = error instanceof LanyardError && (error.code === 'INVALID' || error.code === 'DISK_FULL');
      if (useless) await rm(part, { force: true });
      throw error;
    }
  }

  /**
   * Appends `source` to a file that is `held` bytes long, syncs it, and meanwhile looks at it.
   * @returns its new length, and what `look` found
   */
  async #fill<Found>(
    path: string,
    flags: string,
    held: number,
    source: Readable,
    check: (bytes: number) => void,
    look: (path: string, bytes: number) => Promise<Found> | Found,
  ): Promise<[number, Found]> {
    const handle = await open(path, flags, 0o640);
    try {
      const bytes = await pour(source, handle, held, this.#room, check);
      const [found] = await Promise.all([look(path, bytes), handle.sync()]);
      return [bytes, found];
    } finally {
      await handle.close();
    }
  }

  /** Replacing a blob that is already there is on purpose: it renews its time, and its readers keep the file they opened. */
  async #place(temporary: string, blob: BlobId): Promise<void> {
    const path = this.path(blob);
    const shard = dirname(path);
    const made = await mkdir(shard, { recursive: true });
    if (made !== undefined) await syncFolder(this.#blobs);
    await rename(temporary, path);
    await syncFolder(shard);
  }

  #part(upload: BlobId): string {
    requireBlobId(upload);
    return join(this.#incoming, `${upload}.part`);
  }
}

const hashed = (path: string) => fileThreads.hash(path);

/** A source may break off before it is read; its error is thrown when it is, and must not end the process until then. */
function holdErrors(source: Readable): void {
  source.on('error', () => undefined);
}

/**
 * Writes what comes, and takes more meanwhile: what has come by the time a write ends is the next one. The faster it comes,
 * the larger the pieces. What came before `source` broke off is written all the same.
 */
async function pour(source: Readable, handle: FileHandle, held: number, room: SpareRoom, check: (bytes: number) => void): Promise<number> {
  let bytes = held;
  let written = held;
  let parts: Uint8Array[] = [];
  let draining: Promise<void> | undefined;
  const drain = async (): Promise<void> => {
    while (parts.length > 0) {
      const piece = parts;
      const end = bytes;
      parts = [];
      await room.take(end - written, STORING);
      await writeParts(handle, piece, written);
      written = end;
    }
    draining = undefined;
  };
  check(bytes);
  try {
    for await (const chunk of source.iterator({ destroyOnReturn: false })) {
      const data: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      check(bytes + data.byteLength);
      parts.push(data);
      bytes += data.byteLength;
      draining ??= drain();
      // What fails is thrown where it is awaited.
      draining.catch(() => undefined);
      if (bytes - written >= WAITING_BYTES) await draining;
    }
  } finally {
    await draining;
  }
  return bytes;
}

async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** Synchronous, as is `removeIfOlder`: in one thread neither can come between the other's two steps. */
function touch(path: string): number {
  const { size, mtimeMs } = statSync(path);
  const now = Date.now();
  if (Math.abs(now - mtimeMs) > USE_RESOLUTION_MS) utimesSync(path, now / 1000, now / 1000);
  return size;
}

function removeIfOlder(path: string, before: number): number {
  try {
    const { size, mtimeMs } = statSync(path);
    if (mtimeMs > before) return 0;
    unlinkSync(path);
    return size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

function openForReading(path: string, blob: BlobId): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    throw new LanyardError({ code: 'NOT_FOUND', message: `There is no blob ${blob}.` });
  }
}

function requireBlobId(blob: string): void {
  if (isBlobId(blob)) return;
  throw new LanyardError({ code: 'INVALID', message: 'A blob is named by 64 lower-case hexadecimal digits (its SHA-256).', field: 'blob' });
}

function refuseLarger(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new LanyardError({ code: 'TOO_LARGE', message: `The blob is larger than the ${maxBytes} bytes that are allowed.` });
}

function refuseOverrun(bytes: number, total: number): void {
  if (bytes <= total) return;
  throw new LanyardError({ code: 'INVALID', message: `More bytes came than the ${total} that were announced.` });
}

function wrongHash(expected: BlobId, actual: BlobId): LanyardError {
  return new LanyardError({ code: 'INVALID', message: `The bytes are not those of blob ${expected}: their SHA-256 is ${actual}.` });
}
