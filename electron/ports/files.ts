import type { Readable } from 'node:stream';
import type { AttemptId, BlobId, JobId } from '../../shared/ids.ts';
import type { LogStream } from '../../shared/protocol.ts';
import type { Template, TemplateView } from '../../shared/template.ts';

export interface HashedFile {
  /** The SHA-256 of its bytes. */
  readonly blob: BlobId;
  readonly bytes: number;
}

/** A file that goes into a zip, with the bytes that `path` has when its turn comes. */
export interface ZipEntry {
  /** Relative, `/`-separated. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

/** Work on files that takes more of the CPU than the main thread can give; zips are held to the policy of `files/zip-directory.ts`. */
export interface FileWork {
  hash(path: string, signal?: AbortSignal): Promise<HashedFile>;
  /** @returns the number of its files and their bytes. @throws LanyardError INVALID that names the entry and the rule */
  checkZip(path: string): Promise<{ readonly files: number; readonly bytes: number }>;
  /** See `files/unzip.ts`. @returns bytes that were written */
  extractZip(
    path: string,
    folder: string,
    options?: { readonly signal?: AbortSignal; readonly progress?: (done: number, total: number) => void },
  ): Promise<number>;
  /** See `files/unzip.ts`. */
  readJobFile(path: string): Promise<{ readonly text: string; readonly folder: string } | undefined>;
  /** Packs as it is read, uncompressed. The stream fails when a file is gone or a name is refused. */
  zip(entries: readonly ZipEntry[]): Promise<Readable>;
  /** See `files/zip.ts`. @returns what went in, and the paths that were left out */
  zipFolder(
    folder: string,
    outFile: string,
    options?: { readonly signal?: AbortSignal; readonly progress?: (done: number, total: number) => void },
  ): Promise<{ readonly skipped: readonly string[]; readonly files: number; readonly bytes: number }>;
}

export type ThumbnailSize = 'small' | 'large';

/** Small copies of the pictures among the blobs. */
export interface Thumbnails {
  /**
   * @returns WebP, whose longer side has 320 (small) or 1,600 (large) pixels at most
   * @throws LanyardError INVALID for what is no picture, TOO_LARGE, TOO_MANY, GONE; the reason of `signal` when its turn has not come
   */
  of(blob: BlobId, size: ThumbnailSize, signal: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface Blobs {
  /** @returns its size in bytes, or undefined when it is not here */
  size(blob: BlobId): Promise<number | undefined>;
  /** @returns the path of a blob that is here; nobody writes to it */
  path(blob: BlobId): string;
  read(blob: BlobId, range?: { readonly start: number; readonly end: number }): Readable;
  /** Stores a whole stream. @throws LanyardError TOO_LARGE, DISK_FULL, INVALID when the hash differs from `expect` */
  write(source: Readable, expect?: { readonly blob?: BlobId; readonly maxBytes?: number }): Promise<{ blob: BlobId; bytes: number }>;
  /** Bytes of an interrupted upload that are already here. */
  received(upload: BlobId): Promise<number>;
  /** Appends at `offset` (must equal `received`); when `total` is reached, verifies and renames into place. */
  append(
    upload: BlobId,
    offset: number,
    total: number,
    source: Readable,
  ): Promise<{ readonly received: number; readonly complete: boolean }>;
  remove(blob: BlobId): Promise<void>;
  /** Removes blobs and half uploads that nobody names and that are older than `olderThanMs`. @returns bytes freed */
  sweep(referenced: ReadonlySet<BlobId>, olderThanMs: number): Promise<number>;
}

/** Gets and puts blobs at the coordinator, resuming and verifying. */
export interface BlobTransfer {
  /** Bytes of blobs that went over the line so far, in both directions. */
  readonly movedBytes: number;
  fetch(blob: BlobId, bytes: number, into: Blobs, progress: (done: number) => void, signal: AbortSignal): Promise<void>;
  /** @returns the blob's id; skips the transfer when the coordinator has it */
  upload(path: string, progress: (done: number) => void, signal: AbortSignal): Promise<{ blob: BlobId; bytes: number }>;
}

/** The logs of attempts as files of framed records (see `LogRecord`), at the coordinator. */
export interface LogStore {
  /** Bytes on disk. */
  size(attempt: AttemptId): Promise<number>;
  /** Appends framed bytes at `offset`; bytes that are already there are skipped, a gap is refused. @returns the new size */
  append(attempt: AttemptId, offset: number, bytes: Uint8Array): Promise<number>;
  /** Frames and appends plain text, for workers that poll. */
  appendText(attempt: AttemptId, stream: LogStream, text: Uint8Array): Promise<number>;
  /** No more will come (or, after `reopen`, might): followers end. */
  finish(attempt: AttemptId): void;
  /**
   * Framed bytes from `offset`.
   * @param isLive whether more will come, asked when the log is held: then it goes on until `finish`. False: who reads wants no more
   */
  read(attempt: AttemptId, offset: number, isLive: false | (() => boolean), signal: AbortSignal): AsyncIterable<Uint8Array>;
  removeJob(job: JobId): Promise<void>;
}

/** Templates of jobs: those that come with the program, and a farm's own, which go before them. */
export interface Templates {
  /** By id. A file that is not a template is left out, and logged. */
  list(): Promise<readonly TemplateView[]>;
  /** @throws LanyardError NOT_FOUND; INVALID when its file is not a template */
  get(id: string): Promise<TemplateView>;
  /** @throws LanyardError TOO_MANY, TOO_LARGE, DISK_FULL */
  put(id: string, template: Template): Promise<TemplateView>;
  /** @throws LanyardError NOT_FOUND, CONFLICT for one that comes with the program */
  remove(id: string): Promise<void>;
}
