import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { ERROR_STATUS, type ErrorCode } from '../../shared/errors.ts';
import type { Connection } from './connection.ts';

export interface DashboardProxy {
  readonly url: string;
  /** What a browser has to show; good for as long as this program runs. */
  readonly token: string;
  close(): Promise<void>;
}

/** Of one connection only (RFC 9110, section 7.6.1), or about who asks, which the proxy settles itself. */
const OWN_HEADERS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'origin',
  'authorization',
]);

/** Files of the dashboard, which hold nothing of the farm. A browser asks for them before it can show a token; for all else it must. */
const PAGE_FILES = /^\/(?:[\w-]+\.[a-z0-9]+|assets\/[\w.-]+)?$/i;

/**
 * Lets a browser of this machine see a coordinator that it does not trust by itself, whose key no authority vouches for: on loopback, with a token of
 * its own, and on with the identity of this device (or the token at hand).
 * @param port 0: a free one
 */
export async function startDashboardProxy(connection: Connection, port: number): Promise<DashboardProxy> {
  const token = randomBytes(32).toString('base64url');
  const agent = new Agent({ keepAlive: true, ...connection.tls });
  const server = createServer((request, response) => {
    const refused = refusal(request, (server.address() as AddressInfo).port, token);
    if (refused !== undefined) answer(response, refused.code, refused.message);
    else
      void forward(connection, agent, request, response).catch((error: Error) => {
        if (response.headersSent) response.destroy();
        else answer(response, 'UNAVAILABLE', `the coordinator does not answer (${error.message})`);
      });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    async close() {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Pages of other origins, names that somebody pointed here (DNS rebinding), and other users of this machine get nothing. */
function refusal(
  { method, url = '', headers }: IncomingMessage,
  port: number,
  token: string,
): { code: ErrorCode; message: string } | undefined {
  const { host, origin, authorization } = headers;
  if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`)
    return { code: 'FORBIDDEN', message: 'the Host header does not name this dashboard' };
  if (origin !== undefined && origin !== `http://${host}`)
    return { code: 'FORBIDDEN', message: 'requests of pages from elsewhere are refused' };
  const isPageItself = method === 'GET' && PAGE_FILES.test(url);
  if (!isPageItself && !isSame(authorization ?? '', `Bearer ${token}`))
    return { code: 'UNAUTHENTICATED', message: 'open the link that `lanyard dashboard --serve` printed' };
  return undefined;
}

function isSame(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}

async function forward({ url, token, tls }: Connection, agent: Agent, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { hostname, port } = new URL(url);
  const upstream = httpsRequest({
    ...tls,
    agent,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port || 443,
    method: request.method,
    path: request.url,
    headers: {
      ...withoutOwn(request.headers),
      host: new URL(url).host,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  });
  const answered = once(upstream, 'response') as Promise<[IncomingMessage]>;
  response.once('close', () => upstream.destroy());
  // What fails in sending fails the answer too.
  pipeline(request, upstream).catch(() => undefined);
  const [from] = await answered;
  response.writeHead(from.statusCode ?? 502, withoutOwn(from.headers));
  // An event stream's first byte may be long in coming.
  response.flushHeaders();
  await pipeline(from, response);
}

function withoutOwn(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN_HEADERS.has(name)));
}

function answer(response: ServerResponse, code: ErrorCode, message: string): void {
  response.writeHead(ERROR_STATUS[code], { 'content-type': 'application/json' }).end(JSON.stringify({ error: { code, message } }));
}
