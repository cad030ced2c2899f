import { BlobReader, BlobWriter, configure, Reader, TextWriter, ZipReader, ZipWriter } from '@zip.js/zip.js';
import { LanyardError } from '../../../shared/errors.ts';
import { JOB_FILE } from '../../../shared/job.ts';
import type { UploadSource } from '../../../shared/lanyard-client.ts';
import type { FolderFile, InputFiles } from './input-files.ts';

// Its workers are made of blob: addresses, which the page's content security policy forbids; the browser's own streams do the work.
configure({ useWebWorkers: false });

/** A larger description of a job is not one (bytes). */
const JOB_FILE_BYTES = 1024 * 1024;
/** Packed already: packing them again costs time and gains nothing. */
const PACKED = /\.(png|jpe?g|gif|webp|exr|mp4|webm|mov|mp3|zip|gz|xz|zst|7z|bz2)$/i;

/** @returns the text of the job's description at the root of the input; null when there is none */
export async function readJobText(input: InputFiles): Promise<string | null> {
  if (input.kind === 'folder') {
    const found = input.files.find((file) => file.path === JOB_FILE);
    if (found === undefined) return null;
    if (found.file.size > JOB_FILE_BYTES) throw tooLarge();
    return await found.file.text();
  }
  const reader = new ZipReader(new SourceReader(input.source));
  try {
    for await (const entry of reader.getEntriesGenerator()) {
      if (entry.filename !== JOB_FILE || entry.directory) continue;
      if (entry.uncompressedSize > JOB_FILE_BYTES) throw tooLarge();
      return await entry.getData(new TextWriter());
    }
    return null;
  } catch (cause) {
    if (cause instanceof LanyardError) throw cause;
    throw new LanyardError({ code: 'INVALID', message: `${input.name} cannot be read as a zip.` }, { cause });
  } finally {
    await reader.close();
  }
}

class SourceReader extends Reader<UploadSource> {
  private readonly source: UploadSource;

  constructor(source: UploadSource) {
    super(source);
    this.source = source;
    this.size = source.bytes;
  }

  override async readUint8Array(index: number, length: number): Promise<Uint8Array> {
    return await this.source.read(index, Math.min(index + length, this.source.bytes));
  }
}

function tooLarge(): LanyardError {
  return new LanyardError({ code: 'TOO_LARGE', message: `${JOB_FILE} is larger than ${JOB_FILE_BYTES} bytes.` });
}

/** Packs a folder. @param progress files packed so far */
export async function packFolder(files: readonly FolderFile[], progress: (packed: number) => void, signal: AbortSignal): Promise<Blob> {
  const writer = new ZipWriter(new BlobWriter('application/zip'), { zip64: files.length > 60_000 });
  let packed = 0;
  for (const { path, file } of files) {
    signal.throwIfAborted();
    // The same folder must make the same zip, so that it is known by its hash and not sent twice.
    await writer.add(path, new BlobReader(file), { level: PACKED.test(path) ? 0 : 6, lastModDate: new Date(file.lastModified), signal });
    packed += 1;
    progress(packed);
  }
  return await writer.close();
}
