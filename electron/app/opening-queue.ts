import { app } from 'electron';
import { LanyardError } from '../../shared/errors.ts';
import type { IpcEvent } from '../../shared/ipc.ts';
import type { Logger } from '../ports/system.ts';
import type { OpenedFiles } from './opened-files.ts';
import { isLink, type Openings } from './openings.ts';

/** A file or a link that the system gave to the app. */
export type Opening = Extract<IpcEvent['event'], { kind: 'opened' | 'link' }>;

/** Openings wait here until a window asks for them. */
export interface OpeningQueue {
  add(openings: Pick<Openings, 'files' | 'links'>): Promise<void>;
  /** Gives what waits, and what comes. @returns how to stop */
  listen(listener: (opening: Opening) => void): () => void;
  /** Calls back whenever there is something for a window to show. */
  onAdd(listener: () => void): void;
}

/** Must be made before the app is ready: macOS says what a start is for very early. */
export function createOpeningQueue(files: OpenedFiles, logger: Logger): OpeningQueue {
  const waiting: Opening[] = [];
  const listeners = new Set<(opening: Opening) => void>();
  let added = () => {};
  const give = (opening: Opening) => {
    // The window that asked last shows it, and no other.
    const listener = [...listeners].at(-1);
    if (listener === undefined) waiting.push(opening);
    else listener(opening);
    added();
  };
  const queue: OpeningQueue = {
    async add({ files: paths, links }) {
      for (const path of paths)
        try {
          give({ kind: 'opened', file: await files.add(path) });
        } catch (error) {
          if (!(error instanceof LanyardError)) throw error;
          logger.warn('a file cannot be opened', { path, error: error.message });
        }
      for (const link of links) give({ kind: 'link', link });
    },
    listen(listener) {
      listeners.add(listener);
      for (const opening of waiting.splice(0)) listener(opening);
      return () => listeners.delete(listener);
    },
    onAdd(listener) {
      added = listener;
      if (waiting.length > 0) listener();
    },
  };
  app.on('open-file', (event, path) => {
    event.preventDefault();
    void queue.add({ files: [path], links: [] });
  });
  app.on('open-url', (event, url) => {
    event.preventDefault();
    if (isLink(url)) void queue.add({ files: [], links: [url] });
  });
  return queue;
}
