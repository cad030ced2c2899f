import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type { ROUTES } from '../../../shared/api.ts';
import { LanyardError } from '../../../shared/errors.ts';
import type { BlobId, JobId } from '../../../shared/ids.ts';
import type { OutputView } from '../../../shared/view.ts';
import type { Farm } from '../../daemon/farm.ts';
import { fileThreads } from '../../files/threads/file-threads.ts';
import type { ApiContext } from '../context.ts';
import { deliveryHeaders, dispositionHeader } from '../delivery.ts';
import { byteAnswer } from '../ranges.ts';
import type { HandlersOf } from '../route-types.ts';

type Names = 'listOutputs' | 'outputsZip' | 'outputFile' | 'outputThumbnail';

export function outputHandlers({ farm, blobs, thumbnails }: ApiContext): HandlersOf<Pick<typeof ROUTES, Names>> {
  return {
    listOutputs: ({ params }) => ({ outputs: farm.outputs(params.job) }),
    async outputsZip({ params }) {
      const job = farm.job(params.job);
      const entries = zipNames(farm.outputs(params.job)).map(({ name, output }) => ({
        name,
        bytes: output.bytes,
        path: blobs.path(output.blob as BlobId),
      }));
      return {
        headers: { 'content-type': 'application/zip', 'content-disposition': dispositionHeader('attachment', `${job.name}-${job.id}.zip`) },
        body: await fileThreads.zip(entries),
      };
    },
    async outputFile({ params, request }) {
      const output = outputOf(farm, params, request);
      return await byteAnswer(blobs, output.blob as BlobId, request.headers, deliveryHeaders(output.path));
    },
    async outputThumbnail({ params, query, request, signal }) {
      const blob = outputOf(farm, params, request).blob as BlobId;
      const etag = `"${blob}-${query.size}"`;
      if (request.headers['if-none-match'] === etag) return { status: 304, headers: { etag } };
      const picture = await thumbnails.of(blob, query.size, signal);
      return {
        headers: { ...deliveryHeaders('thumbnail.webp'), etag, 'content-length': picture.byteLength },
        body: Readable.from([picture], { objectMode: false }),
      };
    },
  };
}

/** @throws NOT_FOUND when the task has no output of the path after the route's own */
function outputOf(farm: Farm, { job, index }: { job: JobId; index: number }, request: FastifyRequest): OutputView {
  const path = (request.params as Record<string, string>)['*'];
  const output = farm.outputs(job, index).find((one) => one.path === path);
  if (output === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: `task ${job}.${index} has no such output` });
  return output;
}

/** Files keep their names; where two tasks made the same one, each task has a folder. */
function zipNames(outputs: readonly OutputView[]): { name: string; output: OutputView }[] {
  const isUnique = new Set(outputs.map((output) => output.path)).size === outputs.length;
  return outputs.map((output) => ({ name: isUnique ? output.path : `${output.task}/${output.path}`, output }));
}
