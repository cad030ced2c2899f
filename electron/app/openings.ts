import { isAbsolute, resolve } from 'node:path';

/** What the app was asked to open, by its command line or by the system. */
export interface Openings {
  /** Absolute paths of zips. */
  readonly files: readonly string[];
  /** `lanyard://…` */
  readonly links: readonly string[];
  /** Started for the tray alone, as at login. */
  readonly hidden: boolean;
}

export const LINK_SCHEME = 'lanyard';
const LINK_LENGTH = 4_096;

/**
 * Reads a command line as Electron gives it: switches of Chromium may stand in between, and a second instance's comes with
 * the first's own switches. Everything that is neither a zip, nor a link, nor ours is left alone.
 * @param isPackaged else the second word is the folder of the app
 */
export function openingsOf(argv: readonly string[], workingFolder: string, isPackaged: boolean): Openings {
  const words = argv.slice(isPackaged ? 1 : 2);
  return {
    files: words
      .filter((word) => !word.startsWith('-') && /\.zip$/i.test(word) && !isLink(word))
      .map((word) => (isAbsolute(word) ? word : resolve(workingFolder, word))),
    links: words.filter(isLink),
    hidden: words.includes('--hidden'),
  };
}

export function isLink(word: string): boolean {
  return word.length <= LINK_LENGTH && URL.canParse(word) && new URL(word).protocol === `${LINK_SCHEME}:`;
}
