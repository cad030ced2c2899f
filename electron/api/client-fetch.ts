import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ConnectionOptions, TLSSocket } from 'node:tls';

/** What the client uses of `fetch`. */
export type Fetch = (target: URL, init: FetchInit) => Promise<Response>;
export interface FetchInit {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly redirect: 'error';
  readonly body?: ReadableStream | Uint8Array<ArrayBuffer> | string;
  readonly duplex?: 'half';
  readonly signal?: AbortSignal;
}

/** How long a connection may take to stand (ms). */
const CONNECT_MS = 10_000;
/** Statuses whose answers have no body (RFC 9110, section 6.4.1), which a `Response` insists on. */
const WITHOUT_BODY = new Set([204, 205, 304]);

/** As `fetch`, which cannot be told whose key to trust, nor be given one to show. Redirections are answers like others. */
export function createPinnedFetch(tls: ConnectionOptions): Fetch {
  const agent = new Agent({ keepAlive: true, ...tls });
  return async (target, { method, headers, body, signal }) => {
    signal?.throwIfAborted();
    const request = httpsRequest(target, { method, headers, agent, ...(signal === undefined ? {} : { signal }) });
    const timer = setTimeout(() => request.destroy(new Error('no answer')), CONNECT_MS);
    const connected = () => clearTimeout(timer);
    request.once('close', connected);
    request.once('socket', (socket: TLSSocket) => {
      if (socket.connecting) socket.once('secureConnect', connected);
      else connected();
    });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    // What fails in sending fails the request too, and `answered` tells of it. An answer may come before all is sent.
    if (body instanceof ReadableStream) pipeline(Readable.fromWeb(body as never), request).catch(() => undefined);
    else request.end(body);
    const [response] = await answered;
    return toResponse(method, response);
  };
}

function toResponse(method: string, response: IncomingMessage): Response {
  const status = response.statusCode ?? 0;
  const headers = new Headers();
  for (const [name, values] of Object.entries(response.headersDistinct)) for (const value of values ?? []) headers.append(name, value);
  const hasBody = method !== 'HEAD' && !WITHOUT_BODY.has(status);
  if (!hasBody) response.resume();
  return new Response(hasBody ? (Readable.toWeb(response) as ReadableStream) : null, { status, headers });
}
