import { type ErrorCode, LanyardError } from '../../shared/errors.ts';

/** What `lanyard` ends with; scripts rely on it, so a number never changes its meaning. */
export const EXIT = {
  ok: 0,
  jobFailed: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
  conflict: 5,
  internal: 6,
  timedOut: 124,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_DESCRIPTIONS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'all went well',
  jobFailed: 'the job that was waited for failed, timed out or was cancelled; or `lanyard doctor` found what cannot work',
  usage: 'wrong usage, or an input that is not valid',
  unreachable: 'no coordinator answers',
  refused: 'the token is missing, unknown, or allows less',
  conflict: 'not found, or not possible in the present state',
  internal: 'the coordinator, or this program, could not do it (disk full, too busy, an error)',
  timedOut: 'the time given with --wait-timeout is over; the job goes on',
  interrupted: 'interrupted (Ctrl-C); jobs go on',
};

const BY_ERROR: Readonly<Record<ErrorCode, ExitCode>> = {
  INVALID: EXIT.usage,
  TOO_LARGE: EXIT.usage,
  RANGE: EXIT.usage,
  UNAUTHENTICATED: EXIT.refused,
  FORBIDDEN: EXIT.refused,
  NOT_FOUND: EXIT.conflict,
  CONFLICT: EXIT.conflict,
  GONE: EXIT.conflict,
  UNAVAILABLE: EXIT.unreachable,
  TOO_MANY: EXIT.internal,
  INTERNAL: EXIT.internal,
  DISK_FULL: EXIT.internal,
};

/** @returns the exit code for what a command threw */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof LanyardError ? BY_ERROR[error.code] : EXIT.internal;
}
