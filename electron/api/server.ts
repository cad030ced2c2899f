import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type https from 'node:https';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { ROUTES } from '../../shared/api.ts';
import { SEED_ROUTES } from '../../shared/api-seed.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { ApiContext, ApiOptions } from './context.ts';
import { serveDashboard } from './dashboard.ts';
import { sendError } from './errors.ts';
import { checkCaller, createHostGuard, type HostGuard, SECURITY_HEADERS } from './guard.ts';
import { createSpecParser } from './parse-specs.ts';
import { parseForms, parseMultipart, passBytes, tolerantJson } from './parsers.ts';
import { registerTable } from './register.ts';
import type { HandlersOf } from './route-types.ts';
import { blobHandlers } from './routes/blobs.ts';
import { farmHandlers } from './routes/farm.ts';
import { jobHandlers } from './routes/jobs.ts';
import { logHandlers } from './routes/logs.ts';
import { nodeHandlers } from './routes/nodes.ts';
import { outputHandlers } from './routes/outputs.ts';
import { templateHandlers } from './routes/templates.ts';
import { trustHandlers } from './routes/trust.ts';
import { seedHandlers } from './seed.ts';
import { answerShell } from './shell-lines.ts';

/** A connection on which nothing moves is closed; verifying a large upload takes a while. Live streams have no such end. */
const IDLE_MS = 600_000;
/** Longest time for one request to arrive in full: an upload is sent in parts, `POST /api/execute` is not. */
const REQUEST_MS = 3_600_000;

export interface Api {
  /** @returns the port it listens on, without TLS. @throws UNAVAILABLE when the port is taken or the address is not this machine's */
  listen(host: string, port: number): Promise<number>;
  /** The same, through a server that somebody else made (and closes): one with TLS. */
  listenOn(server: https.Server, host: string, port: number): Promise<number>;
  /** Ends every connection of the listener without TLS, and every stream. */
  close(): Promise<void>;
}

/** The coordinator's HTTP interface: every route of `ROUTES` and `SEED_ROUTES`, and the dashboard. */
export async function createApi(options: ApiOptions): Promise<Api> {
  const guard = createHostGuard(options.settings.hostNames);
  const closing = new AbortController();
  const context: ApiContext = { ...options, guard, parseSpec: createSpecParser(), closing: closing.signal };
  const app = createServer(options, guard);
  await registerGroups(app, context);
  await serveDashboard(app, options.dashboardFolder);
  await app.ready();
  return {
    async listen(host, port) {
      guard.listenOn(host);
      await app.listen({ host, port }).catch((error: unknown) => {
        throw asListenError(error, host, port);
      });
      return (app.server.address() as AddressInfo).port;
    },
    async listenOn(server, host, port) {
      guard.listenOn(host);
      server.on('request', app.routing);
      server.requestTimeout = REQUEST_MS;
      server.setTimeout(IDLE_MS);
      server.listen(port, host);
      await once(server, 'listening').catch((error: unknown) => {
        throw asListenError(error, host, port);
      });
      return (server.address() as AddressInfo).port;
    },
    async close() {
      closing.abort();
      await app.close();
    },
  };
}

function asListenError(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === undefined) return error;
  const isTaken = code === 'EADDRINUSE';
  return new LanyardError(
    {
      code: 'UNAVAILABLE',
      message: isTaken ? `port ${port} of ${host} is taken by another program` : `cannot listen on port ${port} of ${host} (${code})`,
      field: isTaken ? 'port' : 'host',
      hint: isTaken
        ? 'is a coordinator running already? Else choose another port'
        : 'choose an address of this machine and a port above 1023',
    },
    { cause: error },
  );
}

function createServer({ logger, deviceOf }: ApiOptions, guard: HostGuard): FastifyInstance {
  const app = fastify({
    logger: false,
    genReqId: () => randomUUID(),
    connectionTimeout: IDLE_MS,
    requestTimeout: REQUEST_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 4_096 },
  });
  tolerantJson(app);
  app.setErrorHandler((error, request, reply) => sendError(logger, error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendError(logger, new LanyardError({ code: 'NOT_FOUND', message: 'there is nothing at this address' }), request, reply),
  );
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    // A device showed its key, which no page of a browser can.
    if (deviceOf(request.socket) === undefined) checkCaller(guard, request.headers, request.protocol);
  });
  app.addHook('onResponse', async (request, reply) => {
    logger.debug('request', {
      request: request.id,
      method: request.method,
      path: request.routeOptions.url,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    });
  });
  return app;
}

/** Three groups, by how bodies are read: JSON, bytes, and the tolerant forms of the earlier system's scripts. */
async function registerGroups(app: FastifyInstance, context: ApiContext): Promise<void> {
  const handlers: HandlersOf<typeof ROUTES> = {
    ...farmHandlers(context),
    ...jobHandlers(context),
    ...nodeHandlers(context),
    ...logHandlers(context),
    ...outputHandlers(context),
    ...blobHandlers(context),
    ...templateHandlers(context),
    ...trustHandlers(context),
  };
  const { putBlob, submitStream, ...json } = ROUTES;
  registerTable(app, json, handlers, context);
  await app.register(async (scope) => {
    passBytes(scope);
    registerTable(scope, { putBlob, submitStream }, handlers, context);
  });
  await app.register(async (scope) => {
    parseForms(scope);
    await parseMultipart(scope, context.settings.maxUploadBytes);
    answerShell(scope);
    registerTable(scope, SEED_ROUTES, seedHandlers(context), context);
  });
}
