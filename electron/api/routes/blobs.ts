import { Readable } from 'node:stream';
import type { ROUTES } from '../../../shared/api.ts';
import { LanyardError } from '../../../shared/errors.ts';
import type { BlobId } from '../../../shared/ids.ts';
import { LIMITS } from '../../../shared/limits.ts';
import type { ApiContext } from '../context.ts';
import { byteAnswer } from '../ranges.ts';
import type { HandlersOf } from '../route-types.ts';

type Names = 'headBlob' | 'getBlob' | 'putBlob';

export function blobHandlers({ blobs, gate, settings }: ApiContext): HandlersOf<Pick<typeof ROUTES, Names>> {
  return {
    async headBlob({ params }) {
      const blob = params.blob as BlobId;
      const bytes = await blobs.size(blob);
      if (bytes === undefined) return { status: 404, headers: { 'upload-offset': await blobs.received(blob) } };
      return { headers: { 'content-length': bytes, etag: `"${blob}"`, 'accept-ranges': 'bytes' } };
    },
    async getBlob({ params, request }) {
      return await byteAnswer(blobs, params.blob as BlobId, request.headers, {
        'content-type': 'application/octet-stream',
        'content-disposition': 'attachment',
      });
    },
    async putBlob({ params, request, reply }) {
      gate.assertOpen();
      const blob = params.blob as BlobId;
      const offset = byteCount(request.headers['upload-offset'], 'Upload-Offset');
      const total = byteCount(request.headers['upload-length'], 'Upload-Length');
      const most = Math.min(settings.maxUploadBytes, LIMITS.blobBytes);
      if (total > most)
        throw new LanyardError({
          code: 'TOO_LARGE',
          message: `the upload has ${total} bytes; at most ${most} are allowed`,
          field: 'Upload-Length',
        });
      try {
        const source = (request.body as Readable | undefined) ?? Readable.from([]);
        const appended = await blobs.append(blob, offset, total, source);
        // It may have come too late to be handed over with the others.
        gate.assertOpen();
        return appended;
      } catch (error) {
        if (error instanceof LanyardError && error.code === 'CONFLICT') reply.header('upload-offset', await blobs.received(blob));
        throw error;
      }
    },
  };
}

function byteCount(header: string | string[] | undefined, name: string): number {
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header);
  throw new LanyardError({ code: 'INVALID', message: `the header ${name} is not a number of bytes`, field: name });
}
