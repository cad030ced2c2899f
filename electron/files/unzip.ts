import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { LanyardError } from '../../shared/errors.ts';
import { JOB_FILE } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import { errorCode, namedDiskError, writeAll } from '../disk.ts';
import { unpackedBytes } from './zip-bytes.ts';
import { isOfContent, openZipDirectory, refuseEntry, type ZipDirectory, type ZipLimits, type ZipMember } from './zip-directory.ts';

/** Entries unpacked at a time: as many as Node's pool has threads. */
const PARALLEL = 4;
const JOB_FILE_BYTES = 1024 * 1024;

export interface ExtractOptions {
  /** Unpacked bytes so far, of all. */
  readonly progress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Reads a zip's directory and applies the policy (see `zip-directory.ts` and `names.ts`), unpacking nothing.
 * @returns the number of files and their declared bytes
 * @throws LanyardError INVALID that names the entry and the rule
 */
export async function checkZip(path: string, limits: ZipLimits = LIMITS): Promise<{ readonly files: number; readonly bytes: number }> {
  const directory = await openZipDirectory(path, limits);
  await directory.handle.close();
  return { files: directory.files.length, bytes: directory.bytes };
}

/**
 * Checks a zip and unpacks it into `folder`, which must not exist yet. Of the modes only "executable" is kept.
 * Whatever goes wrong, `folder` is then gone again.
 * @returns the bytes that were written
 * @throws LanyardError INVALID that names the entry and the rule, DISK_FULL; the reason of `signal`
 */
export async function extractZip(path: string, folder: string, options: ExtractOptions = {}): Promise<number> {
  const directory = await openZipDirectory(path);
  try {
    await mkdir(folder);
    try {
      for (const name of directory.folders) await mkdir(join(folder, name));
      return await extractFiles(directory, folder, options);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw namedDiskError(error, 'unpacking a zip');
    }
  } finally {
    await directory.handle.close();
  }
}

/**
 * Finds the job description of a zip: `lanyard.json` at its top, or in the one folder that holds all the rest.
 * @returns its text and the folder it lies in (`.` for the top), or undefined when there is none
 * @throws LanyardError INVALID when the zip breaks the policy, or the description is too long or no UTF-8
 */
export async function readJobFile(path: string): Promise<{ readonly text: string; readonly folder: string } | undefined> {
  const directory = await openZipDirectory(path);
  try {
    const found = findJobFile(directory);
    if (found === undefined) return undefined;
    if (found.member.bytes > JOB_FILE_BYTES) refuseEntry(found.member.name, `it is longer than ${JOB_FILE_BYTES} bytes`);
    const parts: Uint8Array[] = [];
    await readMember(directory, found.member, async (chunk) => void parts.push(chunk));
    return { text: decodeUtf8(Buffer.concat(parts), found.member.name), folder: found.folder };
  } finally {
    await directory.handle.close();
  }
}

function findJobFile({ files }: ZipDirectory): { readonly member: ZipMember; readonly folder: string } | undefined {
  const atTop = files.find(({ name }) => name === JOB_FILE);
  if (atTop !== undefined) return { member: atTop, folder: '.' };
  const tops = new Set(files.map(({ name }) => name.split('/', 1)[0] ?? ''));
  const [folder] = tops;
  if (tops.size !== 1 || folder === undefined) return undefined;
  const member = files.find(({ name }) => name === `${folder}/${JOB_FILE}`);
  return member === undefined ? undefined : { member, folder };
}

function decodeUtf8(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refuseEntry(name, 'it is no UTF-8 text');
  }
}

async function extractFiles(directory: ZipDirectory, folder: string, options: ExtractOptions): Promise<number> {
  // One failure stops the others, and nobody writes any more by the time the folder is removed.
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const members = directory.files.values();
  let done = 0;
  const written = (bytes: number): void => {
    done += bytes;
    options.progress?.(done, directory.bytes);
  };
  const worker = async (): Promise<void> => {
    for (const member of members) {
      signal.throwIfAborted();
      await extractFile(directory, member, folder, signal, written);
    }
  };
  const guarded = (): Promise<void> =>
    worker().catch((error: unknown) => {
      if (!stop.signal.aborted) stop.abort(error);
    });
  await Promise.all(Array.from({ length: PARALLEL }, guarded));
  if (stop.signal.aborted) throw stop.signal.reason;
  return done;
}

async function extractFile(
  directory: ZipDirectory,
  member: ZipMember,
  folder: string,
  signal: AbortSignal,
  written: (bytes: number) => void,
): Promise<void> {
  const handle = await open(join(folder, member.name), 'wx', member.executable ? 0o755 : 0o644);
  try {
    let position = 0;
    const write = async (chunk: Uint8Array): Promise<void> => {
      await writeAll(handle, chunk, position);
      position += chunk.byteLength;
      written(chunk.byteLength);
    };
    await readMember(directory, member, write, signal);
  } finally {
    await handle.close();
  }
}

/** Unpacks one file, counting what really comes: the sizes and the checksum of the directory may lie. */
async function readMember(
  { handle }: ZipDirectory,
  member: ZipMember,
  take: (chunk: Uint8Array) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const { name } = member;
  let bytes = 0;
  let checksum = 0;
  try {
    for await (const chunk of unpackedBytes(handle, member)) {
      signal?.throwIfAborted();
      bytes += chunk.byteLength;
      if (bytes > member.bytes) refuseLonger(member);
      checksum = crc32(chunk, checksum);
      await take(chunk);
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (errorCode(error) === 'ERR_BUFFER_TOO_LARGE') refuseLonger(member);
    if (error instanceof LanyardError || !isOfContent(error)) throw error;
    refuseEntry(name, `it cannot be unpacked (${error.message})`);
  }
  if (bytes < member.bytes) refuseEntry(name, `it unpacks to less than the ${member.bytes} bytes it declares`);
  if (checksum !== member.crc32) refuseEntry(name, 'its checksum is wrong');
}

function refuseLonger({ name, bytes }: ZipMember): never {
  refuseEntry(name, `it unpacks to more than the ${bytes} bytes it declares`);
}
