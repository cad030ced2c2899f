import type { z } from 'zod';
import type { ROUTES, RouteName } from './api.ts';
import type { Route } from './api-route.ts';
import type { ErrorValue } from './errors.ts';
import type { AttemptId, BlobId } from './ids.ts';
import type { LogRecord } from './protocol.ts';
import type { OutputView, ViewEvent } from './view.ts';

/**
 * What a screen can ask of a farm, whatever carries it: HTTP in a browser, IPC in the desktop window. Nothing here
 * belongs to either, so that the screens cannot tell which one they have.
 */
export interface LanyardClient {
  /** For example `client.call('getJob', { params: { job: 12 } })`. Rejects with a `LanyardError`. */
  call<Name extends CallName>(name: Name, ...request: CallArguments<Name>): Promise<AnswerOfCall<Name>>;
  /** The farm as it changes, connected again for as long as it takes. */
  watch(listener: WatchListener): Stop;
  /** The log of an attempt from its start, and on as it grows until the attempt has ended. */
  followLog(attempt: AttemptId, listener: LogListener): Stop;
  /** Stores bytes as a blob, going on where an earlier upload of the same bytes ended. */
  upload(source: UploadSource, progress: (progress: UploadProgress) => void): Upload;
  /** The first `maxBytes` of an output file. */
  readOutput(output: Pick<OutputView, 'task' | 'path'>, maxBytes: number): Promise<Uint8Array<ArrayBuffer>>;
  /** A small copy (WebP) of an output that is a picture; rejects for what is none. */
  readThumbnail(output: Pick<OutputView, 'task' | 'path'>, size: 'small' | 'large'): Promise<Uint8Array<ArrayBuffer>>;
  /** Lets the person keep one output file; settles when it is on its way. */
  saveOutput(output: Pick<OutputView, 'task' | 'path'>): Promise<void>;
  /** Lets the person keep all outputs of a job, as one zip. */
  saveOutputs(job: number): Promise<void>;
}

/** Ends what the call that gave it has begun. */
export type Stop = () => void;

export interface WatchListener {
  event(event: ViewEvent): void;
  state(state: LinkState): void;
}

export type LinkState =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  /** Gone, and tried again in `retryMs`; what is on the screen is as it was. */
  | { readonly state: 'lost'; readonly error: ErrorValue; readonly retryMs: number }
  /** No use in trying again: the token is not accepted. */
  | { readonly state: 'refused'; readonly error: ErrorValue };

export interface LogListener {
  records(records: readonly LogRecord[]): void;
  /** Once: the log is complete (null), or cannot be read any further. */
  ended(error: ErrorValue | null): void;
}

/** Bytes that can be read in any order, as a file of a browser can. */
export interface UploadSource {
  readonly name: string;
  readonly bytes: number;
  /** Bytes from `start` up to `end`, not included. */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  /** By which the desktop app finds it on the disk, to read it there: a `File` of the page, or the token of a file that it opened. */
  readonly handle?: unknown;
}

export interface UploadProgress {
  /** The bytes are first named (hashed), then sent. */
  readonly step: 'hashing' | 'sending';
  readonly done: number;
  readonly total: number;
}

export interface Upload {
  /** Rejects with a `LanyardError`, also when it is cancelled. */
  readonly finished: Promise<BlobId>;
  cancel(): void;
}

type Routes = typeof ROUTES;

/** Routes whose body and answer are JSON. */
export type CallName = {
  [Name in RouteName]: Routes[Name] extends { readonly answer: z.ZodType }
    ? Routes[Name] extends { readonly bytes: object }
      ? never
      : Name
    : never;
}[RouteName];

export type QueryValue = string | number | boolean | readonly string[] | undefined;

type ParamsOf<R extends Route> = R extends { readonly params: infer S extends z.ZodType }
  ? { readonly params: { readonly [Key in keyof z.output<S>]: string | number } }
  : unknown;
type QueryOf<R extends Route> = R extends { readonly query: infer S extends z.ZodType }
  ? { readonly query?: { readonly [Key in keyof z.output<S>]?: QueryValue } }
  : unknown;
type BodyOf<R extends Route> = R extends { readonly body: infer S extends z.ZodType } ? { readonly body: z.input<S> } : unknown;

/** What a call of a route must and may carry; lists in a query are joined with commas. */
export type RequestOf<Name extends CallName> = ParamsOf<Routes[Name]> & QueryOf<Routes[Name]> & BodyOf<Routes[Name]>;

export type AnswerOfCall<Name extends CallName> = z.output<Routes[Name]['answer']>;

/** The request may be left out where nothing in it is needed; `More` is what one carrier takes beside it. */
export type CallArguments<Name extends CallName, More = unknown> =
  Record<never, never> extends RequestOf<Name> ? [request?: RequestOf<Name> & More] : [request: RequestOf<Name> & More];
