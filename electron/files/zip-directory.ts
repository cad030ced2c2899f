import { type FileHandle, open } from 'node:fs/promises';
import { type Entry, fromRandomAccessReaderPromise, getFileNameLowLevel, type ZipFile } from 'yauzl';
import { LanyardError } from '../../shared/errors.ts';
import { LIMITS } from '../../shared/limits.ts';
import { foldedName, nameFault, shownName } from './names.ts';
import { type PackedBytes, ZipHeaders } from './zip-bytes.ts';

export interface ZipLimits {
  readonly zipEntries: number;
  readonly zipBytes: number;
  readonly zipRatio: number;
  readonly zipRatioFromBytes: number;
}

/** A file of a zip that passed the policy. */
export interface ZipMember extends PackedBytes {
  /** Relative, `/`-separated. */
  readonly name: string;
  readonly crc32: number;
  readonly executable: boolean;
}

/** An open zip whose whole directory passed the policy. Whoever opened it closes `handle`. */
export interface ZipDirectory {
  readonly handle: FileHandle;
  readonly files: readonly ZipMember[];
  /** Every folder that is named or implied, parents first. */
  readonly folders: readonly string[];
  /** Declared unpacked bytes of all files. */
  readonly bytes: number;
}

const FILE_TYPE_MASK = 0o170000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;
const LINK = 0o120000;

/**
 * Reads the central directory and applies the policy to all of it before a byte is unpacked. Every symbolic link is
 * refused: a link that stays inside by its text can still lead out through another link, and not every system has them.
 * @throws LanyardError INVALID that names the entry and the rule
 */
export async function openZipDirectory(path: string, limits: ZipLimits = LIMITS): Promise<ZipDirectory> {
  const handle = await open(path, 'r');
  try {
    return await readDirectory(handle, limits);
  } catch (error) {
    await handle.close();
    if (error instanceof LanyardError || !isOfContent(error)) throw error;
    throw new LanyardError({ code: 'INVALID', message: `The zip cannot be read: ${error.message}.` }, { cause: error });
  }
}

/** @returns whether an error is about the zip's bytes, and not one of the operating system */
export function isOfContent(error: unknown): error is Error {
  return error instanceof Error && !('syscall' in error);
}

/** @throws LanyardError INVALID about one entry */
export function refuseEntry(name: string, fault: string): never {
  throw new LanyardError({ code: 'INVALID', message: `The zip is refused because of its entry ${shownName(name)}: ${fault}.` });
}

async function readDirectory(handle: FileHandle, limits: ZipLimits): Promise<ZipDirectory> {
  const { size } = await handle.stat();
  const zip = await fromRandomAccessReaderPromise(new ZipHeaders(handle), size, {
    autoClose: false,
    decodeStrings: false,
    validateEntrySizes: false,
  });
  // The type declaration calls the offset of the directory a boolean.
  const directoryStart = Number(zip.readEntryCursor);
  if (zip.entryCount > limits.zipEntries) refuseZip(`it has ${zip.entryCount} entries; ${limits.zipEntries} are allowed`);
  const tree = new NameTree(limits.zipEntries);
  const entries: NamedEntry[] = [];
  let bytes = 0;
  for await (const entry of zip.eachEntry()) {
    const name = entryName(entry);
    const kind = entryKind(entry, name);
    bytes += entry.uncompressedSize;
    checkSizes(entry, name, bytes, limits);
    entries.push({ name, entry, wanted: addName(tree, name, kind) && kind === 'file' });
  }
  if (isBomb(bytes, size, limits)) refuseZip(`its ${size} bytes unpack to ${bytes}, which is what a bomb does`);
  return { handle, files: await locate(zip, entries, directoryStart), folders: tree.folders(), bytes };
}

interface NamedEntry {
  readonly name: string;
  readonly entry: Entry;
  /** False for folders and for what is left out. */
  readonly wanted: boolean;
}

/** @returns false for what is left out */
function addName(tree: NameTree, name: string, kind: 'file' | 'folder'): boolean {
  if (isJunk(name)) return false;
  const clean = name.endsWith('/') ? name.slice(0, -1) : name;
  if (kind === 'folder' && clean === '') return false;
  const fault = nameFault(clean);
  if (fault !== undefined) refuseEntry(name, fault);
  tree.add(clean, kind);
  return true;
}

/** Finds where entries lie. Entries that share bytes unpack to far more than the zip holds, and are refused. */
async function locate(zip: ZipFile, entries: NamedEntry[], directoryStart: number): Promise<ZipMember[]> {
  const files: ZipMember[] = [];
  let previousEnd = 0;
  entries.sort((left, right) => left.entry.relativeOffsetOfLocalHeader - right.entry.relativeOffsetOfLocalHeader);
  for (const { name, entry, wanted } of entries) {
    const start = await dataStart(zip, entry, name);
    const end = start + entry.compressedSize;
    if (entry.relativeOffsetOfLocalHeader < previousEnd) refuseEntry(name, 'its bytes overlap with those of another entry');
    if (end > directoryStart) refuseEntry(name, 'its bytes reach into the directory of the zip');
    previousEnd = end;
    if (wanted) files.push(member(name, entry, start));
  }
  return files;
}

