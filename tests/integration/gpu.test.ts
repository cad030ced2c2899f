import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JobSpecInput } from '../../shared/job.ts';
import { startFarm, type TestFarm } from './support/farm.ts';
import { ensureImage } from './support/images.ts';

/**
 * GPUs from their discovery to the command, with cards that a false `nvidia-smi` tells of: real processes everywhere, only the
 * hardware is made up.
 */
const SMALL = 'GPU-11111111-aaaa-bbbb-cccc-000000000001';
const LARGE = 'GPU-22222222-aaaa-bbbb-cccc-000000000002';
const NVIDIA_SMI = `#!/bin/sh
case "$1" in
*utilization*) printf '${SMALL}, 12, 100\\n${LARGE}, 0, 0\\n' ;;
*) printf '${SMALL}, NVIDIA GeForce RTX 3060, 12288\\n${LARGE}, NVIDIA GeForce RTX 4090, 24564\\n' ;;
esac
`;

let folder: string;
let farm: TestFarm;
const path = process.env.PATH;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-gpu-'));
  await mkdir(join(folder, 'bin'));
  await mkdir(join(folder, 'taken'));
  await writeFile(join(folder, 'bin/nvidia-smi'), NVIDIA_SMI);
  await chmod(join(folder, 'bin/nvidia-smi'), 0o755);
  process.env.PATH = `${join(folder, 'bin')}${delimiter}${path}`;
  farm = await startFarm({ connectionGraceMs: 10_000, offlineAfterMs: 20_000 });
  await farm.addWorker('mira', { host: true, docker: true, maxParallel: 6 });
});
afterAll(async () => {
  process.env.PATH = path;
  await farm?.close();
  await rm(folder, { recursive: true, force: true });
});

function job(command: string, requirements: JobSpecInput['requirements'], more: Partial<JobSpecInput> = {}): JobSpecInput {
  return { name: 'gpu', command, image: null, maxRetries: 0, requirements: { cpu: 0.1, ramMb: 16, ...requirements }, ...more };
}

async function firstLine(id: number, index = 0): Promise<string> {
  return (await farm.logOf(id, index)).split('\n')[0] ?? '';
}

test('a node tells its cards with model and memory, and how they are used', async () => {
  const node = await farm.untilNode('mira', ({ metrics }) => (metrics?.gpus.length ?? 0) > 0);
  expect(node.description.capacity.gpus).toEqual([
    { id: SMALL, model: 'NVIDIA GeForce RTX 3060', ramMb: 12_288 },
    { id: LARGE, model: 'NVIDIA GeForce RTX 4090', ramMb: 24_564 },
  ]);
  expect(node.metrics?.gpus[0]).toEqual({ id: SMALL, loadPercent: 12, ramUsedMb: 100 });
});

test('a card is given to one task at a time, and by model or memory where a job asks for that', async () => {
  // A card that two tasks had at once would let the second `mkdir` fail.
  const taken = join(folder, 'taken');
  const command = `mkdir "${taken}/$CUDA_VISIBLE_DEVICES" && echo "$CUDA_VISIBLE_DEVICES" && sleep 0.2 && rmdir "${taken}/$CUDA_VISIBLE_DEVICES"`;
  const many = await farm.submit(job(command, { gpus: 1 }, { tasks: { kind: 'count', count: 8 } }));
  const byModel = await farm.submit(job('echo $CUDA_VISIBLE_DEVICES', { gpus: 1, gpuModel: 'rtx 4090' }));
  const byMemory = await farm.submit(job('echo $CUDA_VISIBLE_DEVICES', { gpus: 1, gpuRamMb: 16_000 }));
  const both = await farm.submit(job('echo $CUDA_VISIBLE_DEVICES $LANYARD_GPUS', { gpus: 2 }));
  expect(await farm.untilEnded(many.id)).toMatchObject({ state: 'COMPLETED', counts: { COMPLETED: 8 } });
  const lines = await Promise.all(Array.from({ length: 8 }, (_, index) => firstLine(many.id, index)));
  expect(new Set(lines)).toEqual(new Set([SMALL, LARGE]));
  expect(await readdir(taken)).toEqual([]);
  for (const { id } of [byModel, byMemory, both]) expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED' });
  expect(await firstLine(byModel.id)).toBe(LARGE);
  expect(await firstLine(byMemory.id)).toBe(LARGE);
  expect(await firstLine(both.id)).toBe(`${SMALL},${LARGE} ${SMALL},${LARGE}`);
});

test('while all cards are in use, work without GPUs goes on beside them and sees none', async () => {
  const gate = join(folder, 'gate');
  const holding = await farm.submit(job(`until [ -e "${gate}" ]; do sleep 0.05; done`, { gpus: 2 }));
  await farm.until(holding.id, ({ state }) => state === 'RUNNING');
  const plain = await farm.submit(job('echo "[$CUDA_VISIBLE_DEVICES]"', {}));
  expect(await farm.untilEnded(plain.id)).toMatchObject({ state: 'COMPLETED' });
  expect(await firstLine(plain.id)).toBe('[]');
  const waiting = await farm.submit(job('true', { gpus: 1 }));
  expect((await farm.client.call('explainJob', { params: { job: waiting.id } })).summary).toMatch(/busy/);
  await writeFile(gate, '');
  expect(await farm.untilEnded(waiting.id)).toMatchObject({ state: 'COMPLETED' });
});

test('after the coordinator was killed and started again, a running task keeps its card and the other one is given away', async () => {
  const gate = join(folder, 'second-gate');
  const holding = await farm.submit(
    job(`echo $CUDA_VISIBLE_DEVICES; until [ -e "${gate}" ]; do sleep 0.05; done`, { gpus: 1, gpuModel: '3060' }),
  );
  await farm.until(holding.id, ({ state }) => state === 'RUNNING');
  await farm.coordinator.end('SIGKILL');
  await farm.startCoordinatorAgain();

  const other = await farm.submit(job('echo $CUDA_VISIBLE_DEVICES', { gpus: 1 }));
  expect(await farm.untilEnded(other.id)).toMatchObject({ state: 'COMPLETED' });
  expect(await firstLine(other.id)).toBe(LARGE);
  expect(await farm.countTasks(holding.id, 'RUNNING')).toBe(1);
  const node = await farm.untilNode('mira', ({ used }) => used.gpus === 1);
  expect(node.used.gpus).toBe(1);
  await writeFile(gate, '');
  expect(await farm.untilEnded(holding.id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
  expect(await firstLine(holding.id)).toBe(SMALL);
});

test('an engine that cannot give GPUs to containers refuses the job by name, and no retry is used', async () => {
  const image = await ensureImage('busybox');
  const { id } = await farm.submit(job('true', { gpus: 1 }, { image }));
  const refused = async () =>
    (await farm.client.call('getTask', { params: { job: id, index: 0 } })).attempts.find(({ reason }) => reason !== null);
  await expect.poll(refused, { timeout: 20_000 }).toMatchObject({
    reason: 'executor-unavailable',
    message: expect.stringContaining('container toolkit'),
  });
  expect(await farm.client.call('getJob', { params: { job: id } })).toMatchObject({ state: 'QUEUED', retries: 0 });
  await farm.client.call('cancelJob', { params: { job: id } });
});
