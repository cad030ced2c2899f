import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import Vips from 'wasm-vips';
import { silentLogger } from '../../../tests/fakes/silent-logger.ts';
import type { Blobs, Thumbnails } from '../../ports/files.ts';
import { openBlobs } from '../blobs.ts';
import { exrFile } from '../testing/exr-file.ts';
import { openThumbnails } from './thumbnails.ts';

const HALF_ONE = 0x3c00;
const never = new AbortController().signal;
let vips: typeof Vips;
let folder: string;
let blobs: Blobs;
let thumbnails: Thumbnails;

beforeAll(async () => {
  vips = await Vips({ dynamicLibraries: [] });
  folder = await mkdtemp(join(tmpdir(), 'lanyard-thumbnails-'));
  blobs = await openBlobs(join(folder, 'blobs'));
  thumbnails = await open('thumbnails');
});
afterAll(async () => {
  await thumbnails.close();
  await rm(folder, { recursive: true });
  vips.shutdown();
});

const open = (name: string, more: { capBytes?: number; timeoutMs?: number } = {}) =>
  openThumbnails({ folder: join(folder, name), blobs, logger: silentLogger, ...more });

async function store(bytes: Uint8Array) {
  return (await blobs.write(Readable.from([Buffer.from(bytes)]))).blob;
}

/** Red above, black below. */
function picture(width: number, height: number) {
  const pixels = new Uint8Array(width * height * 3);
  for (let at = 0; at < (width * height) / 2; at += 1) pixels[at * 3] = 255;
  return vips.Image.newFromMemory(pixels, width, height, 3, vips.BandFormat.uchar).copy({ interpretation: 'srgb' });
}

function look(webp: Uint8Array) {
  const image = vips.Image.webploadBuffer(webp);
  const { width, height } = image;
  return { width, height, above: image.getpoint(1, 1)[0] as number, below: image.getpoint(1, height - 2)[0] as number };
}

describe('a thumbnail', () => {
  it.each(['.png', '.jpg', '.webp', '.gif', '.tif'])('is made of %s', async (ending) => {
    const blob = await store(picture(800, 400).writeToBuffer(ending));
    const small = look(await thumbnails.of(blob, 'small', never));
    expect(small).toMatchObject({ width: 320, height: 160 });
    expect(small.above).toBeGreaterThan(230);
    expect(small.below).toBeLessThan(25);
    expect(look(await thumbnails.of(blob, 'large', never))).toMatchObject({ width: 800, height: 400 });
  });

  it('is made of EXR, whose linear light gets the curve of a screen', async () => {
    const quarter = 0x3400;
    const blob = await store(exrFile(640, 480, (_, y) => (y < 240 ? HALF_ONE : quarter)));
    const small = look(await thumbnails.of(blob, 'small', never));
    expect(small).toMatchObject({ width: 320, height: 240 });
    expect(small.above).toBeGreaterThan(250);
    // sRGB of 0.25 is 137 of 255.
    expect(small.below).toBeGreaterThan(130);
    expect(small.below).toBeLessThan(144);
  });

  it('is refused for what is no picture, and the next is made all the same', async () => {
    const png = picture(64, 64).writeToBuffer('.png');
    const hostile = {
      text: Buffer.from('no picture'),
      svg: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'),
      noise: Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), randomBytes(400)]),
      half: png.subarray(0, 40),
      huge: exrFile(4, 4, () => 0),
    };
    // An EXR header that names two thousand million pixels.
    const at = hostile.huge.indexOf('dataWindow') + 'dataWindow\0box2i\0'.length + 4;
    hostile.huge.writeInt32LE(99_999, at + 8);
    hostile.huge.writeInt32LE(19_999, at + 12);
    for (const [name, bytes] of Object.entries(hostile))
      await expect(thumbnails.of(await store(bytes), 'small', never), name).rejects.toMatchObject({ code: 'INVALID' });
    expect(look(await thumbnails.of(await store(png), 'small', never))).toMatchObject({ width: 64 });
  });

  it('of a small file with very many pixels is refused before they are decoded', async () => {
    const blob = await store(vips.Image.black(20_000, 20_000).writeToBuffer('.png'));
    await expect(thumbnails.of(blob, 'small', never)).rejects.toThrow(/pixels/);
  });

  it('that takes too long ends its thread; the next has another', async () => {
    const impatient = await open('impatient', { timeoutMs: 1 });
    await expect(impatient.of(await store(picture(90, 90).writeToBuffer('.png')), 'small', never)).rejects.toThrow(/within 1 ms/);
    await impatient.close();
  });

  it('is kept, and what was not used for longest goes when the cap is reached', async () => {
    const kept = await open('kept', { capBytes: 1 });
    const blob = await store(picture(70, 70).writeToBuffer('.png'));
    const [first, same] = await Promise.all([kept.of(blob, 'small', never), kept.of(blob, 'small', never)]);
    expect(same).toBe(first);
    await kept.close();
    expect(await readdir(join(folder, 'kept'))).toEqual([]);
    await thumbnails.of(blob, 'small', never);
    expect(await readdir(join(folder, 'thumbnails'))).toContain(`${blob}-small.webp`);
    await blobs.remove(blob);
    expect(look(await thumbnails.of(blob, 'small', never))).toMatchObject({ width: 70 });
  });

  it('is not made for who has gone away, and is for who asked for the same', async () => {
    const gone = new AbortController();
    const blob = await store(picture(50, 60).writeToBuffer('.png'));
    const first = thumbnails.of(blob, 'small', gone.signal);
    const second = thumbnails.of(blob, 'small', never);
    gone.abort(new Error('went away'));
    await expect(first).rejects.toThrow('went away');
    expect(look(await second)).toMatchObject({ height: 60 });
  });
});
