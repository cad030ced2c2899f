import type { Readable } from 'node:stream';
import type { z } from 'zod';
import { ROUTES } from '../../shared/api.ts';
import type { Route } from '../../shared/api-route.ts';
import type { AttemptId, BlobId, JobId } from '../../shared/ids.ts';
import type { JobSpecInput } from '../../shared/job.ts';
import type { AnswerOfCall, CallArguments, CallName, QueryValue } from '../../shared/lanyard-client.ts';
import type { LogRecord } from '../../shared/protocol.ts';
import { createSubmitter } from '../../shared/submitter.ts';
import type { OutputView, ViewEvent } from '../../shared/view.ts';
import { createHttp, fillPath, type HttpOptions } from './client-http.ts';
import { downloadBytes, followLog, watchFarm } from './client-streams.ts';
import { createStreamSender } from './client-submit.ts';
import { uploadBlob } from './client-upload.ts';

/** A call here may be ended by a signal. */
type Arguments<Name extends CallName> = CallArguments<Name, { readonly signal?: AbortSignal }>;

/**
 * A coordinator's API. Every promise rejects with a `LanyardError`: the one that the coordinator answered, UNAVAILABLE when
 * nobody answers, INTERNAL when the answer is not of the expected form. An aborted signal rejects with its own reason.
 */
export interface Client {
  readonly url: string;
  /** For example `client.call('getJob', { params: { job: 12 } })`. */
  call<Name extends CallName>(name: Name, ...request: Arguments<Name>): Promise<AnswerOfCall<Name>>;
  /**
   * Submits a job and resolves with its id once it is on disk. Jobs share a request that stays open, and those of the same turn of the
   * event loop, or that come while others are on their way, a line of it: this is many times as fast as `call('submitJob')`.
   */
  submit(spec: JobSpecInput): Promise<JobId>;
  /**
   * Stores a file at the coordinator: hashes it, asks whether it is there, else sends it, going on where an earlier upload ended.
   * @param progress bytes of `total` that the coordinator has
   */
  uploadBlob(
    path: string,
    progress?: (done: number, total: number) => void,
    signal?: AbortSignal,
  ): Promise<{ readonly blob: BlobId; readonly bytes: number }>;
  /** The bytes of one output file; the stream fails with a LanyardError when the connection breaks. */
  download(output: Pick<OutputView, 'task' | 'path'>, signal?: AbortSignal): Promise<Readable>;
  /** A small copy (WebP) of an output that is a picture. */
  thumbnail(output: Pick<OutputView, 'task' | 'path'>, size: 'small' | 'large', signal?: AbortSignal): Promise<Readable>;
  /** All outputs of a job as one zip. */
  downloadOutputs(job: number, signal?: AbortSignal): Promise<Readable>;
  /**
   * The records of an attempt's log from `offset` (bytes of the framed form); with `follow` as they come, until the attempt has ended.
   * A lost connection is taken up again where it broke.
   */
  followLog(
    attempt: AttemptId,
    options?: { readonly offset?: number; readonly follow?: boolean; readonly signal?: AbortSignal },
  ): AsyncIterable<LogRecord>;
  /** The farm as it changes. The first connection must succeed; later ones are tried for ever and begin with a new snapshot. */
  watch(signal?: AbortSignal): AsyncIterable<ViewEvent>;
}

/** @throws INVALID when the address is not one of http or https */
export function createClient(options: HttpOptions): Client {
  const http = createHttp(options);
  return {
    url: http.url,
    async call(name, ...[request]) {
      const route: Route = ROUTES[name];
      const given = (request ?? {}) as {
        params?: Record<string, string | number>;
        query?: Record<string, QueryValue>;
        body?: unknown;
        signal?: AbortSignal;
      };
      const answer = await http.json({
        method: route.method,
        path: fillPath(route.path, given.params ?? {}),
        query: given.query,
        body: given.body,
        signal: given.signal,
      });
      return http.parse(route.answer as z.ZodType, answer, `${route.method} ${route.path}`) as AnswerOfCall<typeof name>;
    },
    submit: createSubmitter({ send: createStreamSender(http), soon: process.nextTick }),
    uploadBlob: (path, progress, signal) => uploadBlob(http, path, progress, signal),
    download: (output, signal) => downloadBytes(http, fileAddress('outputs', output), signal),
    thumbnail: (output, size, signal) => downloadBytes(http, `${fileAddress('thumbnails', output)}?size=${size}`, signal),
    downloadOutputs: (job, signal) => downloadBytes(http, fillPath(ROUTES.outputsZip.path, { job }), signal),
    followLog: (attempt, follow = {}) => followLog(http, attempt, follow),
    watch: (signal) => watchFarm(http, signal),
  };
}

function fileAddress(what: 'outputs' | 'thumbnails', { task, path }: Pick<OutputView, 'task' | 'path'>): string {
  const [job, index] = task.split('.');
  return `/api/jobs/${job}/tasks/${index}/${what}/${path.split('/').map(encodeURIComponent).join('/')}`;
}
