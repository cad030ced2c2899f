import type { FastifyInstance } from 'fastify';

/** Inside single quotes a POSIX shell takes everything as it is, but for the quote itself. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll('\0', '').replaceAll("'", "'\\''")}'`;
}

/** Callers that accept text/plain first get `name='value'` lines instead of JSON. */
export function answerShell(scope: FastifyInstance): void {
  scope.addHook('onRequest', async (request, reply) => {
    if (!/^text\/plain\b/.test(request.headers.accept ?? '')) return;
    reply.type('text/plain; charset=utf-8').serializer((payload: unknown) => (typeof payload === 'string' ? payload : shellLines(payload)));
  });
}

/**
 * An answer as lines of `name='value'`. What stands in an object inside comes as its own lines, a list as one value with a
 * line for each element, null as an empty one. Names that are no shell name are left out, so that nothing but assignments is ever printed.
 */
export function shellLines(payload: unknown): string {
  if (typeof payload !== 'object' || payload === null) return '';
  let lines = '';
  for (const [name, value] of Object.entries(payload)) {
    if (value === undefined) continue;
    if (value === null) lines += assignment(name, '');
    else if (Array.isArray(value)) lines += assignment(name, value.filter(isScalar).join('\n'));
    else if (typeof value !== 'object') lines += assignment(name, String(value));
    else if (name !== 'env') lines += shellLines(value);
  }
  return lines;
}

function assignment(name: string, value: string): string {
  return /^[a-z][A-Za-z0-9_]*$/.test(name) ? `${name}=${shellQuote(value)}\n` : '';
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
