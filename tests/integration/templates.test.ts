import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../shared/job.ts';
import { startFarm, type TestFarm } from './support/farm.ts';
import { ensureImage, IMAGES_MS, type TestImage } from './support/images.ts';
import { downloadOutputs, uploadInput } from './support/input.ts';

/** Templates of the program, through the API, with the real programs in a real engine. */

let farm: TestFarm;
const images = {} as Record<TestImage, string>;
beforeAll(async () => {
  for (const name of ['povray', 'gcc', 'python', 'ffmpeg'] as const) images[name] = await ensureImage(name);
  farm = await startFarm();
  for (const name of ['mira', 'nova']) await farm.addWorker(name, { docker: true, host: true, maxParallel: 2 });
}, IMAGES_MS);
afterAll(() => farm?.close());

async function jobOf(template: string, body: { values: Record<string, unknown>; preset?: string }): Promise<JobSpecInput> {
  const { job } = await farm.client.call('renderTemplate', { params: { template }, body });
  if (job === undefined) throw new Error(`${template} makes several jobs`);
  return job as JobSpecInput;
}

/** Renders the template at the coordinator, submits what it makes with these files, and waits for its end. */
async function run(template: string, files: Readonly<Record<string, string>>, values: Record<string, unknown>, preset?: string) {
  const body = { values, ...(preset === undefined ? {} : { preset }) };
  const job = await jobOf(template, body);
  const { id } = await farm.submit({ ...job, input: await uploadInput(farm.client, files) });
  const ended = await farm.untilEnded(id);
  return { id, ended, outputs: await downloadOutputs(farm.client, id) };
}

const SCENE = `#version 3.7;
global_settings { assumed_gamma 1.0 }
camera { location <0, 1, -4> look_at 0 }
light_source { <4, 8, -6> rgb 1 }
sphere { <clock * 2 - 1, 0, 0>, 0.7 pigment { rgb <1, 0.3, 0.2> } }
`;

