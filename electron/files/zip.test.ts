import { chmod, mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { checkZip, extractZip } from './unzip.ts';
import { type ZipSource, zipFolder, zipStream } from './zip.ts';

async function makeScene(): Promise<string> {
  const folder = join(await temporaryFolder(), 'scene');
  await mkdir(join(folder, 'textures', 'empty'), { recursive: true });
  await writeFile(join(folder, 'run.sh'), '#!/bin/sh\n');
  await chmod(join(folder, 'run.sh'), 0o755);
  await writeFile(join(folder, 'textures', 'wood.bin'), Buffer.alloc(200_000, 'wood'));
  return folder;
}

function source(name: string, content: string): ZipSource {
  return { name, bytes: Buffer.byteLength(content), read: () => Readable.from([Buffer.from(content)]) };
}

describe('packing a folder', () => {
  it('gives a zip that unpacks to the same', async () => {
    const scene = await makeScene();
    const out = join(scene, '..', 'scene.zip');
    const seen: number[] = [];
    const packed = await zipFolder(scene, out, { progress: (done, total) => seen.push(total - done) });
    expect(packed).toEqual({ skipped: [], files: 2, bytes: 200_010 });
    expect(seen.at(-1)).toBe(0);
    const tree = join(scene, '..', 'tree');
    await extractZip(out, tree);
    expect((await readdir(tree, { recursive: true })).sort()).toEqual(['run.sh', 'textures', 'textures/empty', 'textures/wood.bin']);
    expect((await stat(join(tree, 'run.sh'))).mode & 0o777).toBe(0o755);
    expect(await readFile(join(tree, 'textures/wood.bin'))).toEqual(await readFile(join(scene, 'textures/wood.bin')));
  });

  it('gives the same bytes for the same content, whatever the times', async () => {
    const scene = await makeScene();
    const [first, second] = [join(scene, '..', '1.zip'), join(scene, '..', '2.zip')];
    await zipFolder(scene, first);
    await utimes(join(scene, 'run.sh'), 1_000_000_000, 1_000_000_000);
    await zipFolder(scene, second);
    expect((await readFile(first)).equals(await readFile(second))).toBe(true);
  });

  it('leaves links out and names them', async () => {
    const scene = await makeScene();
    await symlink('/etc/passwd', join(scene, 'textures', 'passwd'));
    const out = join(scene, '..', 'scene.zip');
    expect((await zipFolder(scene, out)).skipped).toEqual(['textures/passwd']);
    expect(await checkZip(out)).toMatchObject({ files: 2 });
  });

  it('leaves no zip behind when it is stopped or refused', async () => {
    const scene = await makeScene();
    const out = join(scene, '..', 'scene.zip');
    await expect(zipFolder(scene, out, { signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow();
    await writeFile(join(scene, 'bad:name'), 'x');
    await expect(zipFolder(scene, out)).rejects.toMatchObject({ code: 'INVALID' });
    expect(await readdir(join(scene, '..'))).toEqual(['scene']);
  });
});

describe('packing a stream', () => {
  it('reads each source when its turn comes', async () => {
    async function* sources(): AsyncGenerator<ZipSource> {
      yield source('frames/0001.png', 'one');
      yield source('frames/0002.png', 'two');
    }
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'outputs.zip'), await buffer(zipStream(sources())));
    await extractZip(join(folder, 'outputs.zip'), join(folder, 'tree'));
    expect(await readFile(join(folder, 'tree', 'frames', '0002.png'), 'utf8')).toBe('two');
  });

  it('fails as a whole when a source fails, is shorter than promised, or has a bad name', async () => {
    const failing: ZipSource = {
      name: 'a',
      bytes: 3,
      read: () =>
        new Readable({
          read() {
            this.destroy(new Error('blob gone'));
          },
        }),
    };
    await expect(buffer(zipStream([source('good', 'x'), failing]))).rejects.toThrow('blob gone');
    await expect(buffer(zipStream([{ ...source('a', 'abc'), bytes: 5 }]))).rejects.toThrow(/unexpected number of bytes/);
    await expect(buffer(zipStream([source('../a', 'x')]))).rejects.toMatchObject({ code: 'INVALID' });
  });

  it('lets its source go when the reader leaves', async () => {
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(64 * 1024));
      },
    });
    const closed = new Promise((resolve) => endless.on('close', () => resolve('closed')));
    const packing = zipStream([{ name: 'endless', bytes: Number.MAX_SAFE_INTEGER, read: () => endless }]);
    for await (const _ of packing) break;
    expect(await closed).toBe('closed');
  });
});
