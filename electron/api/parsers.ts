import multipart from '@fastify/multipart';
import type { FastifyInstance } from 'fastify';

/** How bodies become values; what a route may be given is its schema's business. */

/** JSON, where an empty body is no body: `curl -X POST` with a JSON header is common. */
export function tolerantJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
    if (text === '') done(null, undefined);
    else void parse(request, text as string, done);
  });
}

/** The body stays the stream it is, whatever it says it is. */
export function passBytes(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_, payload, done) => done(null, payload));
}

/**
 * Forms as `curl -d` sends them, and JSON under the name of a form, since `curl -d '{...}'` says so too.
 * Any other body (of task output) is handed on as bytes.
 */
export function parseForms(scope: FastifyInstance): void {
  const parse = scope.getDefaultJsonParser('error', 'error');
  scope.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (request, text, done) => {
    const body = text as string;
    if (body.trimStart().startsWith('{')) void parse(request, body, done);
    else done(null, Object.fromEntries(new URLSearchParams(body)));
  });
  scope.addContentTypeParser(['application/octet-stream', 'text/plain'], { parseAs: 'buffer' }, (_, bytes, done) => done(null, bytes));
}

/** One file, streamed; the handler takes it with `request.parts()`. */
export async function parseMultipart(scope: FastifyInstance, maxBytes: number): Promise<void> {
  await scope.register(multipart, {
    limits: { fileSize: maxBytes, files: 1, fields: 64, fieldSize: 1024 * 1024, parts: 65, headerPairs: 100 },
  });
}
