import { setTimeout as timeout } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import type { z } from 'zod';
import { ERROR_STATUS, type ErrorCode, errorSchema, LanyardError } from '../../shared/errors.ts';
import type { QueryValue } from '../../shared/lanyard-client.ts';
import { type Call, createCall, createOpener, createPinnedFetch, type Fetch, type FetchInit, type Opener } from './client-fetch.ts';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, QueryValue>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** Requests to one coordinator, with the token and with errors as `LanyardError`s. */
export interface Http {
  readonly url: string;
  /** Sends bytes or a stream as they are; answers of any status come back. @throws UNAVAILABLE */
  send(request: HttpRequest & { readonly body?: ReadableStream | Uint8Array<ArrayBuffer> | string | undefined }): Promise<Response>;
  /** As `send`; an answer that is no success is thrown as the error it carries. */
  expectOk(request: HttpRequest & { readonly body?: ReadableStream | Uint8Array<ArrayBuffer> | string | undefined }): Promise<Response>;
  /** Begins a request whose body the caller writes. */
  open(request: Omit<HttpRequest, 'body'>): ReturnType<Opener>;
  /** Sends `body` as JSON, and gives the answer's JSON. */
  json(request: HttpRequest): Promise<unknown>;
  /** @throws INTERNAL when `value` is not what `schema` says */
  parse<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S>;
}

export interface HttpOptions {
  /** Of http or https, for example `http://127.0.0.1:7420`; a path after the address is dropped. */
  readonly url: string;
  /** Sent as a bearer token; not needed where `tls` shows the key of a device of the farm. */
  readonly token?: string;
  /** Whose key must answer, and whose is shown. */
  readonly tls?: ConnectionOptions;
  /** Another `fetch`, for tests. */
  readonly fetch?: Fetch;
}

export function createHttp(options: HttpOptions): Http {
  const url = baseUrl(options.url);
  const doFetch = options.fetch ?? (options.tls === undefined ? fetch : createPinnedFetch(options.tls));
  const { protocol } = new URL(url);
  const call = options.fetch === undefined ? createCall(protocol, options.tls) : callBy(options.fetch);
  const open = createOpener(protocol, options.tls);
  const prepared = (request: HttpRequest & { readonly body?: FetchInit['body'] | undefined }): [URL, FetchInit] => {
    const target = new URL(request.path, url);
    for (const [name, value] of Object.entries(request.query ?? {}))
      if (value !== undefined) target.searchParams.set(name, Array.isArray(value) ? value.join(',') : String(value));
    const init: FetchInit = {
      method: request.method,
      headers: { ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }), ...request.headers },
      redirect: 'error',
      ...(request.signal === undefined ? {} : { signal: request.signal }),
      ...(request.body === undefined ? {} : { body: request.body, duplex: 'half' }),
    };
    return [target, init];
  };
  const http: Http = {
    url,
    async send(request) {
      try {
        return await doFetch(...prepared(request));
      } catch (error) {
        throw asUnavailable(error, url, request.signal);
      }
    },
    async expectOk(request) {
      const response = await http.send(request);
      if (!response.ok) throw await errorOf(response);
      return response;
    },
    open: (request) => open(...prepared(request)),
    async json(request) {
      const body = request.body === undefined ? undefined : JSON.stringify(request.body);
      const headers = { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
      const answer = await call(...prepared({ ...request, headers, body })).catch((error: unknown) => {
        throw asUnavailable(error, url, request.signal);
      });
      if (answer.status < 200 || answer.status > 299) throw errorIn(answer.status, answer.text);
      return jsonIn(answer.text, `${request.method} ${request.path}`);
    },
    parse(schema, value, what) {
      const result = schema.safeParse(value);
      if (!result.success) throw unexpected(what, result.error);
      return result.data;
    },
  };
  return http;
}

function callBy(doFetch: Fetch): Call {
  return async (target, init) => {
    const response = await doFetch(target, init);
    return { status: response.status, text: await response.text() };
  };
}

/** Fills `:name` in a route's path. */
export function fillPath(path: string, params: Readonly<Record<string, string | number>>): string {
  return path.replace(/:([A-Za-z]+)/g, (_, name: string) => encodeURIComponent(String(params[name])));
}

/** The error that an answer carries; for answers that are not a coordinator's, one made from the status. */
export async function errorOf(response: Response): Promise<LanyardError> {
  return errorIn(response.status, await response.text().catch(() => ''));
}

/** @throws INTERNAL when an answer is no JSON */
export function jsonIn(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unexpected(what);
  }
}

export function errorIn(status: number, text: string): LanyardError {
  const value = errorSchema.safeParse(errorValueIn(text));
  if (value.success) return new LanyardError(value.data as ConstructorParameters<typeof LanyardError>[0]);
  const codes = Object.entries(ERROR_STATUS) as [ErrorCode, number][];
  const code = codes.find(([, one]) => one === status)?.[0] ?? 'INTERNAL';
  return new LanyardError({ code, message: `the coordinator answered with status ${status}` });
}

/** What a broken connection is to the caller; an abort stays what it is. */
export function asUnavailable(error: unknown, url: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof LanyardError) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const detail = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : String(cause);
  if (UNKNOWN_KEY.has(detail)) return unknownKey(url, error);
  return new LanyardError(
    {
      code: 'UNAVAILABLE',
      message: `no coordinator answers at ${url} (${detail})`,
      hint: 'check that the coordinator runs and that the address and port are right',
    },
    { cause: error },
  );
}

/** OpenSSL's words for a certificate that is neither the pinned one nor vouched for by an authority. */
const UNKNOWN_KEY = new Set(['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']);

function unknownKey(url: string, cause: unknown): LanyardError {
  return new LanyardError(
    {
      code: 'FORBIDDEN',
      message: `whoever answers at ${url} shows a key that is not known here`,
      hint: 'use the connection string that `lanyard token create` prints: it carries the fingerprint of the right key',
    },
    { cause },
  );
}

/** Waits; an abort rejects with its own reason. */
export async function pauseFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await timeout(ms, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
    throw signal?.aborted ? signal.reason : error;
  });
}

function errorValueIn(text: string): unknown {
  try {
    return (JSON.parse(text) as { error?: unknown } | null)?.error;
  } catch {
    return undefined;
  }
}

function unexpected(what: string, cause?: unknown): LanyardError {
  return new LanyardError(
    {
      code: 'INTERNAL',
      message: `the answer to ${what} is not what was expected`,
      hint: 'is this address a Lanyard coordinator of the same version?',
    },
    { cause },
  );
}

function baseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new LanyardError({
      code: 'INVALID',
      message: `"${text}" is not an address of a coordinator`,
      field: 'url',
      hint: 'expected something like http://192.168.1.10:7420',
    });
  return url.origin;
}
