import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { ZipEntry } from '../../ports/files.ts';
import { hashFile } from '../hash.ts';
import { checkZip, extractZip, readJobFile } from '../unzip.ts';
import { zipFolder, zipStream } from '../zip.ts';

const READ_BYTES = 256 * 1024;

/** What a piece of work is given beside its question. */
interface Surroundings {
  readonly signal: AbortSignal;
  readonly progress: (done: number, total: number) => void;
}

/** All that threads do; questions and answers are copied between them and whoever asks. A `Readable` is passed on as it comes. */
export const WORK = {
  hash: ({ path }: { readonly path: string }, { signal }: Surroundings) => hashFile(path, signal),
  checkZip: ({ path }: { readonly path: string }) => checkZip(path),
  extractZip: ({ path, folder }: { readonly path: string; readonly folder: string }, surroundings: Surroundings) =>
    extractZip(path, folder, surroundings),
  readJobFile: ({ path }: { readonly path: string }) => readJobFile(path),
  zip: async ({ entries }: { readonly entries: readonly ZipEntry[] }): Promise<Readable> =>
    zipStream(entries.map(({ name, path, bytes }) => ({ name, bytes, read: () => createReadStream(path, { highWaterMark: READ_BYTES }) }))),
  zipFolder: ({ folder, outFile }: { readonly folder: string; readonly outFile: string }, surroundings: Surroundings) =>
    zipFolder(folder, outFile, surroundings),
} as const;

type Work = typeof WORK;
export type WorkName = keyof Work;
export type Question<Name extends WorkName> = Parameters<Work[Name]>[0];
export type Result<Name extends WorkName> = Awaited<ReturnType<Work[Name]>>;
