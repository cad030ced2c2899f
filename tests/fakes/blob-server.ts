import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Blobs } from '../../electron/ports/files.ts';
import { ERROR_STATUS, type ErrorValue, LanyardError } from '../../shared/errors.ts';
import type { BlobId } from '../../shared/ids.ts';

/** The coordinator's routes for blobs (`shared/api.ts`) over real blobs, without the rest of the API. */
export interface BlobServer {
  readonly port: number;
  /** `METHOD offset` of each request, in order. */
  readonly requests: string[];
  /** The next request is answered with this error, before its body is read. */
  failNext(error: ErrorValue): void;
  /** The next upload is told to go on here instead, with a 409. */
  sendBackNext(offset: number): void;
  /** The next download carries other bytes than it should. */
  damageNext(): void;
  close(): Promise<void>;
}

export async function startBlobServer(blobs: Blobs): Promise<BlobServer> {
  const requests: string[] = [];
  let failure: ErrorValue | undefined;
  let sentBack: number | undefined;
  let damaged = false;

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const blob = (request.url ?? '').split('/').at(-1) as BlobId;
    requests.push(`${request.method} ${request.headers['upload-offset'] ?? request.headers.range ?? ''}`.trim());
    if (failure !== undefined && request.method !== 'HEAD') {
      const error = failure;
      failure = undefined;
      throw new LanyardError(error);
    }
    if (request.headers.authorization !== 'Bearer worker-token') throw new LanyardError({ code: 'UNAUTHENTICATED', message: 'who is it' });
    if (request.method === 'HEAD') await head(blob, response);
    else if (request.method === 'GET') await get(blob, request, response);
    else await patch(blob, request, response);
  };

  const head = async (blob: BlobId, response: ServerResponse) => {
    const size = await blobs.size(blob);
    if (size !== undefined) response.writeHead(200, { 'content-length': size }).end();
    else response.writeHead(404, { 'upload-offset': await blobs.received(blob) }).end();
  };

  const get = async (blob: BlobId, request: IncomingMessage, response: ServerResponse) => {
    const size = await blobs.size(blob);
    if (size === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: 'no such blob' });
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const range = request.headers.range === undefined ? {} : { 'content-range': `bytes ${start}-${size - 1}/${size}` };
    response.writeHead(request.headers.range === undefined ? 200 : 206, { 'content-length': size - start, ...range });
    if (damaged) {
      damaged = false;
      response.end(Buffer.alloc(size - start));
    } else await pipeline(blobs.read(blob, { start, end: size }), response);
  };

  const patch = async (blob: BlobId, request: IncomingMessage, response: ServerResponse) => {
    if (sentBack !== undefined) {
      response.writeHead(409, { 'upload-offset': sentBack }).end('{}');
      sentBack = undefined;
      return;
    }
    const result = await blobs.append(blob, Number(request.headers['upload-offset']), Number(request.headers['upload-length']), request);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent || !(error instanceof LanyardError)) return void response.destroy();
      response.writeHead(ERROR_STATUS[error.code]).end(JSON.stringify({ error: error.toValue() }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    failNext(error) {
      failure = error;
    },
    sendBackNext(offset) {
      sentBack = offset;
    },
    damageNext() {
      damaged = true;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
