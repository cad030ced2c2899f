import { createReadStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Readable, Transform } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { ROUTES } from '../../shared/api.ts';
import { type ErrorCode, LanyardError } from '../../shared/errors.ts';
import type { BlobId } from '../../shared/ids.ts';
import type { Blobs, BlobTransfer, FileWork } from '../ports/files.ts';
import type { Endpoint } from '../ports/link.ts';
import type { Logger } from '../ports/system.ts';
import { answerError, type BlobHttp, createBlobHttp } from './http.ts';

/** Tries in a row that bring no byte more; with the pauses between them about half a minute, a coordinator's restart. */
const TRIES = 16;
/** As many answers of a coordinator that its disk is full: some ten minutes in which a person can make room, before finished work is given up. */
const FULL_TRIES = 150;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** One request sends at most this many bytes, so that a slow line stays within the time a server gives one request. */
const PART_BYTES = 64 * 1024 * 1024;
const READ_BYTES = 256 * 1024;

/** Errors that another try does not mend. */
const FINAL: ReadonlySet<ErrorCode> = new Set(['INVALID', 'UNAUTHENTICATED', 'FORBIDDEN', 'NOT_FOUND', 'GONE', 'TOO_LARGE', 'RANGE']);
/** The disk that is full is this machine's own, whose tasks others can take. */
const FINAL_IN_FETCHING: ReadonlySet<ErrorCode> = new Set([...FINAL, 'DISK_FULL']);

export interface BlobTransferOptions {
  /** Where the coordinator is now; asked for each request. */
  readonly endpoint: () => Endpoint | undefined;
  readonly hash: FileWork['hash'];
  readonly logger?: Logger;
}

/**
 * Moves blobs to and from a coordinator over `HEAD`, `GET` and `PATCH /api/blobs/:blob` (`shared/api.ts`). A broken
 * transfer goes on where it stopped, also one of an earlier life of this program: what was received is asked for, never
 * remembered. Rejects with the signal's reason when aborted; what has arrived stays for the next time.
 */
export function createBlobTransfer(options: BlobTransferOptions): BlobTransfer {
  const http = createBlobHttp(options.endpoint);
  let movedBytes = 0;
  const moved = (bytes: number) => {
    movedBytes += bytes;
  };
  return {
    get movedBytes() {
      return movedBytes;
    },
    fetch: (blob, bytes, into, progress, signal) =>
      persist(options.logger, signal, `fetching ${blob}`, FINAL_IN_FETCHING, (reached) =>
        fetchOnce({ http, blob, bytes, progress, moved, reached, signal }, into),
      ),
    async upload(path, progress, signal) {
      const { blob, bytes } = await options.hash(path, signal);
      await persist(options.logger, signal, `uploading ${blob}`, FINAL, (reached) =>
        uploadOnce({ http, blob, bytes, progress, moved, reached, signal }, path),
      );
      return { blob, bytes };
    },
  };
}

/** One try to move one blob. */
interface Move {
  readonly http: BlobHttp;
  readonly blob: BlobId;
  readonly bytes: number;
  readonly progress: (done: number) => void;
  /** Bytes that just went over the line. */
  readonly moved: (bytes: number) => void;
  /** The receiver has so many bytes for certain. */
  readonly reached: (offset: number) => void;
  readonly signal: AbortSignal;
}

type Step = (reached: (offset: number) => void) => Promise<void>;

