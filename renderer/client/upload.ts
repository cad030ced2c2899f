import { ROUTES } from '../../shared/api.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { BlobId } from '../../shared/ids.ts';
import type { Upload, UploadProgress, UploadSource } from '../../shared/lanyard-client.ts';
import { errorOf, fillPath, type Http } from './http.ts';
import { pause, retryMs } from './watch.ts';

const HASH_BYTES = 4 * 1024 * 1024;
/** A request carries this much: small enough for progress that moves, large enough that requests cost nothing. */
const PART_BYTES = 8 * 1024 * 1024;
/** Tries in a row without one more byte at the coordinator. */
const TRIES = 8;

/** See `LanyardClient.upload`. */
export function startUpload(http: Http, source: UploadSource, progress: (progress: UploadProgress) => void): Upload {
  const stop = new AbortController();
  const run = async () => {
    const blob = await hashSource(source, progress, stop.signal);
    await sendAll(http, source, blob, progress, stop.signal);
    return blob;
  };
  return {
    finished: run().catch((error: unknown) => {
      throw stop.signal.aborted ? cancelled() : error;
    }),
    cancel: () => stop.abort(),
  };
}

function cancelled(): LanyardError {
  return new LanyardError({ code: 'CONFLICT', message: 'The upload was cancelled.', hint: 'Sent again, it goes on where it ended.' });
}

/** One piece is read while the one before is hashed. */
async function hashSource(source: UploadSource, progress: (progress: UploadProgress) => void, signal: AbortSignal): Promise<BlobId> {
  const worker = new Worker(new URL('./hash-worker.ts', import.meta.url), { type: 'module' });
  const answer = () =>
    new Promise<string | null>((resolve, reject) => {
      worker.addEventListener('message', ({ data }: MessageEvent<string | null>) => resolve(data), { once: true });
      worker.addEventListener('error', (event) => reject(new Error(event.message || 'The hash worker did not start.')), { once: true });
    });
  try {
    let busy: Promise<string | null> = Promise.resolve(null);
    for (let at = 0; at < source.bytes; at += HASH_BYTES) {
      const piece = await source.read(at, Math.min(at + HASH_BYTES, source.bytes));
      await busy;
      signal.throwIfAborted();
      busy = answer();
      worker.postMessage(piece, [piece.buffer]);
      progress({ step: 'hashing', done: at, total: source.bytes });
    }
    await busy;
    const hash = answer();
    worker.postMessage(null);
    return (await hash) as BlobId;
  } finally {
    worker.terminate();
  }
}

async function sendAll(
  http: Http,
  source: UploadSource,
  blob: BlobId,
  progress: (progress: UploadProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const path = fillPath(ROUTES.putBlob.path, { blob });
  let state = await remoteState(http, path, source.bytes, signal);
  for (let tries = 0; !state.complete; ) {
    progress({ step: 'sending', done: state.received, total: source.bytes });
    const before = state.received;
    try {
      state = await sendPart(http, path, source, state.received, signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof LanyardError) || error.code !== 'UNAVAILABLE' || tries + 1 >= TRIES) throw error;
      await pause(retryMs(tries + 1), signal);
      state = await remoteState(http, path, source.bytes, signal).catch(() => state);
    }
    tries = state.received > before ? 0 : tries + 1;
    if (tries >= TRIES) throw new LanyardError({ code: 'UNAVAILABLE', message: `The upload does not get on at byte ${state.received}.` });
    if (tries > 0) await pause(retryMs(tries), signal);
  }
  progress({ step: 'sending', done: source.bytes, total: source.bytes });
}

interface RemoteState {
  readonly received: number;
  readonly complete: boolean;
}

async function remoteState(http: Http, path: string, bytes: number, signal: AbortSignal): Promise<RemoteState> {
  const response = await http.send({ method: 'HEAD', path, signal });
  if (response.ok) return { received: bytes, complete: true };
  if (response.status !== 404) throw await errorOf(response);
  return { received: Number(response.headers.get('upload-offset') ?? 0), complete: false };
}

async function sendPart(http: Http, path: string, source: UploadSource, offset: number, signal: AbortSignal): Promise<RemoteState> {
  const body = await source.read(offset, Math.min(offset + PART_BYTES, source.bytes));
  const response = await http.send({
    method: 'PATCH',
    path,
    headers: { 'content-type': 'application/octet-stream', 'upload-offset': String(offset), 'upload-length': String(source.bytes) },
    body,
    signal,
  });
  const remote = response.headers.get('upload-offset');
  if (response.status === 409 && remote !== null) return { received: Number(remote), complete: false };
  if (!response.ok) throw await errorOf(response);
  return (await response.json()) as RemoteState;
}
