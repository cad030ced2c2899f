import type { ReadableStream } from 'node:stream/web';
import { type ErrorValue, LanyardError } from '../../../shared/errors.ts';
import type { WorkName } from './work.ts';

/** What goes to a thread. */
export type Order =
  | { readonly id: number; readonly name: WorkName; readonly question: unknown }
  /** Somebody does not want it any more; it is answered all the same. */
  | { readonly id: number; readonly stop: true };

/** What comes back: some progress, and then one end. */
export type Answer =
  | { readonly id: number; readonly done: number; readonly total: number }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly stream: ReadableStream }
  | { readonly id: number; readonly failure: Failure };

/** An error between threads: of its class and properties a copy keeps nothing. */
export interface Failure {
  readonly value?: ErrorValue;
  readonly message: string;
  readonly code?: string;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof LanyardError) return { value: error.toValue(), message: error.message };
  if (!(error instanceof Error)) return { message: String(error) };
  const { code } = error as NodeJS.ErrnoException;
  return { message: error.message, ...(typeof code === 'string' ? { code } : {}) };
}

export function errorOf({ value, message, code }: Failure): Error {
  if (value !== undefined) return new LanyardError(value);
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}
