import { randomUUID } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { basename, isAbsolute } from 'node:path';
import { LanyardError } from '../../shared/errors.ts';
import { type OpenedFile, UPLOAD_PIECE_BYTES } from '../../shared/ipc.ts';

/** Files that the person gave to the app. Windows know them by a token: a page cannot name a path of its own making. */
export interface OpenedFiles {
  /** @throws LanyardError when it is no file that can be read */
  add(path: string): Promise<OpenedFile>;
  /** @throws LanyardError NOT_FOUND */
  path(token: string): string;
  /** @throws LanyardError NOT_FOUND, INVALID when the file changed its size */
  read(token: string, start: number, end: number): Promise<Uint8Array>;
}

/** A token that is older than so many others is forgotten. */
const KEPT = 256;

export function createOpenedFiles(): OpenedFiles {
  const paths = new Map<string, string>();
  const pathOf = (token: string) => {
    const path = paths.get(token);
    if (path === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: 'That file is no longer open; choose it again.' });
    return path;
  };
  return {
    async add(path) {
      const info = isAbsolute(path) ? await stat(path).catch(() => undefined) : undefined;
      if (info?.isFile() !== true)
        throw new LanyardError({ code: 'INVALID', message: `${basename(path)} is not a file that can be read.` });
      const token = randomUUID();
      paths.set(token, path);
      const [oldest] = paths.keys();
      if (paths.size > KEPT && oldest !== undefined) paths.delete(oldest);
      return { token, name: basename(path), bytes: info.size };
    },
    path: pathOf,
    async read(token, start, end) {
      const length = Math.min(end - start, UPLOAD_PIECE_BYTES);
      const file = await open(pathOf(token));
      try {
        const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, start);
        if (bytesRead < length) throw new LanyardError({ code: 'INVALID', message: 'The file has changed; open it again.' });
        return buffer;
      } finally {
        await file.close();
      }
    },
  };
}
