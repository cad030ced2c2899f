import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Client } from '../../../electron/api/client.ts';
import { zipFolder } from '../../../electron/files/zip.ts';
import type { BlobId } from '../../../shared/ids.ts';

/** Zips these files (text by path) and brings them to the coordinator. */
export async function uploadInput(client: Client, files: Readonly<Record<string, string>>): Promise<BlobId> {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-input-'));
  try {
    await writeFiles(join(folder, 'tree'), files);
    const zip = join(folder, 'input.zip');
    await zipFolder(join(folder, 'tree'), zip);
    const { blob } = await client.uploadBlob(zip);
    return blob;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Writes files (text by path) under `folder`. */
export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

/** All outputs of a job by path. */
export async function downloadOutputs(client: Client, job: number): Promise<Map<string, Buffer>> {
  const { outputs } = await client.call('listOutputs', { params: { job } });
  const files = new Map<string, Buffer>();
  for (const output of outputs) {
    const parts: Buffer[] = [];
    for await (const part of await client.download(output)) parts.push(part as Buffer);
    files.set(output.path, Buffer.concat(parts));
  }
  return files;
}
