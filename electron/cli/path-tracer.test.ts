import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contactSheet, decodePng, encodePng } from '../../resources/examples/path-tracer/png.mjs';
import { jobSpecSchema } from '../../shared/job.ts';
import { fillCommand, splitTasks } from '../../shared/tasks.ts';

const EXAMPLE = join(import.meta.dirname, '../../resources/examples/path-tracer');
const IMAGE = { width: 3, height: 2, pixels: Uint8Array.from({ length: 18 }, (_, at) => (at * 37) % 256) };

describe('the path tracer', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanyard-tracer-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function render(...flags: string[]): Promise<Buffer> {
    const out = join(folder, 'sub', `${flags.join('')}.png`);
    const result = spawnSync(process.execPath, [join(EXAMPLE, 'trace.mjs'), '--size', '24x16', '--samples', '4', '--out', out, ...flags], {
      encoding: 'utf8',
    });
    expect([result.status, result.stderr]).toEqual([0, '']);
    expect(result.stdout).toMatch(/100 %/);
    return readFile(out);
  }

  test('gives the same picture for the same frame, and another for another', async () => {
    const [first, again, other] = [
      await render('--frame', '3'),
      await render('--frame', '3', '--frames', '24'),
      await render('--frame', '4'),
    ];
    expect(again.equals(first)).toBe(true);
    expect(other.equals(first)).toBe(false);
    const image = decodePng(first);
    expect([image.width, image.height]).toEqual([24, 16]);
    // A picture, and not one colour.
    expect(new Set(image.pixels).size).toBeGreaterThan(60);
  });

  test.each([
    ['--size', 'large'],
    ['--frame', '0'],
    ['--samples', '1.5'],
  ])('refuses %s %s', (flag, value) => {
    const result = spawnSync(process.execPath, [join(EXAMPLE, 'trace.mjs'), flag, value], { encoding: 'utf8' });
    expect(result.status).toBe(2);
    expect(result.stderr).toContain(`${flag} ${value}: expected`);
  });

  test('its lanyard.json is a valid job of 24 frames', async () => {
    const spec = jobSpecSchema.parse(JSON.parse(await readFile(join(EXAMPLE, 'lanyard.json'), 'utf8')));
    const split = splitTasks(spec.tasks);
    if (typeof split === 'string') throw new Error(split);
    expect(split.count).toBe(24);
    expect(fillCommand(spec.command, split.parameters(6))).toEqual(expect.arrayContaining(['7', 'frames/frame-0007.png']));
  });
});

describe('PNG', () => {
  test('chunks have the right lengths and checksums', () => {
    const bytes = encodePng(IMAGE);
    expect(bytes.subarray(0, 8)).toEqual(Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]));
    const types: string[] = [];
    for (let at = 8; at < bytes.length; ) {
      const end = at + 8 + bytes.readUInt32BE(at);
      types.push(bytes.toString('latin1', at + 4, at + 8));
      expect(bytes.readUInt32BE(end)).toBe(crc32(bytes.subarray(at + 4, end)));
      at = end + 4;
    }
    expect(types).toEqual(['IHDR', 'IDAT', 'IEND']);
  });

  test('what is written is read back', () => {
    expect(decodePng(encodePng(IMAGE))).toEqual(IMAGE);
  });

  test('damage and other files are refused', () => {
    const bytes = encodePng(IMAGE);
    const damaged = Buffer.from(bytes);
    damaged[50] = (damaged[50] as number) ^ 1;
    expect(() => decodePng(damaged)).toThrow(/checksum/);
    expect(() => decodePng(bytes.subarray(0, bytes.length - 12))).toThrow(/ends too early/);
    expect(() => decodePng(Buffer.from('GIF89a..'))).toThrow(/not a PNG/);
  });

  test('a contact sheet has the images in their places', () => {
    const one = { width: 1, height: 1, pixels: Uint8Array.of(255, 0, 0) };
    const sheet = contactSheet([one, one, one], 2, 1);
    expect([sheet.width, sheet.height]).toEqual([5, 5]);
    const red = [...Array(25).keys()].filter((at) => sheet.pixels[at * 3] === 255);
    expect(red).toEqual([6, 8, 16]);
  });
});
