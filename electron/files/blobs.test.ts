import { createHash } from 'node:crypto';
import { readdir, readFile, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { BlobId } from '../../shared/ids.ts';
import { openBlobs } from './blobs.ts';
import { canMakeSmallDisk, smallDisk } from './testing/full-disk.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

const HOUR_MS = 3_600_000;

function idOf(bytes: string | Buffer): BlobId {
  return createHash('sha256').update(bytes).digest('hex') as BlobId;
}

async function files(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => entry.name);
}

async function age(path: string): Promise<void> {
  const then = (Date.now() - 2 * HOUR_MS) / 1000;
  await utimes(path, then, then);
}

describe('blobs: whole streams', () => {
  it('stores a stream under its SHA-256 and reads it back', async () => {
    const folder = await temporaryFolder();
    const blobs = await openBlobs(folder);
    const stored = await blobs.write(Readable.from([Buffer.from('hello '), Buffer.from('world')]));
    expect(stored).toEqual({ blob: idOf('hello world'), bytes: 11 });
    expect(await readFile(blobs.path(stored.blob), 'utf8')).toBe('hello world');
    expect(dirname(blobs.path(stored.blob))).toBe(join(folder, 'blobs', stored.blob.slice(0, 2)));
    expect(await blobs.size(stored.blob)).toBe(11);
    expect((await buffer(blobs.read(stored.blob))).toString()).toBe('hello world');
    expect((await buffer(blobs.read(stored.blob, { start: 6, end: 9 }))).toString()).toBe('wor');
    expect(await buffer(blobs.read(stored.blob, { start: 3, end: 3 }))).toHaveLength(0);
  });

  it('stores the same bytes twice as one blob, also at the same time', async () => {
    const folder = await temporaryFolder();
    const blobs = await openBlobs(folder);
    const stored = await Promise.all([1, 2, 3].map(() => blobs.write(Readable.from([Buffer.from('same')]))));
    expect(new Set(stored.map(({ blob }) => blob)).size).toBe(1);
    expect(await files(folder)).toHaveLength(1);
  });

  it('refuses other bytes than were expected, and more than are allowed, leaving nothing', async () => {
    const folder = await temporaryFolder();
    const blobs = await openBlobs(folder);
    const bytes = (): Readable => Readable.from([Buffer.from('12345')]);
    await expect(blobs.write(bytes(), { blob: idOf('other') })).rejects.toMatchObject({ code: 'INVALID' });
    await expect(blobs.write(bytes(), { maxBytes: 4 })).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(await blobs.write(bytes(), { maxBytes: 5, blob: idOf('12345') })).toMatchObject({ bytes: 5 });
    expect(await files(folder)).toHaveLength(1);
  });

  it('leaves nothing of a stream that breaks off', async () => {
    const folder = await temporaryFolder();
    const blobs = await openBlobs(folder);
    const source = new PassThrough();
    source.write('half');
    const writing = blobs.write(source);
    source.destroy(new Error('cable pulled'));
    await expect(writing).rejects.toThrow('cable pulled');
    expect(await files(folder)).toEqual([]);
  });

  it.each(['', 'abc', '../../../../etc/passwd', 'A'.repeat(64), `${'a'.repeat(63)}/`])(
    'refuses the name %j before it makes a path',
    async (name) => {
      const blobs = await openBlobs(await temporaryFolder());
      const bad = name as BlobId;
      expect(() => blobs.path(bad)).toThrow(/64 lower-case/);
      expect(() => blobs.read(bad)).toThrow(/64 lower-case/);
      await expect(blobs.received(bad)).rejects.toMatchObject({ code: 'INVALID' });
      await expect(blobs.append(bad, 0, 1, Readable.from([]))).rejects.toMatchObject({ code: 'INVALID' });
      await expect(blobs.remove(bad)).rejects.toMatchObject({ code: 'INVALID' });
    },
  );

  it('says that a blob is not there', async () => {
    const blobs = await openBlobs(await temporaryFolder());
    expect(await blobs.size(idOf('x'))).toBeUndefined();
    expect(() => blobs.read(idOf('x'))).toThrow(/There is no blob/);
  });

  it.skipIf(!canMakeSmallDisk)('leaves nothing on a full disk (needs the right to mount)', async () => {
    const folder = await smallDisk(512 * 1024);
    const blobs = await openBlobs(folder);
    const large = Buffer.alloc(1024 * 1024, 1);
    await expect(blobs.write(Readable.from([large]))).rejects.toMatchObject({ code: 'DISK_FULL' });
    await expect(blobs.append(idOf(large), 0, large.length, Readable.from([large]))).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(await files(folder)).toEqual([]);
    expect(await blobs.write(Readable.from([Buffer.from('fits')]))).toMatchObject({ bytes: 4 });
  });
});

