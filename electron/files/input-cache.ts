import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, rename, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { CachedInput } from '../../shared/cache.ts';
import type { BlobId } from '../../shared/ids.ts';
import { isBlobId } from '../../shared/ids.ts';
import type { BlobReference, Phase } from '../../shared/protocol.ts';
import { errorCode } from '../disk.ts';
import type { Blobs, BlobTransfer } from '../ports/files.ts';
import type { Logger } from '../ports/system.ts';
import { fileThreads } from './threads/file-threads.ts';
import { removeTree } from './trees.ts';

/** A zip unpacked to a tree, or a file as it is. */
export type InputKind = 'tree' | 'file';

/** At what an input failed; the cause says why. */
export class InputFailure extends Error {
  readonly at: 'fetching' | 'unpacking';

  constructor(at: 'fetching' | 'unpacking', cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.at = at;
  }
}

/** An input that is held: it stays in the cache until it is released. */
export interface HeldInput {
  readonly path: string;
  release(): Promise<void>;
}

interface Cached {
  readonly kind: InputKind;
  readonly blob: BlobId;
  readonly bytes: number;
  usedAt: number;
  holders: number;
}

/** A blob on its way into the cache, with all who wait for it. */
interface Arrival {
  readonly kind: InputKind;
  readonly done: Promise<void>;
  readonly stop: AbortController;
  readonly listeners: Set<(phase: Phase) => void>;
}

interface CacheOptions {
  readonly folder: string;
  readonly capBytes: number;
  readonly blobs: Blobs;
  readonly transfer: BlobTransfer;
  readonly logger: Logger;
}

const ENTRY_NAME = /^(tree|file)-([0-9a-f]{64})-(\d{1,15})$/;

/**
 * Inputs ready for use, each as `<kind>-<blob>-<bytes>`; the file time is the last use. An entry is made elsewhere and
 * gets its name by one rename, so an entry that is there is whole. When they outgrow the cap, those that were not used
 * for longest go, but never one that is held: the cap may be passed by what live attempts need.
 */
export class InputCache {
  readonly #options: CacheOptions;
  /** Least recently used first. */
  readonly #entries = new Map<string, Cached>();
  readonly #arrivals = new Map<BlobId, Arrival>();

  static async open(options: CacheOptions): Promise<InputCache> {
    const cache = new InputCache(options);
    await mkdir(options.folder, { recursive: true });
    await cache.#load();
    return cache;
  }

  private constructor(options: CacheOptions) {
    this.#options = options;
  }

