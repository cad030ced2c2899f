import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobId } from '../../shared/ids.ts';
import type { Client } from '../api/client.ts';
import type { Context } from './context.ts';
import { plain } from './text.ts';
import { formatBytes } from './units.ts';

/** Uploads a file, saying how far it is; nothing is sent that the coordinator has. */
export async function uploadFile(context: Context, client: Client, path: string): Promise<BlobId> {
  const { blob } = await client.uploadBlob(
    path,
    (done, total) => context.terminal.progress(`uploading ${formatBytes(done)} of ${formatBytes(total)}`),
    context.signal,
  );
  context.terminal.progress(undefined);
  return blob;
}

/** Packs a folder into a zip, which is removed again, and uploads it. */
export async function uploadFolder(context: Context, client: Client, path: string): Promise<BlobId> {
  const { fileThreads } = await import('../files/threads/file-threads.ts');
  const temporary = await mkdtemp(join(tmpdir(), 'lanyard-'));
  try {
    const zip = join(temporary, 'input.zip');
    const { skipped } = await fileThreads.zipFolder(path, zip, {
      signal: context.signal,
      progress: (done, total) => context.terminal.progress(`packing ${formatBytes(done)} of ${formatBytes(total)}`),
    });
    if (skipped.length > 0)
      context.terminal.note(
        `left out, because they are no plain files: ${skipped.slice(0, 5).map(plain).join(', ')}${skipped.length > 5 ? ' …' : ''}`,
      );
    return await uploadFile(context, client, zip);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
