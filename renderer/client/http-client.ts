import type { z } from 'zod';
import { ROUTES } from '../../shared/api.ts';
import type { Route } from '../../shared/api-route.ts';
import { LanyardError } from '../../shared/errors.ts';
import { parseAttemptId } from '../../shared/ids.ts';
import type { LanyardClient, QueryValue } from '../../shared/lanyard-client.ts';
import type { OutputView } from '../../shared/view.ts';
import { createHttp, fillPath, parseAnswer } from './http.ts';
import { startUpload } from './upload.ts';
import { followLog, watchFarm } from './watch.ts';

/** The farm over HTTP: what a browser has. @param origin of the coordinator, which is the page's own */
export function createHttpClient(origin: string, token: string): LanyardClient {
  const http = createHttp(origin, token);
  const save = async (path: string, name: string) => {
    const response = await http.expectOk({ method: 'GET', path });
    offerDownload(await response.blob(), name);
  };
  return {
    async call(name, ...[request]) {
      const route: Route = ROUTES[name];
      const { params, query, body } = (request ?? {}) as {
        params?: Record<string, string | number>;
        query?: Record<string, QueryValue>;
        body?: unknown;
      };
      const response = await http.expectOk({
        method: route.method,
        path: fillPath(route.path, params ?? {}),
        query,
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const answer: unknown = await response.json().catch(() => undefined);
      return parseAnswer(route.answer as z.ZodType, answer, `${route.method} ${route.path}`) as never;
    },
    watch: (listener) => watchFarm(http, listener),
    followLog(attempt, listener) {
      const key = parseAttemptId(attempt);
      if (key === undefined) throw new Error(`"${attempt}" is not an attempt's id`);
      return followLog(http, fillPath(ROUTES.attemptLog.path, { ...key }), listener);
    },
    upload: (source, progress) => startUpload(http, source, progress),
    async readOutput(output, maxBytes) {
      const headers = { range: `bytes=0-${maxBytes - 1}` };
      const response = await http.send({ method: 'GET', path: fileAddress('outputs', output), headers });
      // A range of an empty file cannot be given.
      if (response.status === 416) return new Uint8Array(0);
      if (!response.ok) throw new LanyardError({ code: 'UNAVAILABLE', message: `${output.path} cannot be read.` });
      return new Uint8Array(await response.arrayBuffer());
    },
    async readThumbnail(output, size) {
      const response = await http.expectOk({ method: 'GET', path: fileAddress('thumbnails', output), query: { size } });
      return new Uint8Array(await response.arrayBuffer());
    },
    saveOutput: (output) => save(fileAddress('outputs', output), output.path.split('/').at(-1) ?? 'output'),
    saveOutputs: (job) => save(fillPath(ROUTES.outputsZip.path, { job }), `job-${job}.zip`),
  };
}

function fileAddress(what: 'outputs' | 'thumbnails', { task, path }: Pick<OutputView, 'task' | 'path'>): string {
  const [job, index] = task.split('.');
  return `/api/jobs/${job}/tasks/${index}/${what}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** Hands bytes to the browser as a file to keep. */
export function offerDownload(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads it after the click; a minute is enough to begin.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