async function dataStart(zip: ZipFile, entry: Entry, name: string): Promise<number> {
  try {
    return (await zip.readLocalFileHeaderPromise(entry, { minimal: true })).fileDataStart;
  } catch (error) {
    if (isOfContent(error)) refuseEntry(name, `its header cannot be read (${error.message})`);
    throw error;
  }
}

function member(name: string, entry: Entry, start: number): ZipMember {
  return {
    name,
    start,
    packedBytes: entry.compressedSize,
    bytes: entry.uncompressedSize,
    deflated: entry.compressionMethod !== 0,
    crc32: entry.crc32,
    executable: ((entry.externalFileAttributes >>> 16) & 0o111) !== 0,
  };
}

function entryName(entry: Entry): string {
  const name = getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
  // Some programs write every name of the current folder as ./name.
  return name.replace(/^(?:\.\/)+/, '');
}

function entryKind(entry: Entry, name: string): 'file' | 'folder' {
  const type = (entry.externalFileAttributes >>> 16) & FILE_TYPE_MASK;
  if (type === LINK) refuseEntry(name, 'it is a symbolic link, which no input may hold');
  if (type !== 0 && type !== REGULAR && type !== FOLDER) refuseEntry(name, 'it is neither a file nor a folder');
  const folder = type === FOLDER || name.endsWith('/') || name === '';
  if (folder && entry.uncompressedSize > 0) refuseEntry(name, 'it is a folder with bytes of its own');
  return folder ? 'folder' : 'file';
}

function checkSizes(entry: Entry, name: string, bytesSoFar: number, limits: ZipLimits): void {
  if (entry.isEncrypted()) refuseEntry(name, 'it is encrypted');
  if (!entry.canDecodeFileData()) refuseEntry(name, `it is compressed by a method that is not known here (${entry.compressionMethod})`);
  const stored = entry.compressionMethod === 0;
  if (stored && entry.compressedSize !== entry.uncompressedSize) refuseEntry(name, 'its sizes contradict each other');
  if (bytesSoFar > limits.zipBytes) refuseEntry(name, `with it the zip unpacks to more than ${limits.zipBytes} bytes`);
  if (isBomb(entry.uncompressedSize, entry.compressedSize, limits)) {
    refuseEntry(name, `its ${entry.compressedSize} bytes unpack to ${entry.uncompressedSize}, which is what a bomb does`);
  }
}

function isBomb(unpackedBytes: number, packedBytes: number, limits: ZipLimits): boolean {
  return unpackedBytes >= limits.zipRatioFromBytes && unpackedBytes > packedBytes * limits.zipRatio;
}

/** What macOS adds to a zip or a folder for itself. */
function isJunk(name: string): boolean {
  const last = name.slice(name.lastIndexOf('/') + 1);
  return name.startsWith('__MACOSX/') || last === '.DS_Store' || last === 'Icon\r';
}

function refuseZip(fault: string): never {
  throw new LanyardError({ code: 'INVALID', message: `The zip is refused: ${fault}.` });
}

/** All names of a zip with their folders; finds those that some file system takes for one. */
class NameTree {
  readonly #limit: number;
  readonly #names = new Map<string, { readonly name: string; readonly kind: 'file' | 'folder' }>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(path: string, kind: 'file' | 'folder'): void {
    const isNew = this.#claim(path, path, kind);
    if (!isNew) return;
    // Parents of a folder that is known are known too: each folder is looked at once.
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (!this.#claim(path.slice(0, end), path, 'folder')) return;
    }
  }

  folders(): string[] {
    const folders = [...this.#names.values()].filter(({ kind }) => kind === 'folder').map(({ name }) => name);
    return folders.sort((left, right) => left.length - right.length);
  }

  /** @returns whether the name is new */
  #claim(name: string, entry: string, kind: 'file' | 'folder'): boolean {
    const folded = foldedName(name);
    const other = this.#names.get(folded);
    if (other === undefined) {
      if (this.#names.size >= this.#limit) refuseEntry(entry, `with its folders the zip holds more than ${this.#limit} names`);
      this.#names.set(folded, { name, kind });
      return true;
    }
    if (other.name !== name)
      refuseEntry(entry, `${shownName(name)} and ${shownName(other.name)} are one and the same name on some systems`);
    if (other.kind !== kind) refuseEntry(entry, `${shownName(name)} is both a file and a folder`);
    if (kind === 'file') refuseEntry(entry, 'the name is there twice');
    return false;
  }
}
