import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ReadStreamOptions, ZipFile } from 'yazl';
import { LanyardError } from '../../shared/errors.ts';
import { namedDiskError } from '../disk.ts';
import { nameFault, shownName } from './names.ts';

/** The earliest time a zip can carry (local, as the format has it): the same content gives the same zip. */
const FIXED_TIME = new Date(1980, 0, 1);
/** On a local network more effort costs more time than it saves. */
const LEVEL = 1;

/** A file that goes into a zip. */
export interface ZipSource {
  /** Relative, `/`-separated; held to the same policy as names that come out of a zip. */
  readonly name: string;
  /** Called when its turn comes. */
  read(): Readable;
  /** Exactly what `read` gives. */
  readonly bytes: number;
  readonly executable?: boolean;
}

/**
 * Packs files into a zip as it is read, one after the other, uncompressed: outputs are mostly images and films.
 * The stream fails with a LanyardError INVALID for a name that the policy refuses.
 */
export function zipStream(sources: AsyncIterable<ZipSource> | Iterable<ZipSource>): Readable {
  const packing = new Packing(0);
  void packing.addAll(sources);
  return packing.output;
}

export interface ZipFolderOptions {
  readonly signal?: AbortSignal;
  /** Bytes read so far, of all. */
  readonly progress?: (done: number, total: number) => void;
}

/**
 * Packs a folder into `outFile`; the same content gives the same bytes. Links and special files are left out.
 * @returns the paths that were left out, and the bytes that went in
 * @throws LanyardError INVALID for a name that the policy refuses, DISK_FULL; `outFile` is then gone
 */
export async function zipFolder(
  folder: string,
  outFile: string,
  options: ZipFolderOptions = {},
): Promise<{ readonly skipped: readonly string[]; readonly files: number; readonly bytes: number }> {
  const found: Found = { files: [], emptyFolders: [], skipped: [] };
  await walk(folder, '', found);
  const total = found.files.reduce((sum, file) => sum + file.bytes, 0);
  let done = 0;
  const packing = new Packing(LEVEL, (bytes) => {
    done += bytes;
    options.progress?.(done, total);
  });
  for (const name of found.emptyFolders) packing.addFolder(name);
  void packing.addAll(found.files);
  try {
    await pipeline(packing.output, createWriteStream(outFile), options.signal === undefined ? {} : { signal: options.signal });
  } catch (error) {
    await rm(outFile, { force: true });
    throw namedDiskError(error, 'writing a zip');
  }
  return { skipped: found.skipped, files: found.files.length, bytes: total };
}

interface Found {
  readonly files: ZipSource[];
  readonly emptyFolders: string[];
  readonly skipped: string[];
}

async function walk(root: string, folder: string, found: Found): Promise<void> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  if (entries.length === 0 && folder !== '') found.emptyFolders.push(folder);
  entries.sort((left, right) => (left.name < right.name ? -1 : 1));
  for (const entry of entries) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      await walk(root, name, found);
    } else if (entry.isFile()) {
      const path = join(root, name);
      const { size, mode } = await lstat(path);
      found.files.push({ name, bytes: size, executable: (mode & 0o100) !== 0, read: () => createReadStream(path) });
    } else {
      found.skipped.push(name);
    }
  }
}

/** A zip under way. Whatever fails, in a source or at the reader, ends the sources and the output together. */
class Packing {
  readonly #zip = new ZipFile();
  readonly #level: number;
  readonly #read: (bytes: number) => void;
  /** The library gives a PassThrough and declares less. */
  readonly output = this.#zip.outputStream as Readable;
  #source: Readable | undefined;

  constructor(level: number, read: (bytes: number) => void = () => undefined) {
    this.#level = level;
    this.#read = read;
    this.#zip.on('error', (error: Error) => this.output.destroy(error));
    // It may fail before its reader listens; the reader then finds it destroyed.
    this.output.on('error', () => undefined);
    this.output.on('close', () => this.#source?.destroy());
  }

  addFolder(name: string): void {
    this.#zip.addEmptyDirectory(name, { mtime: FIXED_TIME, mode: 0o40755, forceDosTimestamp: true });
  }

  /** Never rejects: what fails ends the output. */
  async addAll(sources: AsyncIterable<ZipSource> | Iterable<ZipSource>): Promise<void> {
    try {
      for await (const source of sources) {
        const fault = nameFault(source.name);
        if (fault !== undefined) {
          throw new LanyardError({ code: 'INVALID', message: `${shownName(source.name)} cannot go into a zip: ${fault}.` });
        }
        this.#add(source);
      }
      this.#zip.end();
    } catch (error) {
      this.output.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #add(source: ZipSource): void {
    const options: Partial<ReadStreamOptions> = {
      mtime: FIXED_TIME,
      forceDosTimestamp: true,
      mode: source.executable === true ? 0o100755 : 0o100644,
      compressionLevel: this.#level,
      size: source.bytes,
    };
    this.#zip.addReadStreamLazy(source.name, options, (give) => {
      if (this.output.destroyed) return;
      this.#source = source.read();
      this.#source.on('error', (error) => this.output.destroy(error));
      this.#source.on('data', (chunk: Uint8Array) => this.#read(chunk.byteLength));
      give(null, this.#source);
    });
  }
}
