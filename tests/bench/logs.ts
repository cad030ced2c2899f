import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobSpecInput } from '../../shared/job.ts';
import { ensureImage } from '../integration/support/images.ts';
import { CPU, createBareDocker, RAM_MB } from './bare-docker.ts';
import { type Bench, comparedRow, valueRow } from './bench.ts';
import { type BenchFarm, startBenchFarm } from './farm.ts';
import { compare, median } from './statistics.ts';

const MIB = 1024 * 1024;
const LINE = 'frame 0042: rendered tile 17 of 64 in 0.81 s, 1280 x 720, 24 samples, 3 bounces, no warnings, no errors';

/** Output of a command, on its way to the coordinator's disk. */
export const logs: Bench = {
  name: 'logs',
  engine: true,
  async run({ folder, quick, rounds }) {
    const image = await ensureImage('busybox');
    const megabytes = quick ? 32 : 128;
    const shout = (times: number) => `yes '${LINE}' | head -c ${times * megabytes * 1e6}`;
    const logBytesPerAttempt = 4_096 * MIB;
    const worker = { maxParallel: 1, fastStart: false, host: true, logBytesPerAttempt };
    const farm = await startBenchFarm({ folder, coordinator: { logBytesPerAttempt }, worker, real: true });
    const bare = createBareDocker(image, await mkdtemp(join(folder, 'bare-')));
    const file = join(folder, 'bare.log');
    try {
      const container = await compare(
        rounds,
        async () => (megabytes * 1_000) / (await ourLogMs(farm, { command: shout(1), image })),
        async () => (megabytes * 1_000) / (await bare.runLogged(['/bin/sh', '-c', shout(1)], file)),
      );
      const host: number[] = [];
      for (let round = 0; round < rounds; round++)
        host.push((2 * megabytes * 1_000) / (await ourLogMs(farm, { command: shout(2), image: null })));
      return [
        comparedRow(`a container's log of ${megabytes} MB`, 'MB/s', container, { least: 0.8 }),
        valueRow(`a host command's log of ${2 * megabytes} MB`, 'MB/s', median(host), { least: 100 }),
      ];
    } finally {
      await farm.close();
      await rm(file, { force: true });
    }
  },
};

/** From the submission until the end is stored, which comes behind the whole log. */
async function ourLogMs({ client, untilCompleted }: BenchFarm, job: JobSpecInput): Promise<number> {
  const begin = performance.now();
  const { id } = await client.call('submitJob', { body: { ...job, requirements: { cpu: CPU, ramMb: RAM_MB } } });
  await untilCompleted(id);
  const tookMs = performance.now() - begin;
  await client.call('removeJob', { params: { job: id } });
  return tookMs;
}