/** Repeats `step` until it is through; tries that got further than any before do not count. */
async function persist(
  logger: Logger | undefined,
  signal: AbortSignal,
  what: string,
  final: ReadonlySet<ErrorCode>,
  step: Step,
): Promise<void> {
  let furthest = 0;
  let failures = 0;
  let refusals = 0;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await step((offset) => {
        if (offset > furthest) failures = 0;
        furthest = Math.max(furthest, offset);
      });
    } catch (error) {
      signal.throwIfAborted();
      failures += 1;
      if (error instanceof LanyardError && error.code === 'INVALID') refusals += 1;
      if (isFinal(error, final, refusals)) throw error;
      logger?.debug(`${what} is interrupted`, { error: String(error), failures });
      if (failures >= (isDiskFull(error) ? FULL_TRIES : TRIES)) {
        throw new LanyardError({ code: 'UNAVAILABLE', message: `${what} does not get on: ${describe(error)}` }, { cause: error });
      }
    }
    const ceilingMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
    await pause(ceilingMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Bytes that were damaged on their way make a blob INVALID too, so that this one is tried once more. */
function isFinal(error: unknown, final: ReadonlySet<ErrorCode>, refusals: number): boolean {
  return error instanceof LanyardError && final.has(error.code) && !(error.code === 'INVALID' && refusals < 2);
}

function isDiskFull(error: unknown): boolean {
  return error instanceof LanyardError && error.code === 'DISK_FULL';
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ((error as NodeJS.ErrnoException).code ?? error.name);
}

async function fetchOnce(move: Move, into: Blobs): Promise<void> {
  const { blob, bytes, progress, reached } = move;
  const offset = await into.received(blob);
  reached(offset);
  progress(Math.min(offset, bytes));
  if ((await into.size(blob)) !== undefined) return;
  const source = offset < bytes ? await openRange(move, offset) : Readable.from([]);
  const counted = countThrough(source, offset, move);
  try {
    const { complete, received } = await into.append(blob, offset, bytes, counted);
    reached(received);
    if (!complete) throw new LanyardError({ code: 'UNAVAILABLE', message: `the coordinator stopped at byte ${received} of ${bytes}` });
  } finally {
    source.destroy();
    counted.destroy();
  }
}

/** @returns the bytes from `offset` to the end */
async function openRange({ http, blob, bytes, signal }: Move, offset: number): Promise<IncomingMessage> {
  const response = await http.send({
    method: ROUTES.getBlob.method,
    path: blobPath(blob),
    headers: offset === 0 ? {} : { range: `bytes=${offset}-` },
    signal,
  });
  if (response.statusCode !== 200 && response.statusCode !== 206) throw await answerError(response);
  const begins = response.statusCode === 200 ? 0 : Number(/^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1]);
  const length = Number(response.headers['content-length']);
  if (begins === offset && length === bytes - offset) return response;
  response.destroy();
  throw new LanyardError({
    code: 'INVALID',
    message: `the coordinator offers ${length} bytes of ${blob} from byte ${begins}; expected ${bytes - offset} from ${offset}`,
  });
}

/** Passes bytes on, telling how far they are; an error of `source` becomes an error of the result. */
function countThrough(source: Readable, offset: number, { progress, moved }: Pick<Move, 'progress' | 'moved'>): Readable {
  let done = offset;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length;
      moved(chunk.length);
      progress(done);
      next(null, chunk);
    },
  });
  source.on('error', (error) => counter.destroy(error));
  return source.pipe(counter);
}

async function uploadOnce(move: Move, path: string): Promise<void> {
  const { bytes, progress, reached } = move;
  const there = await remoteState(move);
  if (there === 'complete') {
    progress(bytes);
    return;
  }
  for (let offset = there; ; ) {
    reached(offset);
    progress(Math.min(offset, bytes));
    const { received, complete } = await sendPart(move, path, offset);
    if (complete) return;
    if (received <= offset)
      throw new LanyardError({ code: 'UNAVAILABLE', message: `the coordinator stays at byte ${received} of ${bytes}` });
    offset = received;
  }
}

async function remoteState({ http, blob, signal }: Move): Promise<number | 'complete'> {
  const response = await http.send({ method: ROUTES.headBlob.method, path: blobPath(blob), signal });
  response.resume();
  if (response.statusCode === 200) return 'complete';
  // An answer to HEAD has no body: the status tells all there is.
  if (response.statusCode !== 404) throw await answerError(response);
  return offsetHeader(response) ?? 0;
}

async function sendPart(move: Move, path: string, offset: number): Promise<{ readonly received: number; readonly complete: boolean }> {
  const { http, blob, bytes, signal } = move;
  const end = Math.min(offset + PART_BYTES, bytes);
  const file = end > offset ? createReadStream(path, { start: offset, end: end - 1, highWaterMark: READ_BYTES }) : Readable.from([]);
  const body = countThrough(file, offset, move);
  try {
    const response = await http.send({
      method: ROUTES.putBlob.method,
      path: blobPath(blob),
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': Math.max(0, end - offset),
        'upload-offset': offset,
        'upload-length': bytes,
      },
      body,
      signal,
    });
    if (response.statusCode === 200) return ROUTES.putBlob.answer.parse(await readJson(response));
    const right = response.statusCode === 409 ? offsetHeader(response) : undefined;
    if (right === undefined || right <= offset || right > bytes) throw await answerError(response);
    response.resume();
    return { received: right, complete: false };
  } finally {
    file.destroy();
    body.destroy();
  }
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString('utf8'));
}

function offsetHeader(response: IncomingMessage): number | undefined {
  const text = response.headers['upload-offset'];
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}

function blobPath(blob: BlobId): string {
  return ROUTES.getBlob.path.replace(':blob', blob);
}
