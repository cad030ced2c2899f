import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LanyardError } from '../../shared/errors.ts';
import { type AttemptId, type JobId, parseAttemptId } from '../../shared/ids.ts';
import type { LogStream } from '../../shared/protocol.ts';
import { errorCode, namedDiskError, writeAll } from '../disk.ts';
import type { LogStore } from '../ports/files.ts';
import { SpareRoom } from './disk-room.ts';
import { type GrowingBytes, Growth, openReadWrite, readChunk, readGrowing } from './growing.ts';
import { createLogDecoder, encodeLog, encodeSystemLine, type LogDecoder } from './log-records.ts';

/** Logs kept open; those with a reader or a write under way count, and may go beyond it. */
const OPEN_LOGS = 256;
const TASKS_PER_FOLDER = 1_000;
const NOTHING = Buffer.alloc(0);
/** As an error calls it. */
const WRITING = 'writing a log';

/** A log store that holds files open. */
export interface OpenLogStore extends LogStore {
  /** Ends all followers and closes all files. */
  close(): Promise<void>;
}

/**
 * Opens the coordinator's logs: one file per attempt, `<job>/<index / 1000>/<index>.<number>.log`, of framed records.
 *
 * Workers cap their logs at `capBytes` themselves. So that a worker that does not cannot fill the disk, what comes beyond
 * 1.05 × `capBytes` + 1 MiB is taken but not kept, and one system record in the log says so.
 * Appends are not synced one by one: after a power cut a log may have lost its last seconds.
 */
export async function openLogStore(folder: string, capBytes: number): Promise<OpenLogStore> {
  await mkdir(folder, { recursive: true });
  return new LogFolder(folder, Math.floor(capBytes * 1.05) + 1024 * 1024);
}

class LogFolder implements OpenLogStore {
  readonly #folder: string;
  readonly #limitBytes: number;
  readonly #room: SpareRoom;
  /** Least recently used first. */
  readonly #logs = new Map<AttemptId, AttemptLog>();

  constructor(folder: string, limitBytes: number) {
    this.#folder = folder;
    this.#limitBytes = limitBytes;
    this.#room = new SpareRoom(folder);
  }

  size(attempt: AttemptId): Promise<number> {
    return this.#use(attempt, async (log) => log.size);
  }

  /** @throws LanyardError CONFLICT when `offset` is beyond what is here; DISK_FULL */
  append(attempt: AttemptId, offset: number, bytes: Uint8Array): Promise<number> {
    return this.#use(attempt, (log) => log.append(offset, bytes));
  }

  appendText(attempt: AttemptId, stream: LogStream, text: Uint8Array): Promise<number> {
    return this.#use(attempt, (log) => log.append(undefined, encodeLog(stream, Date.now(), text)));
  }

  finish(attempt: AttemptId): void {
    this.#logs.get(attempt)?.finish();
  }

  async *read(attempt: AttemptId, offset: number, isLive: false | (() => boolean), signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const log = this.#take(attempt);
    try {
      await log.load();
      // Not before: of an end between the question and here nobody would tell.
      yield* readGrowing(log, offset, isLive !== false && isLive(), signal);
    } finally {
      await this.#release(attempt, log);
    }
  }

  async removeJob(job: JobId): Promise<void> {
    for (const [attempt, log] of this.#logs) {
      if (parseAttemptId(attempt)?.job === job) await this.#forget(attempt, log);
    }
    await rm(join(this.#folder, String(job)), { recursive: true, force: true });
  }

  async close(): Promise<void> {
    for (const [attempt, log] of this.#logs) await this.#forget(attempt, log);
  }

  async #use<Result>(attempt: AttemptId, work: (log: AttemptLog) => Promise<Result>): Promise<Result> {
    const log = this.#take(attempt);
    try {
      await log.load();
      return await work(log);
    } finally {
      await this.#release(attempt, log);
    }
  }

  #take(attempt: AttemptId): AttemptLog {
    const log = this.#logs.get(attempt) ?? new AttemptLog(this.#path(attempt), this.#limitBytes, this.#room);
    this.#logs.delete(attempt);
    this.#logs.set(attempt, log);
    log.users += 1;
    return log;
  }

  async #release(attempt: AttemptId, log: AttemptLog): Promise<void> {
    log.users -= 1;
    if (log.users === 0 && this.#logs.get(attempt) !== log) await log.close();
    if (this.#logs.size > OPEN_LOGS) await this.#closeOldest();
  }

  /** The last of its users closes it. */
  async #forget(attempt: AttemptId, log: AttemptLog): Promise<void> {
    log.finish();
    this.#logs.delete(attempt);
    if (log.users === 0) await log.close();
  }

  async #closeOldest(): Promise<void> {
    for (const [attempt, log] of this.#logs) {
      if (log.users > 0) continue;
      this.#logs.delete(attempt);
      await log.close();
      return;
    }
  }

