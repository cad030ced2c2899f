import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ROUTES } from '../../shared/api.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { BlobId } from '../../shared/ids.ts';
import { fileThreads } from '../files/threads/file-threads.ts';
import type { HashedFile } from '../ports/files.ts';
import { toWebStream } from '../web-stream.ts';
import { errorOf, fillPath, type Http, pauseFor } from './client-http.ts';

/** One request carries at most this many bytes, so that a slow line stays under the server's time for one request. */
const PART_BYTES = 64 * 1024 * 1024;
const READ_BYTES = 512 * 1024;
/** Tries in a row without one more byte at the coordinator. */
const TRIES = 6;
const PAUSE_MS = 100;

/** See `Client.uploadBlob`. */
export async function uploadBlob(
  http: Http,
  path: string,
  progress: (done: number, total: number) => void = () => {},
  signal?: AbortSignal,
): Promise<HashedFile> {
  const { blob, bytes } = await hashFile(path, signal);
  let offset = await remoteOffset(http, blob, bytes, signal);
  progress(Math.min(offset, bytes), bytes);
  for (let tries = 0; offset < bytes || !(await isThere(http, blob, signal)); ) {
    const before = offset;
    try {
      offset = await sendPart(http, path, blob, offset, bytes, signal);
    } catch (error) {
      if (!(error instanceof LanyardError) || error.code !== 'UNAVAILABLE' || tries + 1 >= TRIES) throw error;
      await pauseFor(PAUSE_MS * 2 ** tries, signal);
      offset = await remoteOffset(http, blob, bytes, signal);
    }
    tries = offset > before ? 0 : tries + 1;
    if (tries >= TRIES) throw new LanyardError({ code: 'UNAVAILABLE', message: `the upload of ${path} does not get on at byte ${offset}` });
    // Another transfer of the same bytes may be under way, or the coordinator has yet to see that ours broke.
    if (tries > 0 && bytes > 0) await pauseFor(PAUSE_MS * 2 ** tries, signal);
    progress(offset, bytes);
  }
  return { blob, bytes };
}

async function hashFile(path: string, signal: AbortSignal | undefined): Promise<HashedFile> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new LanyardError({ code: 'NOT_FOUND', message: `cannot read ${path} (${error.code})` }, { cause: error });
  });
  if (!info.isFile()) throw new LanyardError({ code: 'INVALID', message: `${path} is not a file` });
  return await fileThreads.hash(path, signal);
}

function blobPath(blob: BlobId): string {
  return fillPath(ROUTES.headBlob.path, { blob });
}

async function isThere(http: Http, blob: BlobId, signal: AbortSignal | undefined): Promise<boolean> {
  return (await http.send({ method: 'HEAD', path: blobPath(blob), signal })).ok;
}

/** Bytes that the coordinator has of it: all of them when it is complete. */
async function remoteOffset(http: Http, blob: BlobId, bytes: number, signal: AbortSignal | undefined): Promise<number> {
  const response = await http.send({ method: 'HEAD', path: blobPath(blob), signal });
  if (response.ok) return bytes;
  // An answer to HEAD has no body, so that the status is all there is of its error.
  if (response.status !== 404) throw await errorOf(response);
  return Number(response.headers.get('upload-offset') ?? 0);
}

/** @returns the offset to go on from */
async function sendPart(
  http: Http,
  path: string,
  blob: BlobId,
  offset: number,
  total: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const end = Math.min(offset + PART_BYTES, total);
  const source = end === offset ? undefined : createReadStream(path, { start: offset, end: end - 1, signal, highWaterMark: READ_BYTES });
  try {
    const response = await http.send({
      method: 'PATCH',
      path: blobPath(blob),
      headers: {
        'content-type': 'application/octet-stream',
        'upload-offset': String(offset),
        'upload-length': String(total),
      },
      body: source === undefined ? new Uint8Array() : toWebStream(source),
      signal,
    });
    const remote = response.headers.get('upload-offset');
    if (response.status === 409 && remote !== null) return Number(remote);
    if (!response.ok) throw await errorOf(response);
    return ((await response.json()) as { received: number }).received;
  } finally {
    source?.destroy();
  }
}
