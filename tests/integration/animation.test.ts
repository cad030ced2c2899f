import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFarm, type TestFarm } from './support/farm.ts';
import { ensureImage, IMAGES_MS } from './support/images.ts';
import { downloadOutputs, uploadInput, writeFiles } from './support/input.ts';

const run = promisify(execFile);
const FRAMES = 48;

const SCENE = `#version 3.7;
global_settings { assumed_gamma 1.0 }
camera { location <0, 2, -6> look_at <0, 0.5, 0> }
light_source { <4, 8, -6> rgb 1.4 area_light <1,0,0>, <0,1,0>, 3, 3 }
plane { y, 0 pigment { checker rgb 0.9, rgb 0.3 } finish { reflection 0.2 } }
#declare Angle = 360 * Frame / ${FRAMES};
sphere { <2 * sin(radians(Angle)), 0.7, 2 * cos(radians(Angle))>, 0.7 pigment { rgb <1, 0.3, 0.2> } finish { phong 0.8 reflection 0.3 } }
torus { 1, 0.25 rotate <Angle, Angle / 2, 0> translate 1.2 * y pigment { rgb <0.2, 0.4, 1> } finish { phong 0.5 } }
`;

/** Without the date that the format may carry: the header and the compressed pixels. */
function pixels(png: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const type = png.toString('latin1', at + 4, at + 8);
    if (type === 'IHDR' || type === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  return Buffer.concat(parts);
}

const renderCommand = (frame: string, file: string) =>
  `mkdir -p frames && povray +Iscene.pov +O${file} +W160 +H120 +A0.3 +WT1 -D -V Declare=Frame=${frame}`;

let farm: TestFarm;
let image: string;
beforeAll(async () => {
  image = await ensureImage('povray');
  farm = await startFarm();
  for (const name of ['mira', 'nova', 'vega']) await farm.addWorker(name, { docker: true, maxParallel: 1 });
}, IMAGES_MS);
afterAll(() => farm?.close());

test('48 frames rendered over three workers are complete, and pixel for pixel those of a local render', async () => {
  const input = await uploadInput(farm.client, { 'scene.pov': SCENE });
  const { id } = await farm.submit({
    name: 'animation',
    command: renderCommand('{frame}', 'frames/frame-{frame:4}.png'),
    image,
    input,
    tasks: { kind: 'frames', frames: `1-${FRAMES}` },
    outputs: ['frames/frame-{frame:4}.png'],
    requirements: { cpu: 0.5, ramMb: 256 },
  });
  const ended = await farm.untilEnded(id);
  expect(ended).toMatchObject({ state: 'COMPLETED', counts: { COMPLETED: FRAMES }, retries: 0 });

  const rendered = await downloadOutputs(farm.client, id);
  const local = await renderLocally();
  expect([...rendered.keys()].sort()).toEqual([...local.keys()].sort());
  for (const [name, png] of local) expect(pixels(rendered.get(name) as Buffer).equals(pixels(png)), name).toBe(true);

  const { tasks } = await farm.client.call('listTasks', { params: { job: id }, query: { limit: FRAMES } });
  expect(new Set(tasks.map(({ node }) => node)).size).toBe(3);
});

/** The same frames, all in one container that Lanyard knows nothing of. */
async function renderLocally(): Promise<Map<string, Buffer>> {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-local-'));
  try {
    await writeFiles(folder, { 'scene.pov': SCENE });
    await chmod(folder, 0o777);
    const numbers = Array.from({ length: FRAMES }, (_, position) => position + 1);
    const fileOf = (frame: number) => `frames/frame-${String(frame).padStart(4, '0')}.png`;
    const script = numbers.map((frame) => renderCommand(String(frame), fileOf(frame))).join(' && ');
    await run('docker', ['run', '--rm', '--network=none', '-v', `${folder}:/work`, '-w', '/work', image, '/bin/sh', '-c', script], {
      maxBuffer: 64 * 1024 * 1024,
    });
    return new Map(await Promise.all(numbers.map(async (frame) => [fileOf(frame), await readFile(join(folder, fileOf(frame)))] as const)));
  } finally {
    await rm(folder, { recursive: true });
  }
}
