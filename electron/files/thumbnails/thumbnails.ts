import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { LanyardError } from '../../../shared/errors.ts';
import type { BlobId } from '../../../shared/ids.ts';
import { LIMITS } from '../../../shared/limits.ts';
import type { Blobs, ThumbnailSize, Thumbnails } from '../../ports/files.ts';
import type { Logger } from '../../ports/system.ts';
import { askThread, startThread } from '../../thread.ts';
import type { Answer, Wish } from './worker.ts';

/** The longer side, in pixels. */
const EDGES: Readonly<Record<ThumbnailSize, number>> = { small: 320, large: 1_600 };
/** The decoder's thread and its memory are given back after this time without a wish (ms). */
const IDLE_MS = 30_000;

interface ThumbnailOptions {
  /** Kept copies lie here. Made when it is missing; it may be removed at any time. */
  readonly folder: string;
  readonly blobs: Pick<Blobs, 'size' | 'path'>;
  readonly logger: Logger;
  /** Unless given, `LIMITS.thumbnailCacheBytes`. */
  readonly capBytes?: number;
  /** Unless given, `LIMITS.thumbnailMs`. */
  readonly timeoutMs?: number;
}

/** Small copies of pictures, made in a thread of their own, one after the other, and kept on the disk. */
export async function openThumbnails(options: ThumbnailOptions): Promise<Thumbnails> {
  await mkdir(options.folder, { recursive: true });
  return new ThumbnailFolder(options);
}

class ThumbnailFolder implements Thumbnails {
  readonly #options: ThumbnailOptions;
  /** Copies asked for and not yet given, by name: who asks for the same one gets the same one. */
  readonly #making = new Map<string, { readonly made: Promise<Uint8Array>; readonly signal: AbortSignal }>();
  /** Blobs that are no pictures, so that they are not read again and again; the oldest are forgotten. */
  readonly #refused = new Map<BlobId, string>();
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #madeBytes = Number.POSITIVE_INFINITY;

  constructor(options: ThumbnailOptions) {
    this.#options = options;
  }

  async of(blob: BlobId, size: ThumbnailSize, signal: AbortSignal): Promise<Uint8Array> {
    const path = join(this.#options.folder, `${blob}-${size}.webp`);
    for (;;) {
      const known = this.#making.get(path);
      if (known === undefined) break;
      try {
        return await known.made;
      } catch (error) {
        // Who asked first may have gone away before its turn; that concerns nobody else.
        if (!known.signal.aborted || signal.aborted) throw error;
      }
    }
    const made = this.#keptOrMade(blob, size, path, signal).finally(() => this.#making.delete(path));
    this.#making.set(path, { made, signal });
    return await made;
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #keptOrMade(blob: BlobId, size: ThumbnailSize, path: string, signal: AbortSignal): Promise<Uint8Array> {
    const kept = await readFile(path).catch(() => undefined);
    if (kept === undefined) return await this.#make(blob, size, path, signal);
    // The time of the file is its last use.
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
    return kept;
  }

  async #make(blob: BlobId, size: ThumbnailSize, path: string, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = await this.#options.blobs.size(blob);
    if (bytes === undefined) throw new LanyardError({ code: 'GONE', message: `the blob ${blob} is not here any more` });
    if (bytes > LIMITS.thumbnailSourceBytes)
      throw new LanyardError({
        code: 'TOO_LARGE',
        message: `no picture is made of a file of more than ${LIMITS.thumbnailSourceBytes} bytes`,
        hint: 'save the file and open it with a program of its own',
      });
    const made = await this.#inTurn(async () => {
      signal.throwIfAborted();
      const refused = this.#refused.get(blob);
      if (refused !== undefined) throw noPicture(refused);
      const answer = await this.#ask({ path: this.#options.blobs.path(blob), edge: EDGES[size] });
      if ('bytes' in answer) return answer.bytes;
      this.#refuse(blob, answer.problem);
      throw noPicture(answer.problem);
    });
    await this.#keep(path, made);
    return made;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= LIMITS.thumbnailsWaiting)
      throw new LanyardError({ code: 'TOO_MANY', message: 'too many pictures are waited for', hint: 'ask again in a few seconds' });
    this.#waiting += 1;
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    try {
      return await mine;
    } finally {
      this.#waiting -= 1;
    }
  }

  /** A thread that takes too long, or dies, is replaced by another at the next wish. */
  async #ask(wish: Wish): Promise<Answer> {
    clearTimeout(this.#idle);
    const worker = this.#worker ?? startThread('files/thumbnails/worker.ts', 'thumbnail-worker.js');
    this.#worker = worker;
    const answer = await answered(worker, wish, this.#options.timeoutMs ?? LIMITS.thumbnailMs);
    if ('bytes' in answer || !answer.isOver) {
      this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    } else {
      this.#worker = undefined;
      await worker.terminate();
      this.#options.logger.warn('a picture could not be read', { path: wish.path, problem: answer.problem });
    }
    return answer;
  }

  #refuse(blob: BlobId, problem: string): void {
    this.#refused.set(blob, problem);
    for (const oldest of this.#refused.keys()) {
      if (this.#refused.size <= LIMITS.thumbnailsRefused) return;
      this.#refused.delete(oldest);
    }
  }

  /** A copy that cannot be kept is made again; whoever asked for it has it all the same. */
  async #keep(path: string, bytes: Uint8Array): Promise<void> {
    const beside = `${path}.${randomUUID()}`;
    try {
      await writeFile(beside, bytes);
      await rename(beside, path);
      this.#madeBytes += bytes.byteLength;
      await this.#trim();
    } catch (error) {
      await rm(beside, { force: true }).catch(() => undefined);
      this.#options.logger.warn('a thumbnail could not be kept', { error: String(error) });
    }
  }

  /** Looked at again when a tenth of the cap has been added since: what was not used for longest goes. */
  async #trim(): Promise<void> {
    const cap = this.#options.capBytes ?? LIMITS.thumbnailCacheBytes;
    if (this.#madeBytes < cap / 10) return;
    this.#madeBytes = 0;
    const { folder } = this.#options;
    const files = await Promise.all(
      (await readdir(folder)).map(async (name) => ({ path: join(folder, name), ...(await stat(join(folder, name))) })),
    );
    files.sort((left, right) => left.mtimeMs - right.mtimeMs);
    let used = files.reduce((sum, file) => sum + file.size, 0);
    for (const file of files) {
      if (used <= cap) return;
      await rm(file.path, { force: true });
      used -= file.size;
    }
  }
}

/** What the thread answers; `isOver`: it will answer nothing more. */
type Outcome = { readonly bytes: Uint8Array<ArrayBuffer> } | { readonly problem: string; readonly isOver: boolean };

async function answered(worker: Worker, wish: Wish, timeoutMs: number): Promise<Outcome> {
  const late = Promise.withResolvers<'late'>();
  const timer = setTimeout(late.resolve, timeoutMs, 'late');
  const answer = await Promise.race([askThread<Answer>(worker, wish), late.promise]);
  clearTimeout(timer);
  if (answer === 'late') return { problem: `it was not read within ${timeoutMs} ms`, isOver: true };
  if (answer === undefined) return { problem: 'the decoder ended', isOver: true };
  return 'bytes' in answer ? answer : { ...answer, isOver: false };
}

function noPicture(problem: string): LanyardError {
  return new LanyardError({ code: 'INVALID', message: `no picture can be made of this file: ${problem.trim()}` });
}