  #path(attempt: AttemptId): string {
    const key = parseAttemptId(attempt);
    if (key === undefined) throw new LanyardError({ code: 'INVALID', message: 'That is no attempt id.', field: 'attempt' });
    return join(this.#folder, String(key.job), String(Math.floor(key.index / TASKS_PER_FOLDER)), `${key.index}.${key.number}.log`);
  }
}

class AttemptLog implements GrowingBytes {
  readonly growth = new Growth();
  /** Reads and writes under way; the file stays open for them. */
  users = 0;
  /** Bytes on disk. */
  size = 0;
  ended = false;
  readonly #path: string;
  readonly #limitBytes: number;
  readonly #room: SpareRoom;
  #handle: FileHandle | undefined;
  #loading: Promise<void> | undefined;
  /** Bytes that came; more than `size` once the limit is reached. */
  #accepted = 0;
  #lastWrite: Promise<unknown> = Promise.resolve();
  /** Follows the record at the limit, so that the log ends with a whole one. */
  #boundary: LogDecoder | undefined;
  #full = false;

  constructor(path: string, limitBytes: number, room: SpareRoom) {
    this.#path = path;
    this.#limitBytes = limitBytes;
    this.#room = room;
  }

  /** Opens the file if there is one; reading a log must not make it. */
  load(): Promise<void> {
    this.#loading ??= this.#open().catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  /** Appends are made one after the other. @returns the offset at which the next one goes on */
  append(offset: number | undefined, bytes: Uint8Array): Promise<number> {
    const write = this.#lastWrite.then(() => this.#append(offset ?? this.#accepted, bytes));
    this.#lastWrite = write.catch(() => undefined);
    return write;
  }

  finish(): void {
    this.ended = true;
    this.growth.wake();
  }

  async readAt(position: number, length: number): Promise<Uint8Array> {
    return this.#handle === undefined ? NOTHING : readChunk(this.#handle, position, length);
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }

  async #open(): Promise<void> {
    try {
      this.#handle = await open(this.#path, constants.O_RDWR);
      this.size = (await this.#handle.stat()).size;
      this.#accepted = this.size;
      this.#full = this.size >= this.#limitBytes;
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }

  async #append(offset: number, bytes: Uint8Array): Promise<number> {
    if (offset > this.#accepted && !this.#full) {
      throw new LanyardError({
        code: 'CONFLICT',
        message: `The log goes on at byte ${this.#accepted}, not at ${offset}.`,
        field: 'offset',
      });
    }
    const accepted = Math.max(this.#accepted, offset + bytes.byteLength);
    const fresh = bytes.subarray(Math.max(0, this.#accepted - offset));
    const atLimit = this.#full || this.#boundary !== undefined || this.size + fresh.byteLength > this.#limitBytes;
    const kept = atLimit ? await this.#lastBytes(fresh) : fresh;
    if (kept.byteLength > 0) await this.#write(kept);
    this.#accepted = accepted;
    return accepted;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#room.take(bytes.byteLength, WRITING);
      this.#handle ??= await this.#create();
      await writeAll(this.#handle, bytes, this.size);
    } catch (error) {
      throw namedDiskError(error, WRITING);
    }
    this.size += bytes.byteLength;
    this.growth.wake();
  }

  async #create(): Promise<FileHandle> {
    await mkdir(dirname(this.#path), { recursive: true });
    return openReadWrite(this.#path);
  }

  /** Of bytes beyond the limit: the rest of a record that has begun, and once the line that says where the log stops. */
  async #lastBytes(bytes: Uint8Array): Promise<Uint8Array> {
    if (this.#full) return NOTHING;
    this.#boundary ??= await this.#decodeAll();
    let taken = 0;
    while (this.#boundary.wantedBytes > 0 && taken < bytes.byteLength) {
      const end = Math.min(taken + this.#boundary.wantedBytes, bytes.byteLength);
      this.#boundary.push(bytes.subarray(taken, end));
      taken = end;
    }
    if (this.#boundary.wantedBytes > 0) return bytes;
    this.#full = true;
    const line = encodeSystemLine(
      Date.now(),
      `The log is longer than a worker may send (${this.#limitBytes} bytes). What follows was not kept.`,
    );
    return Buffer.concat([bytes.subarray(0, taken), line]);
  }

  async #decodeAll(): Promise<LogDecoder> {
    const decoder = createLogDecoder();
    for await (const chunk of readGrowing(this, 0, false, new AbortController().signal)) decoder.push(chunk);
    return decoder;
  }
}
