/** Ends what it was returned for; calling it again does nothing. */
export type Dispose = () => void;

export interface Clock {
  /** Wall clock, ms since 1970. May jump. */
  wallMs(): number;
  /** Steady clock, ms; goes on while the machine sleeps, never goes back. */
  elapsedMs(): number;
  /** Calls `callback` once, after `ms` of the steady clock. */
  after(ms: number, callback: () => void): Dispose;
}

/** One line of the program's own log. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}
