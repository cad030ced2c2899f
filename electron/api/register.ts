import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Route } from '../../shared/api-route.ts';
import { invalid } from '../../shared/errors.ts';
import { jobSpecSchema } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import type { Logger } from '../ports/system.ts';
import type { Authenticator, Identity, Membership } from '../ports/trust.ts';
import { admit, assertRoles } from './auth.ts';
import type { Gate } from './gate.ts';
import type { SpecParser } from './parse-specs.ts';
import type { AnyHandler, Call, HandlersOf, RawAnswer } from './route-types.ts';

const KEEP_ALIVE_MS = 30_000;
/** How often it is looked whether the caller of a stream that stays open may still read it. */
const STILL_ALLOWED_MS = 1_000;

interface RouteTools {
  readonly authenticator: Authenticator;
  readonly deviceOf: (socket: object) => Identity | undefined;
  readonly membership: Pick<Membership, 'recordRefusal'>;
  readonly gate: Gate;
  readonly parseSpec: SpecParser;
  readonly logger: Logger;
}

/**
 * Registers every route of a table: role, then parsing, then the handler.
 * @throws a plain error for a route that names no role
 */
export function registerTable<Table extends Readonly<Record<string, Route>>>(
  app: FastifyInstance,
  table: Table,
  handlers: HandlersOf<NoInfer<Table>>,
  tools: RouteTools,
): void {
  assertRoles(table);
  for (const [name, route] of Object.entries(table)) registerRoute(app, route, handlers[name] as unknown as AnyHandler, tools);
}

function registerRoute(app: FastifyInstance, route: Route, handler: AnyHandler, tools: RouteTools): void {
  const { authenticator, deviceOf, membership, gate, parseSpec, logger } = tools;
  // Of programs that submit one job after the other, each by a request of its own.
  const bodySchema = route.body === jobSpecSchema ? { safeParse: parseSpec } : route.body;
  const identities = new WeakMap<FastifyRequest, Identity>();
  const callerOf = ({ headers, socket }: FastifyRequest) => ({ authorization: headers.authorization, device: deviceOf(socket) });
  app.route({
    method: route.method,
    url: route.path,
    bodyLimit: LIMITS.requestBytes,
    // Before the body is read: who may not call gets nothing stored.
    onRequest: async (request) => {
      try {
        identities.set(request, admit(route, callerOf(request), authenticator));
      } catch (error) {
        membership.recordRefusal(request.socket.remoteAddress ?? 'unknown', `${route.method} ${route.path}: ${(error as Error).message}`);
        throw error;
      }
    },
    handler: async (request, reply) => {
      let signal: AbortSignal | undefined;
      const call = {
        params: parsed(route.params, request.params, 'the path'),
        query: parsed(route.query, request.query, 'the query'),
        body: parsed(bodySchema, request.body ?? {}, 'the body'),
        identity: identities.get(request) as Identity,
        request,
        reply,
        // Most calls are short and never ask for it.
        get signal() {
          signal ??= goneSignal(reply);
          return signal;
        },
      } as Call;
      const answer = isChange(route) ? await gate.through(() => handler(call)) : await handler(call);
      reply.header('cache-control', 'no-store');
      if (route.answer !== undefined) return reply.send(answer);
      if ((answer as RawAnswer).live) endWhen(reply, () => admit(route, callerOf(request), authenticator));
      return sendRaw(reply, answer as RawAnswer, (error) => {
        if (!call.signal.aborted) logger.error('an answer broke off', { request: request.id, path: route.path, error: String(error) });
      });
    },
  });
}

/** Bodies of bytes may be long in coming: nobody waits for them, and their handlers look at the gate when they have them. */
function isChange({ method, path, bytes }: Route): boolean {
  return method !== 'GET' && method !== 'HEAD' && bytes?.body === undefined && !path.startsWith('/api/handover/');
}

/** What a route without a schema for a part gets is undefined: it never sees what was not parsed. */
function parsed(schema: Pick<z.ZodType, 'safeParse'> | undefined, value: unknown, what: string): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (!result.success) throw invalid(result.error, what);
  return result.data;
}

function goneSignal(reply: FastifyReply): AbortSignal {
  const abort = new AbortController();
  if (reply.raw.closed) abort.abort();
  else reply.raw.once('close', () => abort.abort());
  return abort.signal;
}

/** A token may expire or be revoked while its stream goes on. */
function endWhen({ raw }: FastifyReply, admitAgain: () => unknown): void {
  const timer = setInterval(() => {
    try {
      admitAgain();
    } catch {
      raw.destroy();
    }
  }, STILL_ALLOWED_MS);
  raw.once('close', () => clearInterval(timer));
}

/** Silence on a live stream is no sign of a dead peer: the system's own probes find those. */
function keepOpen({ raw }: FastifyReply): void {
  raw.flushHeaders();
  raw.socket?.setTimeout(0);
  raw.socket?.setKeepAlive(true, KEEP_ALIVE_MS);
}

function sendRaw(reply: FastifyReply, answer: RawAnswer, broken: (error: unknown) => void): FastifyReply {
  reply.code(answer.status ?? 200);
  for (const [name, value] of Object.entries(answer.headers ?? {})) reply.header(name, value);
  if (typeof answer.body === 'object') answer.body.once('error', broken);
  reply.send(answer.body);
  if (answer.live) keepOpen(reply);
  return reply;
}
