import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { JobSpecInput } from '../../shared/job.ts';
import { ensureImage } from '../integration/support/images.ts';
import { type BareDocker, CPU, createBareDocker, RAM_MB } from './bare-docker.ts';
import { type Bench, type BenchContext, comparedRow } from './bench.ts';
import { type BenchFarm, startBenchFarm } from './farm.ts';
import { compareWarm } from './statistics.ts';

const COMMAND = ['/bin/true'];
const AT_ONCE = 4;
/** After a removal the engine and the system still clear up what nobody waits for. */
const REST_MS = 50;

/** Containers through the whole farm, against the same containers by the client library alone. No warm holders: the same work for the engine. */
export const containers: Bench = {
  name: 'containers',
  engine: true,
  async run(context) {
    const { quick, rounds, folder } = context;
    const image = await ensureImage('busybox');
    const bare = createBareDocker(image, await mkdtemp(join(folder, 'bare-')));
    const farm = await startDockerFarm(context, false);
    try {
      // Container by container: the engine takes a tenth longer at some times than at others.
      const single = await compareWarm(
        rounds * (quick ? 5 : 24),
        () => rested(bare, () => ourContainerMs(farm, image)),
        () => rested(bare, () => bare.run(COMMAND)),
      );
      const count = quick ? 16 : 80;
      const many = await compareWarm(
        rounds,
        () => ourContainersPerSecond(farm, image, count, bare.untilIdle),
        () => perSecond(count, (next) => Promise.all(Array.from({ length: AT_ONCE }, () => lane(next, () => bare.run(COMMAND))))),
      );
      return [
        comparedRow('one container, submit to exit', 'ms', single, { most: 1.03 }),
        comparedRow(`containers, ${AT_ONCE} at once`, 'containers/s', many, { least: 0.95 }),
      ];
    } finally {
      await farm.close();
    }
  },
};

async function rested(bare: BareDocker, measure: () => Promise<number>): Promise<number> {
  await bare.untilIdle();
  await pause(REST_MS);
  return await measure();
}

/** The same farm with and without warm holders of a network namespace. */
export const fastStart: Bench = {
  name: 'fast-start',
  engine: true,
  async run(context) {
    const { quick, rounds, folder } = context;
    const image = await ensureImage('busybox');
    const { untilIdle } = createBareDocker(image, folder);
    const withHolders = await startDockerFarm(context, true);
    const without = await startDockerFarm(context, false);
    try {
      const count = quick ? 16 : 40;
      const compared = await compareWarm(
        rounds,
        () => ourContainersPerSecond(withHolders, image, count, untilIdle),
        () => ourContainersPerSecond(without, image, count, untilIdle),
      );
      return [comparedRow(`containers, ${AT_ONCE} at once, with fastStart against without`, 'containers/s', compared, { least: 1.8 })];
    } finally {
      await withHolders.close();
      await without.close();
    }
  },
};

async function startDockerFarm({ folder }: BenchContext, fastStart: boolean): Promise<BenchFarm> {
  return await startBenchFarm({ folder, worker: { maxParallel: AT_ONCE, fastStart }, real: true });
}

function jobOf(image: string, tasks: number): JobSpecInput {
  return {
    name: 'container',
    command: COMMAND,
    image,
    tasks: { kind: 'count', count: tasks },
    requirements: { cpu: CPU, ramMb: RAM_MB },
    notify: 'none',
  };
}

/** Until the coordinator has stored its exit, by the wall clock that its processes share. */
async function ourContainerMs({ client, untilCompleted }: BenchFarm, image: string): Promise<number> {
  const begin = performance.timeOrigin + performance.now();
  const { finishedAt } = await untilCompleted(await client.submit(jobOf(image, 1)));
  return (finishedAt ?? Number.NaN) - begin;
}

/** As the bare loop counts it: until the last container is removed. */
async function ourContainersPerSecond(
  { client, untilCompleted }: BenchFarm,
  image: string,
  count: number,
  untilIdle: () => Promise<void>,
): Promise<number> {
  const begin = performance.now();
  const { id } = await client.call('submitJob', { body: jobOf(image, count) });
  await untilCompleted(id);
  await untilIdle();
  return (count * 1_000) / (performance.now() - begin);
}

async function perSecond(count: number, act: (next: () => boolean) => Promise<unknown>): Promise<number> {
  let left = count;
  const begin = performance.now();
  await act(() => left-- > 0);
  return (count * 1_000) / (performance.now() - begin);
}

async function lane(next: () => boolean, act: () => Promise<unknown>): Promise<void> {
  while (next()) await act();
}