describe('blobs: resumed uploads', () => {
  const bytes = Buffer.from('0123456789');
  const upload = idOf(bytes);
  const part = (start: number, end: number): Readable => Readable.from([bytes.subarray(start, end)]);

  it('goes on where it was interrupted, also after a restart', async () => {
    const folder = await temporaryFolder();
    const first = await openBlobs(folder);
    expect(await first.append(upload, 0, 10, part(0, 4))).toEqual({ received: 4, complete: false });
    const blobs = await openBlobs(folder);
    expect(await blobs.received(upload)).toBe(4);
    expect(await blobs.size(upload)).toBeUndefined();
    await expect(blobs.append(upload, 0, 10, part(0, 10))).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await blobs.append(upload, 4, 10, part(4, 10))).toEqual({ received: 10, complete: true });
    expect(await readFile(blobs.path(upload))).toEqual(bytes);
    expect(await blobs.received(upload)).toBe(10);
    expect(await blobs.append(upload, 10, 10, part(0, 0))).toEqual({ received: 10, complete: true });
    expect(await files(folder)).toHaveLength(1);
  });

  it('keeps what came before the source broke off', async () => {
    const blobs = await openBlobs(await temporaryFolder());
    async function* broken(): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, 6);
      throw new Error('cable pulled');
    }
    await expect(blobs.append(upload, 0, 10, Readable.from(broken()))).rejects.toThrow('cable pulled');
    expect(await blobs.received(upload)).toBe(6);
    expect(await blobs.append(upload, 6, 10, part(6, 10))).toMatchObject({ complete: true });
  });

  it('refuses a second append while one is under way', async () => {
    const blobs = await openBlobs(await temporaryFolder());
    const source = new PassThrough();
    const first = blobs.append(upload, 0, 10, source);
    await expect(blobs.append(upload, 0, 10, part(0, 10))).rejects.toMatchObject({ code: 'CONFLICT' });
    source.end(bytes);
    expect(await first).toMatchObject({ complete: true });
  });

  it.each([
    ['other bytes', Buffer.from('9876543210')],
    ['more bytes than announced', Buffer.from('0123456789A')],
  ])('begins anew after %s', async (_, sent) => {
    const folder = await temporaryFolder();
    const blobs = await openBlobs(folder);
    await expect(blobs.append(upload, 0, 10, Readable.from([sent]))).rejects.toMatchObject({ code: 'INVALID' });
    expect(await files(folder)).toEqual([]);
    expect(await blobs.received(upload)).toBe(0);
    expect(await blobs.append(upload, 0, 10, part(0, 10))).toMatchObject({ complete: true });
  });

  it('takes the empty blob', async () => {
    const blobs = await openBlobs(await temporaryFolder());
    expect(await blobs.append(idOf(''), 0, 0, Readable.from([]))).toEqual({ received: 0, complete: true });
    expect(await blobs.size(idOf(''))).toBe(0);
  });
});

describe('blobs: the sweep', () => {
  it('removes what nobody names and what is old, and only that', async () => {
    const folder = await temporaryFolder();
    const blobs = await openBlobs(folder);
    const store = async (content: string): Promise<BlobId> => (await blobs.write(Readable.from([Buffer.from(content)]))).blob;
    const [named, old, young] = [await store('named'), await store('old'), await store('young')];
    const half = idOf('half');
    await blobs.append(half, 0, 100, Readable.from([Buffer.from('1234')]));
    await age(blobs.path(named));
    await age(blobs.path(old));
    await age(join(folder, 'incoming', `${half}.part`));
    expect(await blobs.sweep(new Set([named]), HOUR_MS)).toBe(3 + 4);
    expect(await blobs.size(named)).toBe(5);
    expect(await blobs.size(old)).toBeUndefined();
    expect(await blobs.size(young)).toBe(5);
    expect(await blobs.received(half)).toBe(0);
  });

  it('spares a blob that somebody has just stored again or asked for', async () => {
    const blobs = await openBlobs(await temporaryFolder());
    const again = await blobs.write(Readable.from([Buffer.from('again')]));
    const asked = await blobs.write(Readable.from([Buffer.from('asked')]));
    await age(blobs.path(again.blob));
    await age(blobs.path(asked.blob));
    await blobs.write(Readable.from([Buffer.from('again')]));
    await blobs.size(asked.blob);
    expect(await blobs.sweep(new Set(), HOUR_MS)).toBe(0);
  });
});
