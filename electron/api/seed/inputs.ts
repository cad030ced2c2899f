import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { LanyardError } from '../../../shared/errors.ts';
import { type BlobId, isBlobId } from '../../../shared/ids.ts';
import type { JobSpec } from '../../../shared/job.ts';
import type { JobView } from '../../../shared/view.ts';
import { fileThreads } from '../../files/threads/file-threads.ts';
import type { Identity } from '../../ports/trust.ts';
import type { ApiContext } from '../context.ts';

/** Longest download of an input named by URL, ms. */
const DOWNLOAD_MS = 3_600_000;

/**
 * Submits a job whose input is named by URL. One of this coordinator's own blobs is taken as it is; a foreign URL is downloaded,
 * where the settings allow it, after the job was accepted.
 * @param host the Host header under which the caller reached this coordinator
 * @throws INVALID for a URL that is not allowed
 */
export async function acceptInput(
  context: ApiContext,
  fileUrl: string | undefined,
  host: string | undefined,
  specFor: (input: BlobId | undefined) => JobSpec,
  by: Identity,
): Promise<JobView> {
  const { farm } = context;
  if (fileUrl === undefined) return farm.submit(specFor(undefined), by);
  const own = ownBlob(context, fileUrl, host);
  if (own !== undefined) return farm.submit(specFor(own), by);
  const url = foreignUrl(context, fileUrl);
  const { job, inputReady, inputFailed } = await farm.submitAwaitingInput(specFor(undefined), by);
  download(context, url)
    .then(inputReady)
    .catch((error: unknown) => inputFailed(`the input could not be fetched: ${messageOf(error)}`))
    .catch((error: unknown) => context.logger.warn('the end of a download found no job', { job: job.id, error: String(error) }));
  return job;
}

/** @returns the blob that `/api/blobs/HASH` names, alone or after one of this coordinator's own addresses */
function ownBlob({ guard }: ApiContext, fileUrl: string, host: string | undefined): BlobId | undefined {
  const base = `http://${host}`;
  if (!URL.canParse(fileUrl, base)) return undefined;
  const url = new URL(fileUrl, base);
  const isHere = url.host === new URL(base).host || (guard.isOwn(url.host) && url.port === new URL(base).port);
  const blob = /^\/api\/blobs\/([^/]+)$/.exec(url.pathname)?.[1];
  return isHere && blob !== undefined && isBlobId(blob) ? blob : undefined;
}

function foreignUrl({ settings }: ApiContext, fileUrl: string): URL {
  const url = URL.canParse(fileUrl) ? new URL(fileUrl) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new LanyardError({ code: 'INVALID', field: 'fileUrl', message: 'fileUrl is neither /api/blobs/HASH nor an http(s) URL' });
  if (!settings.fetchUrls)
    throw new LanyardError({
      code: 'INVALID',
      field: 'fileUrl',
      message: `this coordinator does not download from other places (${url.host})`,
      hint: 'upload the zip to /api/blobs/HASH or with POST /api/execute, or switch the setting fetchUrls on',
    });
  return url;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}

async function download({ blobs, settings, closing }: ApiContext, url: URL): Promise<BlobId> {
  const response = await fetch(url, { signal: AbortSignal.any([AbortSignal.timeout(DOWNLOAD_MS), closing]), credentials: 'omit' });
  if (!response.ok || response.body === null) throw new Error(`${url.host} answered with status ${response.status}`);
  const source = Readable.fromWeb(response.body as ReadableStream);
  try {
    const { blob } = await blobs.write(source, { maxBytes: settings.maxUploadBytes });
    await fileThreads.checkZip(blobs.path(blob));
    return blob;
  } finally {
    source.destroy();
  }
}
