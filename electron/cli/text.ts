/**
 * Text that comes from elsewhere (names of jobs, messages, log lines) before it reaches a terminal: a control
 * sequence in it could move the cursor, change the window's title, or make a line say something else than it does.
 */

// Controls C0, DEL and C1; line and paragraph separators; marks that turn the direction of writing.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** One line of plain text: every unsafe character becomes a space, and is thereby seen to have been something. */
export function plain(text: string): string {
  return text.replace(UNSAFE, ' ');
}

const ESCAPE = '\u001b';
const BELL = '\u0007';
/** Longer parameter lists are no colours. */
const SEQUENCE_LENGTH = 64;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const SPECIAL_IN_LOGS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const DROPPED_IN_LOGS = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

/** Filters a log that arrives in pieces; a sequence may be cut anywhere. */
export interface LogFilter {
  push(text: string): string;
  /** @returns what puts the terminal's colours back, if any were set */
  end(): string;
}

/**
 * Keeps text, tabs, line ends and (with `colours`) the sequences that set colours and weight (SGR); drops all
 * other control characters and sequences. A lone carriage return becomes a line end: it would let a log overwrite what it said.
 * Sequences: ECMA-48, 5th edition, 5.4 (CSI) and 5.6 (control strings).
 */
export function createLogFilter(colours: boolean): LogFilter {
  let state: 'text' | 'escape' | 'csi' | 'string' | 'string-escape' = 'text';
  let sequence = '';
  let afterReturn = false;
  let coloured = false;

  const inText = (character: string): string => {
    const wasReturn = afterReturn;
    afterReturn = character === '\r';
    if (character === '\n') return wasReturn ? '' : '\n';
    if (character === '\r') return '\n';
    if (character === '\t') return character;
    if (character === ESCAPE) state = 'escape';
    else if (character === '\u009b') beginCsi();
    else if (/[\u0090\u0098\u009d-\u009f]/.test(character)) state = 'string';
    else if (character >= ' ' && !(character >= '\u007f' && character <= '\u009f') && !DROPPED_IN_LOGS.test(character)) return character;
    return '';
  };
  const beginCsi = () => {
    state = 'csi';
    sequence = '';
  };
  const inCsi = (character: string): string => {
    if (character < ' ' || character > '~' || sequence.length >= SEQUENCE_LENGTH) {
      state = 'text';
      return character < ' ' ? inText(character) : '';
    }
    sequence += character;
    if (character < '@') return '';
    state = 'text';
    if (!colours || !/^[0-9;:]*m$/.test(sequence)) return '';
    coloured = true;
    return `${ESCAPE}[${sequence}`;
  };
  const next = (character: string): string => {
    switch (state) {
      case 'text':
        return inText(character);
      case 'escape':
        state = 'text';
        if (character === '[') beginCsi();
        else if (/[P\]X^_]/.test(character)) state = 'string';
        else if (character < ' ') return inText(character);
        return '';
      case 'csi':
        return inCsi(character);
      case 'string':
        if (character === BELL || character === '\u009c') state = 'text';
        else if (character === ESCAPE) state = 'string-escape';
        else if (character === '\n') {
          // A string that never ends must not swallow the rest of the log.
          state = 'text';
          return '\n';
        }
        return '';
      case 'string-escape':
        state = character === '\\' ? 'text' : 'string';
        return '';
    }
  };
  return {
    push(text) {
      // Most of a log is plain, and need not be looked at character by character.
      if (state === 'text' && !afterReturn && !SPECIAL_IN_LOGS.test(text)) return text;
      let result = '';
      for (const character of text) result += next(character);
      return result;
    },
    end: () => (coloured ? `${ESCAPE}[0m` : ''),
  };
}

/** Columns that plain text takes in a terminal (UAX #11: wide East Asian characters and emoji take two, marks none). */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{M}|\u200d|\ufe0f/u.test(character)) continue;
    width += isWide(character.codePointAt(0) as number) ? 2 : 1;
  }
  return width;
}

function isWide(code: number): boolean {
  return (
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  );
}

/** Cuts plain text to `columns`, with an ellipsis in place of what is left out. */
export function shorten(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let result = '';
  let width = 0;
  for (const character of text) {
    const next = displayWidth(character);
    if (width + next > columns - 1) break;
    result += character;
    width += next;
  }
  return `${result}…`;
}

/** The beginning of a device's id, which is enough to tell it from others and to name it in commands; ids of other kinds as they are. */
export function shortId(id: string): string {
  return /^[a-z2-7]{52}$/.test(id) ? id.slice(0, 8) : id;
}
