import Anser from 'anser';

/** A run of text with one look. */
export interface AnsiPart {
  readonly text: string;
  /** `r, g, b`, of the 256 colours or of true colour; one of the sixteen names; or null for the text's own. */
  readonly colour: string | null;
  readonly ground: string | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
}

/** A character-set or title command and the like: ESC ] … up to BEL or ESC \, ESC P … ESC \, and two-character ones. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const OTHER_COMMANDS = /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[PX^_][^\u001b]*(?:\u001b\\)?|\u001b[()][\w]|\u001b[\w=><]/g;
/** CSI commands other than colours (m). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const CSI_COMMANDS = /\u001b\[[0-?]*[ -/]*[@-ln-~]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const CONTROLS = /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g;
/** Marks that turn text around: they could make a line say something else than it does. */
const TURNERS = /[\u202a-\u202e\u2066-\u2069]/g;

/** A line as plain text: what a terminal would show of it, without any look. */
export function plainText(line: string): string {
  return ansiParts(line)
    .map((part) => part.text)
    .join('');
}

/** A line in parts. Only colours and weights are kept; nothing of it is ever markup. */
export function ansiParts(line: string): readonly AnsiPart[] {
  const clean = withoutCommands(line);
  if (!clean.includes('\u001b')) return [{ ...PLAIN, text: clean }];
  return Anser.ansiToJson(clean, { json: true, remove_empty: true, use_classes: true }).map((part) => ({
    text: part.content.replaceAll('\u001b', ''),
    colour: colourOf(part.fg, part.fg_truecolor),
    ground: colourOf(part.bg, part.bg_truecolor),
    bold: part.decorations.includes('bold'),
    dim: part.decorations.includes('dim'),
    italic: part.decorations.includes('italic'),
    underline: part.decorations.includes('underline'),
  }));
}

const PLAIN = { colour: null, ground: null, bold: false, dim: false, italic: false, underline: false };

/** A program that draws over its line (a progress bar) leaves what it drew last. */
function withoutCommands(line: string): string {
  const ended = line.endsWith('\r') ? line.slice(0, -1) : line;
  return ended
    .slice(ended.lastIndexOf('\r') + 1)
    .replace(OTHER_COMMANDS, '')
    .replace(CSI_COMMANDS, '')
    .replace(CONTROLS, '')
    .replace(TURNERS, '\ufffd');
}

/** @param name as anser has them with classes: `ansi-red`, `ansi-palette-208`, `ansi-truecolor` */
function colourOf(name: string | null, trueColour: string | null): string | null {
  if (name === null || name === undefined) return null;
  if (name === 'ansi-truecolor') return /^\d{1,3}, ?\d{1,3}, ?\d{1,3}$/.test(trueColour ?? '') ? `rgb(${trueColour})` : null;
  const palette = /^ansi-palette-(\d{1,3})$/.exec(name)?.[1];
  if (palette !== undefined) return paletteColour(Number(palette));
  return /^ansi-(bright-)?(black|red|green|yellow|blue|magenta|cyan|white)$/.test(name) ? `var(--${name})` : null;
}

/** The 6×6×6 cube and the greys of xterm's 256 colours. */
function paletteColour(number: number): string | null {
  if (number < 16 || number > 255) return null;
  if (number >= 232) {
    const grey = 8 + (number - 232) * 10;
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  const level = (part: number) => (part === 0 ? 0 : 55 + part * 40);
  const cube = number - 16;
  return `rgb(${level(Math.floor(cube / 36))}, ${level(Math.floor(cube / 6) % 6)}, ${level(cube % 6)})`;
}
