import type { z } from 'zod';

export type ApiRole = 'anonymous' | 'viewer' | 'submitter' | 'worker' | 'admin';

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  /** With `:name` for parameters. */
  readonly path: string;
  /** The least role that may call it; `worker` may only what names it, `admin` may all. */
  readonly roles: readonly ApiRole[];
  readonly summary: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** The JSON answer; absent when the answer is bytes, a stream, or nothing. */
  readonly answer?: z.ZodType;
  /** What a body or answer of bytes is. */
  readonly bytes?: { readonly body?: string; readonly answer?: string };
}

export const READERS = ['viewer', 'submitter', 'admin'] as const;
export const SUBMITTERS = ['submitter', 'admin'] as const;
export const ADMINS = ['admin'] as const;
