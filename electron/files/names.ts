import { LIMITS } from '../../shared/limits.ts';

/** Names that Windows gives to devices, with or without an extension. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9¹²³]|lpt[0-9¹²³])$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f]/;
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}"\\]/gu;
const SHOWN_CHARACTERS = 200;

/**
 * The one policy for names that come from elsewhere: entries of a zip, files laid into a working folder, outputs.
 * It holds on every system alike, so that a zip that one machine takes is not refused by the next.
 * @param path relative and `/`-separated, without a `/` at its end
 * @returns what is wrong with it, to follow "…: ", or undefined when it is good
 */
export function nameFault(path: string): string | undefined {
  if (path === '') return 'the name is empty';
  if (path.includes('\0')) return 'the name holds a NUL';
  if (CONTROL.test(path)) return 'the name holds a control character';
  if (path.includes('\\')) return 'the name holds a backslash; folders are separated by /';
  if (path.startsWith('/')) return 'the path is absolute';
  if (/^[A-Za-z]:/.test(path)) return 'the path begins with a drive letter';
  if (path.includes(':')) return 'the name holds a colon, which names a stream on Windows';
  if (Buffer.byteLength(path) > LIMITS.pathLength) return `the path is longer than ${LIMITS.pathLength} bytes`;
  for (const segment of path.split('/')) {
    const fault = segmentFault(segment);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function segmentFault(segment: string): string | undefined {
  if (segment === '..') return 'the path leads out of its folder (..)';
  if (segment === '' || segment === '.') return 'the path has an empty part';
  if (segment.endsWith('.') || segment.endsWith(' ')) return 'a name ends with a dot or a space, which Windows drops';
  if (Buffer.byteLength(segment) > LIMITS.pathSegmentBytes) return `a name is longer than ${LIMITS.pathSegmentBytes} bytes`;
  const stem = segment.split('.', 1)[0] ?? '';
  if (DEVICE.test(stem.trimEnd())) return 'the name is that of a device on Windows';
  return undefined;
}

/** @returns what two paths have in common that some file system takes for one and the same (case, Unicode forms) */
export function foldedName(path: string): string {
  return path.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC');
}

/** @returns the name in quotes, with what cannot be seen written as escapes, cut after 200 characters */
export function shownName(name: string): string {
  const cut = name.length > SHOWN_CHARACTERS ? `${name.slice(0, SHOWN_CHARACTERS)}…` : name;
  return `"${cut.replace(UNPRINTABLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)}"`;
}
