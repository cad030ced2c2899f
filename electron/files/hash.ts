import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { BlobId } from '../../shared/ids.ts';
import type { HashedFile } from '../ports/files.ts';

const READ_BYTES = 1024 * 1024;

/** Reads a whole file. @throws the reason of `signal` */
export async function hashFile(path: string, signal?: AbortSignal): Promise<HashedFile> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { signal, highWaterMark: READ_BYTES }) as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    bytes += chunk.byteLength;
  }
  return { blob: hash.digest('hex') as BlobId, bytes };
}
