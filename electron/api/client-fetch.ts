import { once } from 'node:events';
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, Agent as TlsAgent } from 'node:https';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ConnectionOptions } from 'node:tls';
import { toWebStream } from '../web-stream.ts';

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

/** Sends a request whose answer is short, and gives all of it as text. */
export type Call = (target: URL, init: FetchInit) => Promise<{ readonly status: number; readonly text: string }>;

/** As `fetch`, which cannot be told whose key to trust, nor be given one to show. Redirections are answers like others. */
export function createPinnedFetch(tls: ConnectionOptions): Fetch {
  const send = createSender('https:', tls);
  return async (target, init) => toResponse(init.method, await send(target, init));
}

/** Calls cost a third of what `fetch` and its streams cost: there may be thousands a second. */
export function createCall(protocol: string, tls: ConnectionOptions | undefined): Call {
  const send = createSender(protocol, tls);
  return async (target, init) => {
    const response = await send(target, init).catch((error: unknown) => {
      // The other side gave up the connection before it knew of the request.
      if (init.method !== 'GET' || !(error instanceof StaleConnection)) throw error;
      return send(target, init);
    });
    return { status: response.statusCode ?? 0, text: await textOf(response) };
  };
}

/** A connection that was kept for the next request was closed instead. */
class StaleConnection extends Error {
  readonly code = 'ECONNRESET';
}

function createSender(protocol: string, tls: ConnectionOptions | undefined): (target: URL, init: FetchInit) => Promise<IncomingMessage> {
  const open = createOpener(protocol, tls);
  return async (target, init) => {
    init.signal?.throwIfAborted();
    const { request, answered } = open(target, init);
    // What fails in sending fails the request too, and `answered` tells of it. An answer may come before all is sent.
    if (init.body instanceof ReadableStream) pipeline(Readable.fromWeb(init.body as never), request).catch(() => undefined);
    else request.end(init.body);
    return await answered.catch((error: NodeJS.ErrnoException) => {
      throw request.reusedSocket && error.code === 'ECONNRESET' ? new StaleConnection(error.message, { cause: error }) : error;
    });
  };
}

/** Begins a request. The caller writes its body, and may do so while the answer is coming. */
export type Opener = (
  target: URL,
  init: Pick<FetchInit, 'method' | 'headers' | 'signal'>,
) => { readonly request: ClientRequest; readonly answered: Promise<IncomingMessage> };

export function createOpener(protocol: string, tls: ConnectionOptions | undefined): Opener {
  const isSecure = protocol === 'https:';
  const agent = isSecure ? new TlsAgent({ keepAlive: true, ...tls }) : new Agent({ keepAlive: true });
  const [open, connect] = isSecure ? ([httpsRequest, 'secureConnect'] as const) : ([httpRequest, 'connect'] as const);
  return (target, { method, headers, signal }) => {
    const request = open(target, { method, headers, agent, ...(signal === undefined ? {} : { signal }) });
    const timer = setTimeout(() => request.destroy(new Error('no answer')), CONNECT_MS);
    const connected = () => clearTimeout(timer);
    request.once('close', connected);
    request.once('socket', (socket: Socket) => {
      if (socket.connecting) socket.once(connect, connected);
      else connected();
    });
    return { request, answered: once(request, 'response').then(([response]) => response as IncomingMessage) };
  };
}

export function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  return new Promise((resolve, reject) => {
    response.on('data', (part: string) => {
      text += part;
    });
    response.once('end', () => resolve(text));
    response.once('error', reject);
  });
}

function toResponse(method: string, response: IncomingMessage): Response {
  const status = response.statusCode ?? 0;
  const headers = new Headers();
  for (const [name, values] of Object.entries(response.headersDistinct)) for (const value of values ?? []) headers.append(name, value);
  const hasBody = method !== 'HEAD' && !WITHOUT_BODY.has(status);
  if (!hasBody) response.resume();
  return new Response(hasBody ? toWebStream(response) : null, { status, headers });
}
