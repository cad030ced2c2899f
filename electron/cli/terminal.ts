import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { displayWidth, plain, shorten } from './text.ts';

/** The part of a process that commands talk through; tests give one that records. */
export interface Streams {
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stdin?: Readable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36 } as const;
export type Style = keyof typeof STYLES;

export interface Column {
  readonly title: string;
  readonly align?: 'right';
  /** Gives way when the terminal is too narrow. */
  readonly flexible?: boolean;
}

/** A cell is remote or local text, which is made plain, and then styled. */
export type Cell = string | { readonly text: string; readonly style: Style | undefined };

/** Results go to stdout, and what is said about them (progress, notes, errors) to stderr. */
export interface Terminal {
  readonly isInteractive: boolean;
  readonly stdoutIsTerminal: boolean;
  /** Colours may be used on stdout. */
  readonly colours: boolean;
  /** One line of a result, as it is. */
  line(text: string): void;
  /** Result text that may be much: settles when more may come. */
  write(text: string | Uint8Array): Promise<void>;
  /** One JSON value on one line when `compact`, for streams; else indented. */
  json(value: unknown, compact?: 'compact'): void;
  table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): void;
  /** One line beside the result. */
  note(text: string): void;
  /** Replaces the line that says how far things are; only shown when stderr is a terminal. */
  progress(text: string | undefined): void;
  style(text: string, style: Style | undefined): string;
  /** Whether there is a person to ask. */
  readonly canAsk: boolean;
  /** Asks beside the result, and waits for one line; '' at the end of the input. An abort rejects. */
  ask(question: string, signal: AbortSignal): Promise<string>;
}

export function createTerminal({ stdout, stderr, stdin, env }: Streams): Terminal {
  const allowsColour = env.NO_COLOR === undefined || env.NO_COLOR === '';
  const colours = stdout.isTTY === true && allowsColour && env.TERM !== 'dumb';
  const isInteractive = stderr.isTTY === true && env.TERM !== 'dumb';
  let progressShown = false;
  const clearProgress = () => {
    if (progressShown) stderr.write('\r\u001b[2K');
    progressShown = false;
  };
  const style = (text: string, name: Style | undefined) =>
    colours && name !== undefined ? `\u001b[${STYLES[name]}m${text}\u001b[0m` : text;
  const line = (text: string) => {
    clearProgress();
    stdout.write(`${text}\n`);
  };
  return {
    isInteractive,
    stdoutIsTerminal: stdout.isTTY === true,
    colours,
    line,
    style,
    write(text) {
      clearProgress();
      if (stdout.write(text)) return Promise.resolve();
      return new Promise((resolve) => stdout.once('drain', resolve));
    },
    json: (value, compact) => line(compact === undefined ? JSON.stringify(value, null, 2) : JSON.stringify(value)),
    canAsk: isInteractive && stdin?.isTTY === true,
    async ask(question, signal) {
      clearProgress();
      if (stdin === undefined) throw new Error('nobody to ask');
      // The terminal itself edits the line, and turns Ctrl-C into a signal.
      const lines = createInterface({ input: stdin, output: stderr, terminal: false });
      const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
      try {
        return (await Promise.race([lines.question(`${question} `, { signal }), ended])).trim();
      } finally {
        lines.close();
      }
    },
    table: (columns, rows) => {
      for (const row of layOut(columns, rows, stdout.isTTY === true ? stdout.columns || undefined : undefined, style)) line(row);
    },
    note(text) {
      clearProgress();
      stderr.write(`${text}\n`);
    },
    progress(text) {
      if (!isInteractive) return;
      clearProgress();
      if (text === undefined) return;
      stderr.write(shorten(text, (stderr.columns || 80) - 1));
      progressShown = true;
    },
  };
}

const GAP = 2;
const LEAST_FLEXIBLE = 8;

/** @param width of the terminal in columns; undefined: nothing is shortened */
export function layOut(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width: number | undefined,
  style: (text: string, style: Style | undefined) => string,
): string[] {
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'string' ? { text: plain(cell), style: undefined } : { ...cell, text: plain(cell.text) })),
  );
  const titles = columns.map((column) => ({ text: column.title, style: 'dim' as Style | undefined }));
  const widths = columns.map((_, at) => Math.max(...[titles, ...cells].map((row) => displayWidth(row[at]?.text ?? ''))));
  if (width !== undefined) shrink(columns, widths, width);
  return [titles, ...cells].map((row) =>
    columns
      .map((column, at) => {
        const room = widths[at] as number;
        const text = shorten(row[at]?.text ?? '', room);
        const padding = ' '.repeat(room - displayWidth(text));
        const styled = style(text, row[at]?.style);
        if (column.align === 'right') return padding + styled;
        return at === columns.length - 1 ? styled : styled + padding;
      })
      .join(' '.repeat(GAP))
      .trimEnd(),
  );
}

/** Takes what is too much from the widest flexible column, again and again. */
function shrink(columns: readonly Column[], widths: number[], width: number): void {
  const flexible = columns.flatMap((column, at) => (column.flexible === true ? [at] : []));
  let over = widths.reduce((sum, one) => sum + one, GAP * (columns.length - 1)) - width;
  while (over > 0) {
    const widest = flexible.toSorted((a, b) => (widths[b] as number) - (widths[a] as number))[0];
    if (widest === undefined || (widths[widest] as number) <= LEAST_FLEXIBLE) return;
    widths[widest] = (widths[widest] as number) - 1;
    over -= 1;
  }
}
