import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFarm, type TestFarm } from './support/farm.ts';
import { ensureImage, IMAGES_MS } from './support/images.ts';
import { downloadOutputs, uploadInput } from './support/input.ts';

const run = promisify(execFile);
const UNITS = Array.from({ length: 22 }, (_, position) => `unit${String(position + 1).padStart(2, '0')}`);

/** A program in 23 files: each unit adds its share, main prints the sum. */
function sources(): Record<string, string> {
  const files: Record<string, string> = {
    'src/units.h': `${UNITS.map((unit) => `long ${unit}(long x);`).join('\n')}\n`,
    'src/main.c': `#include <stdio.h>\n#include "units.h"\nint main(void) {\n  long sum = 0;\n${UNITS.map((unit, position) => `  sum += ${unit}(${position + 1});`).join('\n')}\n  printf("%ld\\n", sum);\n  return 0;\n}\n`,
  };
  for (const [position, unit] of UNITS.entries())
    files[`src/${unit}.c`] =
      `#include "units.h"\nlong ${unit}(long x) { long r = 0; for (long i = 0; i < x; i++) r += i * ${position + 3}; return r; }\n`;
  return files;
}

function expectedSum(): number {
  let sum = 0;
  for (let position = 0; position < UNITS.length; position++) for (let i = 0; i <= position; i++) sum += i * (position + 3);
  return sum;
}

let farm: TestFarm;
let image: string;
beforeAll(async () => {
  image = await ensureImage('gcc');
  farm = await startFarm();
  for (const name of ['mira', 'nova', 'vega']) await farm.addWorker(name, { docker: true, maxParallel: 1 });
}, IMAGES_MS);
afterAll(() => farm?.close());

test('a C program is compiled by one task a file, linked by a job that waits for them, and runs', async () => {
  const input = await uploadInput(farm.client, sources());
  const compile = await farm.submit({
    name: 'compile',
    command: ['gcc', '-O1', '-c', '-o', '{param.unit}.o', 'src/{param.unit}.c'],
    image,
    input,
    tasks: { kind: 'matrix', parameters: { unit: ['main', ...UNITS] } },
    outputs: ['{param.unit}.o'],
    requirements: { cpu: 0.5, ramMb: 256 },
  });
  const link = await farm.submit({
    name: 'link',
    command: 'gcc -static -o program *.o && ./program > result.txt',
    image,
    inputsFrom: [compile.id],
    outputs: ['program', 'result.txt'],
    requirements: { cpu: 0.5, ramMb: 256 },
  });
  expect(link.state).toBe('SUBMITTED');

  expect(await farm.untilEnded(link.id)).toMatchObject({ state: 'COMPLETED' });
  expect((await farm.client.call('getJob', { params: { job: compile.id } })).counts.COMPLETED).toBe(UNITS.length + 1);

  const outputs = await downloadOutputs(farm.client, link.id);
  expect(outputs.get('result.txt')?.toString().trim()).toBe(String(expectedSum()));
  expect(await runProgram(outputs.get('program') as Buffer)).toBe(String(expectedSum()));
});

async function runProgram(program: Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-program-'));
  try {
    const path = join(folder, 'program');
    await writeFile(path, program);
    await chmod(path, 0o755);
    return (await run(path)).stdout.trim();
  } finally {
    await rm(folder, { recursive: true });
  }
}
