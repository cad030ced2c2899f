import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { ERROR_STATUS, type ErrorValue } from '../../shared/errors.ts';
import type { NodeId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { type Hello, MESSAGE_ROLES } from '../../shared/protocol.ts';
import type { LinkServerHandlers } from '../ports/link.ts';
import type { Logger } from '../ports/system.ts';
import type { Identity } from '../ports/trust.ts';
import { Connection, type ConnectionOwner } from './connection.ts';

export interface LinkServerOptions {
  /** Plain or TLS; the link takes its `upgrade` requests, all of them. */
  readonly server: Server | HttpsServer;
  readonly path: string;
  /** Who asks for a connection; undefined: nobody who is known. */
  readonly identify: (request: IncomingMessage) => Identity | undefined;
  readonly handlers: LinkServerHandlers;
  readonly logger: Logger;
  /** How long a connection may stay silent before its `hello`. */
  readonly helloTimeoutMs?: number;
  /** How often a sign of life is asked for; a connection that gives none in one such time is closed. */
  readonly pingMs?: number;
}

export interface LinkServer {
  /** Takes no more connections and closes those there are; resolves when their sockets are gone. */
  close(): Promise<void>;
}

const KEEP_ALIVE_MS = 30_000;

/**
 * Takes workers' connections on an HTTP server. Who asks is known before the upgrade, and is a worker; a request that
 * carries `Origin` comes from a browser, which never speaks this protocol, and is refused.
 *
 * What the handlers can rely on:
 * - `hello` comes first, once; then `message` in the order sent, never after `closed`; `closed` exactly once after `hello`.
 * - `connection.close` calls `closed` before it returns. When a node connects a second time, `closed` of the first
 *   connection comes before `hello` of the second. The first worker is told not to
 *   come back: two programs with one id would throw each other out for ever.
 * - `log` is called in the order sent, as soon as bytes arrive; earlier calls may still be under way, also for the same
 *   attempt. Once `LIMITS.linkLogWindowBytes` are under way, reading pauses. A rejected `log` closes the connection.
 * - `message`, and `closed` when the worker left, come after all log bytes sent before are written. So whoever sees an
 *   attempt's end has the log that went before it.
 */
export function attachLinkServer(options: LinkServerOptions): LinkServer {
  const { server, handlers, logger } = options;
  const webSocketServer = new WebSocketServer({
    noServer: true,
    maxPayload: LIMITS.messageBytes,
    perMessageDeflate: false,
    clientTracking: false,
  });
  const connections = new Set<Connection>();
  const nodes = new Map<NodeId, Connection>();

  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', (error) => logger.debug('a connection broke while it was opened', { error: error.message }));
    const identity = admit(request, options);
    if ('code' in identity) {
      logger.warn('a connection was refused', { from: request.socket.remoteAddress, ...identity });
      refuseUpgrade(stream, identity);
      return;
    }
    if (stream instanceof Socket) stream.setKeepAlive(true, KEEP_ALIVE_MS);
    webSocketServer.handleUpgrade(request, stream, head, (webSocket) => {
      const connection = new Connection(webSocket, stream, owner(identity), options.helloTimeoutMs ?? 10_000);
      connections.add(connection);
      webSocket.once('close', () => connections.delete(connection));
    });
  };

  const owner = (identity: Identity): ConnectionOwner => ({
    handlers,
    logger,
    roles: identity.roles,
    greeted(connection: Connection, hello: Hello) {
      if (identity.device !== undefined && identity.device !== connection.node) {
        logger.warn('a device introduced itself as another', { device: identity.device, node: connection.node });
        connection.refuse('this is not the id of your key', false);
        return;
      }
      nodes.get(connection.node)?.refuse('replaced by a newer connection of the same node', false);
      nodes.set(connection.node, connection);
      handlers.hello(connection, hello, identity);
    },
    ended(connection, reason, wasOpen) {
      if (!wasOpen) {
        logger.warn('a connection ended before its hello', { subject: identity.subject, reason });
        return;
      }
      if (nodes.get(connection.node) === connection) nodes.delete(connection.node);
      handlers.closed(connection, reason);
    },
  });

  server.on('upgrade', onUpgrade);
  const pings = setInterval(() => {
    for (const connection of connections) connection.ping();
  }, options.pingMs ?? 15_000);
  pings.unref();

  return {
    async close() {
      server.off('upgrade', onUpgrade);
      clearInterval(pings);
      const all = [...connections];
      for (const connection of all) connection.shutDown();
      await Promise.all(all.map((connection) => connection.gone));
    },
  };
}

/** @returns who asks, or why the request is refused */
function admit(request: IncomingMessage, options: LinkServerOptions): Identity | ErrorValue {
  const path = (request.url ?? '').split('?', 1)[0];
  if (path !== options.path) return { code: 'NOT_FOUND', message: `nothing speaks WebSocket here but ${options.path}` };
  if (request.headers.origin !== undefined) return { code: 'FORBIDDEN', message: 'a browser may not connect here' };
  const identity = options.identify(request);
  if (identity === undefined) return { code: 'UNAUTHENTICATED', message: 'who asks is not known here' };
  if (MESSAGE_ROLES.hello.some((role) => identity.roles.includes(role))) return identity;
  return { code: 'FORBIDDEN', message: `a ${identity.roles.join(' and ')} may not act as a worker` };
}

function refuseUpgrade(stream: Duplex, error: ErrorValue): void {
  const status = ERROR_STATUS[error.code];
  const body = JSON.stringify({ error });
  stream.once('finish', () => stream.destroy());
  stream.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      ...(status === 401 ? ['WWW-Authenticate: Bearer'] : []),
      'Connection: close',
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  );
}
