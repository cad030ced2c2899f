import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JobSpecInput } from '../../shared/job.ts';
import { startFarm, type TestFarm } from './support/farm.ts';
import { ensureImage } from './support/images.ts';
import { downloadOutputs } from './support/input.ts';

/** Canaries with what a real engine measures. */

let farm: TestFarm;
let image: string;
beforeAll(async () => {
  image = await ensureImage('busybox');
  farm = await startFarm();
  for (const name of ['mira', 'nova']) await farm.addWorker(name, { docker: true, maxParallel: 2 });
});
afterAll(() => farm?.close());

/** Holds 40 MiB for long enough to be seen, and writes down the limit that it was given. */
const job = (): JobSpecInput => ({
  name: 'sent ahead',
  image,
  command:
    'dd if=/dev/zero bs=40M count=1 2>/dev/null | (head -c 1 >/dev/null; sleep 0.5); cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null > limit-{index}.txt; true',
  tasks: { kind: 'count', count: 7 },
  outputs: ['limit-{index}.txt'],
  requirements: { cpu: 0.5, ramMb: 512 },
});

async function limits(id: number): Promise<Map<string, number>> {
  const files = await downloadOutputs(farm.client, id);
  return new Map([...files].map(([name, text]) => [name, Number(text.toString()) / (1024 * 1024)]));
}

test('the first, middle and last task are measured in their containers, and the rest is given what they needed', async () => {
  const { id } = await farm.submit({ ...job(), canary: {} });
  expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
  const { canary } = await farm.client.call('getJob', { params: { job: id } });
  expect(canary?.decision?.runs.map(({ index }) => index)).toEqual([0, 3, 6]);
  for (const run of canary?.decision?.runs ?? []) {
    expect(run.peakRamMb).toBeGreaterThanOrEqual(40);
    expect(run.peakRamMb).toBeLessThan(80);
    expect(run.cpuMs).toBeLessThan(run.ranForMs);
  }
  const decided = canary?.decision?.decided.ramMb ?? 0;
  expect(decided).toBeGreaterThanOrEqual(104);
  expect(decided).toBeLessThanOrEqual(160);
  const given = await limits(id);
  for (const index of [0, 3, 6]) expect(given.get(`limit-${index}.txt`)).toBe(512);
  for (const index of [1, 2, 4, 5]) expect(given.get(`limit-${index}.txt`)).toBe(decided);
});

test('a coordinator that is killed while a canary waits loses nothing of it; approved, the rest runs', async () => {
  const { id } = await farm.submit({ ...job(), canary: { approval: 'by-hand', least: { ramMb: 200 } } });
  await farm.until(id, ({ canaryPhase }) => canaryPhase === 'waiting');
  const before = await farm.client.call('getJob', { params: { job: id } });
  expect(before.canary?.proposal?.needs.ramMb).toBe(200);
  await farm.coordinator.end('SIGKILL');
  await farm.startCoordinatorAgain();
  const after = await farm.client.call('getJob', { params: { job: id } });
  expect(after).toMatchObject({ canaryPhase: 'waiting', counts: { COMPLETED: 3 } });
  expect(after.canary?.proposal?.runs).toEqual(before.canary?.proposal?.runs);
  await farm.client.call('approveCanary', { params: { job: id }, body: { ramMb: 300 } });
  expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED' });
  expect((await limits(id)).get('limit-1.txt')).toBe(300);
});
