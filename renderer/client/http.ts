import type { z } from 'zod';
import { ERROR_STATUS, type ErrorCode, type ErrorValue, errorSchema, LanyardError } from '../../shared/errors.ts';
import type { QueryValue } from '../../shared/lanyard-client.ts';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, QueryValue>> | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: BodyInit;
  readonly signal?: AbortSignal | undefined;
}

/** Requests to the coordinator that delivered this page, with the person's token. */
export interface Http {
  /** Answers of any status come back. @throws UNAVAILABLE when there is none */
  send(request: HttpRequest): Promise<Response>;
  /** As `send`; an answer that is no success is thrown as the error it carries. */
  expectOk(request: HttpRequest): Promise<Response>;
}

export function createHttp(origin: string, token: string): Http {
  const http: Http = {
    async send({ path, query, headers, ...init }) {
      const url = new URL(path, origin);
      for (const [name, value] of Object.entries(query ?? {}))
        if (value !== undefined) url.searchParams.set(name, Array.isArray(value) ? value.join(',') : String(value));
      try {
        return await fetch(url, {
          method: init.method,
          headers: { authorization: `Bearer ${token}`, ...headers },
          redirect: 'error',
          ...(init.body === undefined ? {} : { body: init.body }),
          ...(init.signal === undefined ? {} : { signal: init.signal }),
        });
      } catch (cause) {
        throw unavailable(cause);
      }
    },
    async expectOk(request) {
      const response = await http.send(request);
      if (!response.ok) throw await errorOf(response);
      return response;
    },
  };
  return http;
}

/** Fills `:name` in a route's path. */
export function fillPath(path: string, params: Readonly<Record<string, string | number>>): string {
  return path.replace(/:([A-Za-z]+)/g, (_, name: string) => encodeURIComponent(String(params[name])));
}

/** @throws INTERNAL when `value` is not what `schema` says */
export function parseAnswer<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new LanyardError(
    {
      code: 'INTERNAL',
      message: `The answer to ${what} is not what was expected.`,
      hint: 'Reload the page: the coordinator may be of another version than this page.',
    },
    { cause: result.error },
  );
}

/** The error that an answer carries, or one made from its status. */
export async function errorOf(response: Response): Promise<LanyardError> {
  const text = await response.text().catch(() => '');
  const value = errorSchema.safeParse(errorValueIn(text));
  if (value.success) return new LanyardError(value.data as ErrorValue);
  const codes = Object.entries(ERROR_STATUS) as [ErrorCode, number][];
  const code = codes.find(([, status]) => status === response.status)?.[0] ?? 'INTERNAL';
  return new LanyardError({ code, message: `The coordinator answered with status ${response.status}.` });
}

export function unavailable(cause: unknown): LanyardError {
  return new LanyardError(
    { code: 'UNAVAILABLE', message: 'The coordinator does not answer.', hint: 'Check that it runs and that this machine reaches it.' },
    { cause },
  );
}

/** What went wrong, as a value that a screen shows, from whatever was thrown or told; programmer errors too, so that none is lost. */
export function errorValueOf(error: unknown): ErrorValue {
  if (error instanceof LanyardError) return error.toValue();
  const value = errorSchema.safeParse(error);
  if (value.success) return value.data as ErrorValue;
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

function errorValueIn(text: string): unknown {
  try {
    return (JSON.parse(text) as { error?: unknown } | null)?.error;
  } catch {
    return undefined;
  }
}
