import { z } from 'zod';

/**
 * The errors that cross a boundary, each a value and not a class: what went wrong (`code`), a
 * sentence for a person (`message`), the field and value it is about, and what to do (`hint`).
 */
export const ERROR_STATUS = {
  INVALID: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  GONE: 410,
  TOO_LARGE: 413,
  RANGE: 416,
  TOO_MANY: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DISK_FULL: 507,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export const errorSchema = z.object({
  code: z.enum(Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  field: z.string().optional(),
  hint: z.string().optional(),
});
export type ErrorValue = z.infer<typeof errorSchema>;

/** An operating error on its way up to the edge that reports it. Programmer errors are plain `Error`s. */
export class LanyardError extends Error {
  override readonly name = 'LanyardError';
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly hint: string | undefined;

  constructor(value: ErrorValue, options?: { cause?: unknown }) {
    super(value.message, options);
    this.code = value.code;
    this.field = value.field;
    this.hint = value.hint;
  }

  toValue(): ErrorValue {
    return {
      code: this.code,
      message: this.message,
      ...(this.field === undefined ? {} : { field: this.field }),
      ...(this.hint === undefined ? {} : { hint: this.hint }),
    };
  }
}

/** Turns zod's issues into one sentence that names the field, what was expected and what was given. */
export function invalid(error: z.ZodError, what: string): LanyardError {
  const first = error.issues[0];
  const field = first === undefined ? undefined : first.path.map(String).join('.');
  const sentences = error.issues
    .slice(0, 5)
    .map((issue) => (issue.path.length === 0 ? issue.message : `${issue.path.map(String).join('.')}: ${issue.message}`));
  return new LanyardError({
    code: 'INVALID',
    message: `${what} is not valid. ${sentences.join('; ')}`,
    ...(field === undefined || field === '' ? {} : { field }),
  });
}
