import type { Logger } from '../ports/system.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LEVELS)[number];

export interface LoggerOptions {
  /** Records below it are left out. */
  readonly level: LogLevel;
  /** `json`: an object a line, for machines. `text`: for people; the default where stderr is a terminal. */
  readonly format?: 'json' | 'text';
  /** Takes one line with its newline; default: stderr. */
  readonly write?: (line: string) => void;
}

/** A longer line is cut: a record is a line for a person and not a place for data. */
const LINE_LENGTH = 16_384;
/** C0 and C1 controls, line separators and marks that turn the direction of text: nothing in a record may steer a terminal. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A log of one line a record. It never throws: what cannot be written is lost, and the program goes on. */
export function createLogger(options: LoggerOptions): Logger {
  const format = options.format ?? (process.stderr.isTTY ? 'text' : 'json');
  const write = options.write ?? stderrWriter();
  const least = LEVELS.indexOf(options.level);
  const at = (level: LogLevel) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
    if (LEVELS.indexOf(level) < least) return;
    try {
      const time = new Date().toISOString();
      const line = format === 'json' ? jsonLine(time, level, message, fields) : textLine(time, level, message, fields);
      write(`${line}\n`);
    } catch {
      // A log that fails must not end what it reports about.
    }
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A closed pipe shows as an `error` event, which ends the program when nobody listens. */
function stderrWriter(): (line: string) => void {
  if (process.stderr.listenerCount('error') === 0) process.stderr.on('error', () => {});
  return (line) => {
    process.stderr.write(line);
  };
}

function jsonLine(time: string, level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> | undefined): string {
  const line = toJson({ time, level, message, ...fields });
  return line.length <= LINE_LENGTH ? line : toJson({ time, level, message: message.slice(0, LINE_LENGTH / 16), cut: line.length });
}

function textLine(time: string, level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> = {}): string {
  const words = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' && /^[\w./:-]+$/.test(value) ? value : toJson(value)}`,
  );
  const line = [time, level.toUpperCase().padEnd(5), message, ...words].join(' ').replace(UNSAFE, escapeCharacter);
  return line.length <= LINE_LENGTH ? line : `${line.slice(0, LINE_LENGTH)}... (cut)`;
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Errors with their message and cause, big numbers as text, and what refers to itself not at all. */
function toJson(value: unknown): string {
  const replace = (_name: string, part: unknown): unknown => {
    if (part instanceof Error) return { ...part, name: part.name, message: part.message, stack: part.stack, cause: part.cause };
    return typeof part === 'bigint' ? String(part) : part;
  };
  let json: string | undefined;
  try {
    json = JSON.stringify(value, replace);
  } catch {
    json = JSON.stringify(typeof value === 'object' && value !== null ? shallow(value) : String(value));
  }
  return (json ?? 'undefined').replace(UNSAFE, escapeCharacter);
}

/** The parts of a value that cannot be written as a whole, each as text. */
function shallow(value: object): Record<string, string> {
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, String(part)]));
}