describe('templates', () => {
  test('POV-Ray: an animation whose clock runs from the first frame to the last', async () => {
    const values = { scene: 'scene.pov', frames: '1-12', width: 64, height: 48, ramMb: 256, image: images.povray };
    const { ended, outputs } = await run('povray', { 'scene.pov': SCENE }, values, 'preview');
    expect(ended).toMatchObject({ state: 'COMPLETED', taskCount: 12, name: 'scene.pov' });
    expect([...outputs.keys()].sort()).toEqual(Array.from({ length: 12 }, (_, index) => `frame${String(index + 1).padStart(2, '0')}.png`));
    const sizes = [...outputs.values()].map((png) => [png.readUInt32BE(16), png.readUInt32BE(20)]);
    expect(new Set(sizes.map(String))).toEqual(new Set(['64,48']));
    // Every frame shows the ball elsewhere.
    expect(new Set([...outputs.values()].map((png) => png.toString('latin1'))).size).toBe(12);
  });

  test('Make: every variant is built and tested, and the one whose test fails says so', async () => {
    const files = {
      'prog/main.c': '#include <stdio.h>\nint main(void) { printf("%s %d\\n", WORD, LEVEL); return LEVEL > 2; }\n',
      'prog/Makefile':
        'CFLAGS = -DWORD=\\"$(WORD)\\" -DLEVEL=$(LEVEL)\nall: program\nprogram: main.c\n\tgcc $(CFLAGS) -o program main.c\ncheck: program\n\t./program > result.txt\n',
    };
    const values = {
      variants: 'WORD=red,blue LEVEL=1,3',
      results: 'result.txt',
      folder: 'prog',
      ramMb: 256,
      cpu: 1,
      image: images.gcc,
    };
    const { id, ended } = await run('make', files, values);
    expect(ended).toMatchObject({ state: 'FAILED', counts: { COMPLETED: 2, FAILED: 2 } });
    expect(await farm.logOf(id, 1)).toMatch(/check.*Error 1/);
    const { tasks } = await farm.client.call('listTasks', { params: { job: id } });
    expect(tasks.map(({ parameters, state }) => [parameters['param.WORD'], parameters['param.LEVEL'], state])).toEqual([
      ['red', 1, 'COMPLETED'],
      ['red', 3, 'FAILED'],
      ['blue', 1, 'COMPLETED'],
      ['blue', 3, 'FAILED'],
    ]);
  });

  test('CMake: every variant is configured, built and tested', async () => {
    const files = {
      'CMakeLists.txt':
        'cmake_minimum_required(VERSION 3.10)\nproject(prog C)\noption(LOUD "" OFF)\nif(LOUD)\n  add_definitions(-DLOUD)\nendif()\nadd_executable(prog main.c)\nenable_testing()\nadd_test(NAME runs COMMAND prog)\n',
      'main.c': '#include <stdio.h>\nint main(void) {\n#ifdef LOUD\n  puts("LOUD");\n#else\n  puts("quiet");\n#endif\n  return 0;\n}\n',
    };
    const values = { variants: 'LOUD=ON,OFF', results: 'build/prog', ramMb: 256, cpu: 1, image: images.gcc };
    const { id, ended } = await run('cmake', files, values);
    expect(ended).toMatchObject({ state: 'COMPLETED', taskCount: 2 });
    expect(await farm.logOf(id, 0)).toContain('100% tests passed');
    const { outputs } = await farm.client.call('listOutputs', { params: { job: id } });
    expect(outputs.map(({ path }) => path)).toEqual(['build/prog', 'build/prog']);
  });

  test('npm: a task for each script, here on the machine itself', async () => {
    const files = {
      'package.json': JSON.stringify({
        name: 'sums',
        scripts: { build: "node -e \"require('fs').writeFileSync('built.txt', 'yes')\"", test: 'node -e "process.exit(1)"' },
      }),
    };
    const job = await jobOf('npm', { values: { install: false, ramMb: 256, cpu: 0.5 } });
    const { id } = await farm.submit({ ...job, image: null, input: await uploadInput(farm.client, files) });
    const ended = await farm.untilEnded(id);
    expect(ended).toMatchObject({ state: 'FAILED', taskCount: 2, counts: { COMPLETED: 1, FAILED: 1 } });
    const { tasks } = await farm.client.call('listTasks', { params: { job: id } });
    expect(tasks.map(({ parameters, state }) => [parameters['param.script'], state])).toEqual([
      ['build', 'COMPLETED'],
      ['test', 'FAILED'],
    ]);
  });

  test('FFmpeg: segments are transcoded side by side and put together again, with the sound of the source', async () => {
    const image = images.ffmpeg;
    // Five seconds of a test picture and a tone, made by the farm too.
    const source = await farm.submit({
      name: 'source',
      image,
      command: 'ffmpeg -nostdin -loglevel error -f lavfi -i testsrc=size=128x96:rate=10:duration=5 -f lavfi -i sine=duration=5 source.mkv',
      outputs: ['source.mkv'],
      requirements: { cpu: 1, ramMb: 512 },
    });
    expect(await farm.untilEnded(source.id)).toMatchObject({ state: 'COMPLETED' });
    const values = { source: 'source.mkv', durationS: 5, segmentS: 2, ramMb: 512, cpu: 1, image };
    const { submission } = await farm.client.call('renderTemplate', { params: { template: 'ffmpeg' }, body: { values, preset: 'proxy' } });
    if (submission === undefined) throw new Error('the template makes one job');
    const stages = submission.stages.map((stage) => ({ ...stage, inputsFrom: [...(stage.inputsFrom ?? []), source.id] }));
    const { jobs } = await farm.client.call('submitStages', { body: { ...submission, stages } });
    const ended = await Promise.all(jobs.map(({ id }) => farm.untilEnded(id)));
    expect(ended.map(({ state, taskCount }) => [state, taskCount])).toEqual([
      ['COMPLETED', 3],
      ['COMPLETED', 1],
    ]);
    const joined = jobs[1] as (typeof jobs)[number];
    expect([...(await downloadOutputs(farm.client, joined.id)).keys()]).toEqual(['video.mkv']);
    // What came out is looked at by its own maker: half the size, all of the time, and both streams.
    const probe = await farm.submit({
      name: 'probe',
      image,
      command: 'ffprobe -v error -show_entries stream=codec_name,width,height -show_entries format=duration -of csv=p=0 video.mkv',
      inputsFrom: [joined.id],
      requirements: { cpu: 1, ramMb: 256 },
    });
    expect(await farm.untilEnded(probe.id)).toMatchObject({ state: 'COMPLETED' });
    const said = await farm.logOf(probe.id);
    expect(said).toContain('h264,64,48');
    expect(said).toMatch(/^vorbis|^aac|^ac3/m);
    expect(Number(said.trim().split('\n').at(-1))).toBeCloseTo(5, 0);
  });

  test('Python: a task for every combination, with the parameters as arguments and in the environment', async () => {
    const files = {
      'sweep.py':
        'import os, sys\nopen("result.txt", "w").write(" ".join(sys.argv[1:]) + " " + os.environ["LANYARD_PARAM_RATE"] + "\\n")\n',
    };
    const values = { script: 'sweep.py', parameters: { rate: [0.1, 0.01], depth: [2, 4] }, results: ['result.txt'], ramMb: 128, cpu: 0.5 };
    const image = images.python;
    const job = await jobOf('python-sweep', { values: { ...values, image } });
    const { id } = await farm.submit({ ...job, input: await uploadInput(farm.client, files) });
    expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED', taskCount: 4 });
    const { outputs } = await farm.client.call('listOutputs', { params: { job: id } });
    const texts = await Promise.all(
      outputs.map(async (output) => {
        const parts: Buffer[] = [];
        for await (const part of await farm.client.download(output)) parts.push(part as Buffer);
        return Buffer.concat(parts).toString();
      }),
    );
    expect(texts.sort()).toEqual([
      '--rate=0.01 --depth=2 0.01\n',
      '--rate=0.01 --depth=4 0.01\n',
      '--rate=0.1 --depth=2 0.1\n',
      '--rate=0.1 --depth=4 0.1\n',
    ]);
  });
});
