import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Route } from '../../shared/api-route.ts';
import type { Identity } from '../ports/trust.ts';

/** The types that a table of routes gives to its server and its client. */

type ParsedPart<R extends Route, Part extends 'params' | 'query' | 'body'> = R[Part] extends z.ZodType ? z.output<R[Part]> : undefined;

/** An answer that is not JSON of the table: bytes, a stream, or a document. */
export interface RawAnswer {
  /** 200 unless given. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** Absent: an empty body. A stream is destroyed when the caller goes away. */
  readonly body?: Readable | string;
  /** Its first byte may be long in coming: the headers go out at once. */
  readonly live?: boolean;
}

/** What a route's handler is given: everything from the request, already parsed and allowed. */
export interface Call<R extends Route = Route> {
  readonly params: ParsedPart<R, 'params'>;
  readonly query: ParsedPart<R, 'query'>;
  readonly body: ParsedPart<R, 'body'>;
  readonly identity: Identity;
  /** For bytes in the body, headers and the `*` of a path. */
  readonly request: FastifyRequest;
  /** For headers that go out with an error; answers are returned. */
  readonly reply: FastifyReply;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
}

export type AnswerOf<R extends Route> = R['answer'] extends z.ZodType ? z.output<R['answer']> : RawAnswer;

export type Handler<R extends Route> = (call: Call<R>) => AnswerOf<R> | Promise<AnswerOf<R>>;

/** One handler for every route of a table; a missing one does not compile. */
export type HandlersOf<Table extends Readonly<Record<string, Route>>> = { readonly [Name in keyof Table]: Handler<Table[Name]> };

/** What a handler of any route looks like to the code that registers it. */
export type AnyHandler = (call: Call) => unknown;
