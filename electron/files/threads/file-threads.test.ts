import { createHash, Hash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startBlobServer } from '../../../tests/fakes/blob-server.ts';
import { createBlobTransfer } from '../../link/transfer.ts';
import { openBlobs } from '../blobs.ts';
import { temporaryFolder } from '../testing/temporary-folder.ts';
import { fileThreads } from './file-threads.ts';

const CONTENT = Buffer.alloc(3 * 1024 * 1024, 'some bytes of a picture ');
const BLOB = createHash('sha256').update(CONTENT).digest('hex');

const threads: Worker[] = [];
process.on('worker', (worker) => threads.push(worker));

afterEach(() => vi.restoreAllMocks());

async function contentFile(): Promise<string> {
  const path = join(await temporaryFolder(), 'content');
  await writeFile(path, CONTENT);
  return path;
}

/** @returns a zip of two folders with a file each, and the folder that it lies in */
async function sceneZip(): Promise<{ readonly zip: string; readonly folder: string }> {
  const folder = await temporaryFolder();
  for (const name of ['a', 'b']) {
    await mkdir(join(folder, 'scene', name), { recursive: true });
    await writeFile(join(folder, 'scene', name, 'content'), CONTENT);
  }
  const zip = join(folder, 'scene.zip');
  await fileThreads.zipFolder(join(folder, 'scene'), zip);
  return { zip, folder };
}

describe('work on files', () => {
  it('is done beside the main thread: there, no byte of a blob is hashed', async () => {
    const folder = await temporaryFolder();
    const [path, remote, local] = [await contentFile(), await openBlobs(join(folder, 'remote')), await openBlobs(join(folder, 'local'))];
    const server = await startBlobServer(remote);
    const hashed = vi.spyOn(Hash.prototype, 'update');
    const transfer = createBlobTransfer({
      endpoint: () => ({ url: `http://127.0.0.1:${server.port}`, token: 'worker-token' }),
      hash: fileThreads.hash,
    });
    const never = new AbortController().signal;
    const { blob, bytes } = await transfer.upload(path, () => undefined, never);
    await transfer.fetch(blob, bytes, local, () => undefined, never);
    await local.remove(blob);
    expect(await local.write(Readable.from([CONTENT]))).toEqual({ blob: BLOB, bytes: CONTENT.length });
    await server.close();
    const bytesHere = () => hashed.mock.calls.reduce((sum, [data]) => sum + data.length, 0);
    expect(bytesHere()).toBeLessThan(10_000);
    createHash('sha256').update(CONTENT);
    expect(bytesHere()).toBeGreaterThanOrEqual(CONTENT.length);
  });

  it('unpacks what was packed, and tells how far it is', async () => {
    const { zip, folder } = await sceneZip();
    expect(await fileThreads.checkZip(zip)).toEqual({ files: 2, bytes: 2 * CONTENT.length });
    const seen: number[] = [];
    const tree = join(folder, 'tree');
    expect(await fileThreads.extractZip(zip, tree, { progress: (done, total) => seen.push(total - done) })).toBe(2 * CONTENT.length);
    expect(seen.at(-1)).toBe(0);
    expect(await readFile(join(tree, 'b', 'content'))).toEqual(CONTENT);
  });

  it('packs a folder, and tells how far it is', async () => {
    const { folder } = await sceneZip();
    const [out, seen]: [string, number[]] = [join(folder, 'again.zip'), []];
    const packed = await fileThreads.zipFolder(join(folder, 'scene'), out, { progress: (done, total) => seen.push(total - done) });
    expect(packed).toEqual({ skipped: [], files: 2, bytes: 2 * CONTENT.length });
    expect(seen.at(-1)).toBe(0);
    expect(await readFile(out)).toEqual(await readFile(join(folder, 'scene.zip')));
    const stop = new AbortController();
    const progress = () => stop.abort(new Error('not wanted any more'));
    await expect(fileThreads.zipFolder(join(folder, 'scene'), out, { signal: stop.signal, progress })).rejects.toThrow(
      'not wanted any more',
    );
    expect((await readdir(folder)).sort()).toEqual(['scene', 'scene.zip']);
  });

  it('streams a zip of files', async () => {
    const path = await contentFile();
    const folder = await temporaryFolder();
    const entries = ['one', 'two'].map((name) => ({ name, path, bytes: CONTENT.length }));
    await writeFile(join(folder, 'all.zip'), await buffer(await fileThreads.zip(entries)));
    await fileThreads.extractZip(join(folder, 'all.zip'), join(folder, 'tree'));
    expect(await readFile(join(folder, 'tree', 'two'))).toEqual(CONTENT);
    await expect(buffer(await fileThreads.zip([{ name: 'gone', path: join(folder, 'gone'), bytes: 3 }]))).rejects.toThrow('ENOENT');
    await expect(buffer(await fileThreads.zip([{ name: '../one', path, bytes: 3 }]))).rejects.toThrow('cannot go into a zip');
  });

  it('fails as it would here', async () => {
    const path = await contentFile();
    await expect(fileThreads.checkZip(path)).rejects.toMatchObject({ name: 'LanyardError', code: 'INVALID' });
    await expect(fileThreads.hash(`${path}-not-there`)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('leaves nothing behind when it is stopped', async () => {
    const { zip, folder } = await sceneZip();
    const stop = new AbortController();
    const progress = () => stop.abort(new Error('not wanted any more'));
    const extracting = fileThreads.extractZip(zip, join(folder, 'tree'), { signal: stop.signal, progress });
    await expect(extracting).rejects.toThrow('not wanted any more');
    expect((await readdir(folder)).sort()).toEqual(['scene', 'scene.zip']);
    await expect(fileThreads.hash(zip, stop.signal)).rejects.toThrow('not wanted any more');
  });

  it('fails when its thread dies, and goes on in another', async () => {
    const path = await contentFile();
    const endless = fileThreads.hash('/dev/zero');
    const failed = expect(endless).rejects.toThrow('thread');
    for (const thread of threads) await thread.terminate();
    await failed;
    expect(await fileThreads.hash(path)).toEqual({ blob: BLOB, bytes: CONTENT.length });
  });
});