  /** Blobs that are here as trees, newest first. */
  trees(): readonly BlobId[] {
    return [...this.#entries.values()]
      .filter(({ kind }) => kind === 'tree')
      .map(({ blob }) => blob)
      .reverse();
  }

  get capBytes(): number {
    return this.#options.capBytes;
  }

  /** All that is here, newest use first. */
  list(): readonly CachedInput[] {
    return [...this.#entries.values()].reverse().map(({ holders, ...entry }) => ({ ...entry, isHeld: holders > 0 }));
  }

  /** Removes what nobody holds. */
  clear(): Promise<void> {
    return this.#evict(this.#options.capBytes);
  }

  /**
   * Makes the input ready and holds it. Attempts that want the same one share one transfer, which stops only when none of
   * them is left.
   * @throws InputFailure; the reason of `signal`
   */
  async hold(kind: InputKind, input: BlobReference, progress: (phase: Phase) => void, signal: AbortSignal): Promise<HeldInput> {
    const key = `${kind}-${input.blob}`;
    for (;;) {
      signal.throwIfAborted();
      const entry = this.#entries.get(key);
      if (entry !== undefined) return this.#held(key, entry);
      const arrival = this.#arrivals.get(input.blob) ?? this.#start(kind, input);
      // One that is being stopped, or brings the blob in the other form, has to be out of the way first.
      if (arrival.kind !== kind || arrival.stop.signal.aborted) await arrival.done.catch(() => undefined);
      else await waitFor(arrival, progress, signal);
    }
  }

  async #held(key: string, entry: Cached): Promise<HeldInput> {
    entry.holders += 1;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.usedAt = Date.now();
    await utimes(this.#path(entry), entry.usedAt / 1000, entry.usedAt / 1000).catch(() => undefined);
    let released = false;
    const release = async (): Promise<void> => {
      if (released) return;
      released = true;
      entry.holders -= 1;
      await this.#evict(0);
    };
    return { path: this.#path(entry), release };
  }

  #start(kind: InputKind, input: BlobReference): Arrival {
    const stop = new AbortController();
    const listeners = new Set<(phase: Phase) => void>();
    const tell = (phase: Phase): void => {
      for (const listener of listeners) listener(phase);
    };
    const done = this.#bring(kind, input, tell, stop.signal).finally(() => this.#arrivals.delete(input.blob));
    // When all who waited have left, its failure concerns nobody.
    done.catch(() => undefined);
    const arrival = { kind, done, stop, listeners };
    this.#arrivals.set(input.blob, arrival);
    return arrival;
  }

  async #bring(kind: InputKind, { blob, bytes }: BlobReference, tell: (phase: Phase) => void, signal: AbortSignal): Promise<void> {
    const { blobs, transfer, folder } = this.#options;
    const wasHere = (await blobs.size(blob)) !== undefined;
    if (!wasHere) {
      const fetched = (done: number): void => tell({ phase: 'fetching', done, total: bytes });
      fetched(0);
      await transfer.fetch(blob, bytes, blobs, fetched, signal).catch((error: unknown) => {
        throw new InputFailure('fetching', error);
      });
    }
    const temporary = join(folder, `making-${randomUUID()}`);
    try {
      const made = kind === 'tree' ? await this.#unpack(blob, temporary, tell, signal) : await this.#copy(blob, temporary);
      const entry = { kind, blob, bytes: made, usedAt: Date.now(), holders: 0 };
      await rename(temporary, this.#path(entry));
      this.#entries.set(`${kind}-${blob}`, entry);
    } catch (error) {
      await removeTree(temporary);
      throw new InputFailure('unpacking', error);
    } finally {
      // Of what was fetched for the cache the cache keeps the only copy; what was here before belongs to somebody else.
      if (!wasHere) await blobs.remove(blob);
    }
  }

  async #unpack(blob: BlobId, target: string, tell: (phase: Phase) => void, signal: AbortSignal): Promise<number> {
    const progress = (done: number, total: number): void => tell({ phase: 'unpacking', done, total });
    const path = this.#options.blobs.path(blob);
    const { bytes } = await fileThreads.checkZip(path);
    progress(0, bytes);
    await this.#evict(bytes);
    return await fileThreads.extractZip(path, target, { progress, signal });
  }

  async #copy(blob: BlobId, target: string): Promise<number> {
    const source = this.#options.blobs.path(blob);
    const { size } = await stat(source);
    await this.#evict(size);
    await copyFile(source, target, constants.COPYFILE_FICLONE);
    return size;
  }

  /** Makes room for `comingBytes`. */
  async #evict(comingBytes: number): Promise<void> {
    let used = comingBytes;
    for (const { bytes } of this.#entries.values()) used += bytes;
    for (const [key, entry] of this.#entries) {
      if (used <= this.#options.capBytes) return;
      if (entry.holders > 0) continue;
      this.#entries.delete(key);
      used -= entry.bytes;
      this.#options.logger.debug('input leaves the cache', { blob: entry.blob, bytes: entry.bytes });
      await this.#discard(entry);
    }
  }

  /** Renamed first: a tree that is half gone must not bear the name of a whole one, should the program end here. */
  async #discard(entry: Cached): Promise<void> {
    const doomed = join(this.#options.folder, `going-${randomUUID()}`);
    try {
      await rename(this.#path(entry), doomed);
      await removeTree(doomed);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT')
        this.#options.logger.warn('cannot remove an input from the cache', { blob: entry.blob, error: String(error) });
    }
  }

  async #load(): Promise<void> {
    const found: Cached[] = [];
    for (const name of await readdir(this.#options.folder)) {
      const path = join(this.#options.folder, name);
      const [, kind, blob = '', bytes] = ENTRY_NAME.exec(name) ?? [];
      if ((kind === 'tree' || kind === 'file') && isBlobId(blob)) {
        found.push({ kind, blob, bytes: Number(bytes), usedAt: (await stat(path)).mtimeMs, holders: 0 });
      } else {
        await removeTree(path);
      }
    }
    found.sort((left, right) => left.usedAt - right.usedAt);
    for (const entry of found) this.#entries.set(`${entry.kind}-${entry.blob}`, entry);
    await this.#evict(0);
  }

  #path({ kind, blob, bytes }: Cached): string {
    return join(this.#options.folder, `${kind}-${blob}-${bytes}`);
  }
}

/** Waits with others until the blob is in the cache; the last who leaves before that stops the transfer. */
async function waitFor(arrival: Arrival, progress: (phase: Phase) => void, signal: AbortSignal): Promise<void> {
  const listener = (phase: Phase): void => progress(phase);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  arrival.listeners.add(listener);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([arrival.done, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
    arrival.listeners.delete(listener);
    if (signal.aborted && arrival.listeners.size === 0) arrival.stop.abort(new Error('nobody waits for this input any more'));
  }
}
