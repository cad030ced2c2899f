import type { ROUTES } from '../../../shared/api.ts';
import { LanyardError } from '../../../shared/errors.ts';
import type { BlobId } from '../../../shared/ids.ts';
import type { OutputView } from '../../../shared/view.ts';
import { zipStream } from '../../files/zip.ts';
import type { ApiContext } from '../context.ts';
import { deliveryHeaders, dispositionHeader } from '../delivery.ts';
import { byteAnswer } from '../ranges.ts';
import type { HandlersOf } from '../route-types.ts';

type Names = 'listOutputs' | 'outputsZip' | 'outputFile';

export function outputHandlers({ farm, blobs }: ApiContext): HandlersOf<Pick<typeof ROUTES, Names>> {
  return {
    listOutputs: ({ params }) => ({ outputs: farm.outputs(params.job) }),
    outputsZip({ params }) {
      const job = farm.job(params.job);
      const entries = zipNames(farm.outputs(params.job)).map(({ name, output }) => ({
        name,
        bytes: output.bytes,
        read: () => blobs.read(output.blob as BlobId),
      }));
      return {
        headers: { 'content-type': 'application/zip', 'content-disposition': dispositionHeader('attachment', `${job.name}-${job.id}.zip`) },
        body: zipStream(entries),
      };
    },
    async outputFile({ params, request }) {
      const path = (request.params as Record<string, string>)['*'];
      const output = farm.outputs(params.job, params.index).find((one) => one.path === path);
      if (output === undefined)
        throw new LanyardError({ code: 'NOT_FOUND', message: `task ${params.job}.${params.index} has no such output` });
      return await byteAnswer(blobs, output.blob as BlobId, request.headers, deliveryHeaders(output.path));
    },
  };
}

/** Files keep their names; where two tasks made the same one, each task has a folder. */
function zipNames(outputs: readonly OutputView[]): { name: string; output: OutputView }[] {
  const isUnique = new Set(outputs.map((output) => output.path)).size === outputs.length;
  return outputs.map((output) => ({ name: isUnique ? output.path : `${output.task}/${output.path}`, output }));
}
