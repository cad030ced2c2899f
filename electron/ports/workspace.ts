import type { CachedInput } from '../../shared/cache.ts';
import type { AttemptId, BlobId } from '../../shared/ids.ts';
import type { EndReason } from '../../shared/job.ts';
import type { LogStream, Phase } from '../../shared/protocol.ts';

/** An attempt's folder with its input in it. */
export interface Workspace {
  readonly folder: string;
  /** Files that match, staged and named; a glob without a match is in `missing`. */
  collect(
    globs: readonly string[],
    workdir: string,
  ): Promise<{ readonly files: readonly { path: string; source: string; bytes: number }[]; readonly missing: readonly string[] }>;
  /** Why what just failed in it may have failed: the machine has no room, by no doing of the attempt. @param promisedMb the disk that it asked for */
  diskShortage(promisedMb: number): Promise<string | undefined>;
  remove(): Promise<void>;
}

export type WorkspaceResult = { readonly workspace: Workspace } | { readonly refused: EndReason; readonly message: string };

export interface Workspaces {
  /** Fetches, verifies and unpacks what is not in the cache, then makes a private writable copy of it for the attempt. */
  create(
    attempt: AttemptId,
    input: { readonly blob: BlobId; readonly bytes: number } | null,
    files: readonly { readonly path: string; readonly blob: BlobId; readonly bytes: number }[],
    progress: (phase: Phase) => void,
    signal: AbortSignal,
  ): Promise<WorkspaceResult>;
  /** Blobs unpacked in the cache, newest first. */
  cached(): readonly BlobId[];
  /** What the cache holds. @param clear removes what nothing works on first */
  cache(clear: boolean): Promise<{ readonly capBytes: number; readonly inputs: readonly CachedInput[] }>;
  /** Removes folders of an earlier life. */
  removeStrays(): Promise<void>;
}

/** A worker's own copy of an attempt's log, kept until the coordinator has all of it. */
export interface LogSpool {
  /** Frames and writes; settles when the next write may come. At the cap the head stays and the tail is kept in a ring. */
  write(stream: LogStream, bytes: Uint8Array): Promise<void> | undefined;
  /** No more will be written: what the ring holds follows the line that says how much was left out. @returns the full framed length */
  end(): Promise<number>;
  /** Framed bytes from `offset` on as they come, each piece the reader's until it asks for the next; ends after `end` when all was read. */
  read(offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Bytes that the coordinator has on disk. */
  acknowledge(offset: number): void;
  remove(): Promise<void>;
}

export interface LogSpools {
  open(attempt: AttemptId): Promise<LogSpool>;
  removeStrays(): Promise<void>;
}
