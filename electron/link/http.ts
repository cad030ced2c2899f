import { once } from 'node:events';
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ERROR_STATUS, type ErrorCode, errorSchema, LanyardError } from '../../shared/errors.ts';
import type { Endpoint } from '../ports/link.ts';

/** A connection on which nothing moves for so long is taken for dead. */
const IDLE_MS = 60_000;
/** A coordinator that has all bytes may take so long to verify them. */
const ANSWER_MS = 600_000;
const ERROR_BODY_BYTES = 64 * 1024;

export interface BlobRequest {
  readonly method: 'HEAD' | 'GET' | 'PATCH';
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Destroy it when the answer is read: it may have come early. */
  readonly body?: Readable;
  readonly signal: AbortSignal;
}

/** Requests of bytes to one coordinator. */
export interface BlobHttp {
  /** @returns the answer, of any status, its body unread. Rejects with the socket's error, or when nothing moves. */
  send(request: BlobRequest): Promise<IncomingMessage>;
}

/**
 * Node's own `http` rather than `fetch`: it takes TLS options, sends a body of known length, and tells of an answer that
 * comes before the body is sent.
 */
export function createBlobHttp(endpoint: () => Endpoint | undefined): BlobHttp {
  let open: { readonly endpoint: Endpoint; readonly agent: HttpAgent } | undefined;
  /** Connections are kept for as long as the coordinator stays where it is. */
  const agentFor = (current: Endpoint) => {
    if (open?.endpoint === current) return open.agent;
    open?.agent.destroy();
    const agent = isSecure(current) ? new HttpsAgent({ keepAlive: true, ...current.tls }) : new HttpAgent({ keepAlive: true });
    open = { endpoint: current, agent };
    return agent;
  };
  return {
    async send({ method, path, headers, body, signal }) {
      signal.throwIfAborted();
      const current = endpoint();
      if (current === undefined) throw new LanyardError({ code: 'UNAVAILABLE', message: 'no address of the coordinator is known' });
      const makeRequest = isSecure(current) ? httpsRequest : httpRequest;
      const request = makeRequest(new URL(path, current.url), {
        method,
        agent: agentFor(current),
        signal,
        headers: { ...(current.token === undefined ? {} : { authorization: `Bearer ${current.token}` }), ...headers },
      });
      request.setTimeout(IDLE_MS, () => request.destroy(new Error('nothing moved on the connection for too long')));
      return body === undefined ? exchange(request) : exchangeBody(request, body);
    },
  };
}

function isSecure({ url }: Endpoint): boolean {
  return url.startsWith('https:');
}

async function exchange(request: ClientRequest): Promise<IncomingMessage> {
  const response = once(request, 'response');
  request.end();
  return ((await response) as [IncomingMessage])[0];
}

/** The answer may come before the whole body is sent; the rest goes on being sent until the caller destroys the body. */
async function exchangeBody(request: ClientRequest, body: Readable): Promise<IncomingMessage> {
  const response = once(request, 'response');
  request.once('finish', () => request.setTimeout(ANSWER_MS));
  // What fails here fails the request too, and `response` tells of it.
  pipeline(body, request).catch(() => undefined);
  return ((await response) as [IncomingMessage])[0];
}

/** The error that an answer carries, or one made from its status. Reads the body. */
export async function answerError(response: IncomingMessage): Promise<LanyardError> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    text += chunk;
    if (text.length > ERROR_BODY_BYTES) break;
  }
  const value = errorSchema.safeParse(errorIn(text));
  if (value.success) {
    const { code, message, field, hint } = value.data;
    return new LanyardError({ code, message, ...(field === undefined ? {} : { field }), ...(hint === undefined ? {} : { hint }) });
  }
  const codes = Object.entries(ERROR_STATUS) as [ErrorCode, number][];
  const code = codes.find(([, status]) => status === response.statusCode)?.[0] ?? 'INTERNAL';
  return new LanyardError({ code, message: `the coordinator answered with status ${response.statusCode}` });
}

function errorIn(text: string): unknown {
  try {
    return (JSON.parse(text) as { error?: unknown } | null)?.error;
  } catch {
    return undefined;
  }
}
