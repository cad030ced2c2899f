import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { ERROR_STATUS, type ErrorValue, LanyardError } from '../../shared/errors.ts';
import type { Logger } from '../ports/system.ts';

/** Answers `{ error: ErrorValue }`. */
export function sendError(logger: Logger, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const value = errorValueOf(logger, error, request);
  // Whoever is refused gets no time to send the rest of a body.
  if (value.code === 'UNAUTHENTICATED' || value.code === 'FORBIDDEN' || value.code === 'TOO_LARGE') reply.header('connection', 'close');
  if (value.code === 'UNAUTHENTICATED') reply.header('www-authenticate', 'Bearer');
  reply.code(ERROR_STATUS[value.code]).send({ error: value });
}

/** What a caller is told of an error; what is no operating error is logged with the request's id and says nothing of the inside. */
export function errorValueOf(logger: Logger, error: unknown, request: FastifyRequest): ErrorValue {
  const known = asOperatingError(error);
  if (known === undefined && !request.raw.destroyed)
    logger.error('a request failed', {
      request: request.id,
      method: request.method,
      path: request.routeOptions.url,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  return (
    known?.toValue() ?? {
      code: 'INTERNAL',
      message: `the coordinator failed to answer (request ${request.id})`,
      hint: "its log says more under this request's id",
    }
  );
}

function asOperatingError(error: unknown): LanyardError | undefined {
  if (error instanceof LanyardError) return error;
  if (!(error instanceof Error)) return undefined;
  const { code = '', statusCode } = error as FastifyError;
  if (code === 'ENOSPC') return new LanyardError({ code: 'DISK_FULL', message: "the coordinator's disk is full" });
  if (statusCode === 413) return new LanyardError({ code: 'TOO_LARGE', message: 'the body of the request is too large' });
  if (statusCode === 415)
    return new LanyardError({ code: 'INVALID', message: 'the body is of a type that is not understood', hint: 'send application/json' });
  if (statusCode === 404) return new LanyardError({ code: 'NOT_FOUND', message: 'there is nothing at this address' });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new LanyardError({ code: 'INVALID', message: `the request cannot be read: ${error.message}` });
  return undefined;
}
