import { setTimeout as pause } from 'node:timers/promises';
import { type Bench, comparedRow, valueRow } from './bench.ts';
import { startBullFarm } from './bullmq.ts';
import { NO_OP, startBenchFarm } from './farm.ts';
import { compare, percentile } from './statistics.ts';

/** Time between two jobs, so that each finds an idle farm, ms. */
const REST_MS = 5;
/** Jobs before the first that counts, of each side: compiled code, and files that have grown to their size. */
const WARM_UP = 500;

/** From the submission of one job until it starts at the worker, one at a time. */
export const latency: Bench = {
  name: 'latency',
  async run({ folder, quick, rounds }) {
    const jobs = quick ? 100 : 400;
    const farm = await startBenchFarm({ folder, worker: { maxParallel: 1 } });
    const bull = await startBullFarm(folder, 1);
    let ours = 0;
    let theirs = 0;
    const ourLatency = () =>
      untilStart(
        () => farm.client.submit(NO_OP),
        () => farm.worker.ask({ start: ++ours }),
      );
    const add = () => bull.queue.add('no-op', {});
    const theirLatency = () => untilStart(add, () => bull.worker.ask({ type: 'start', number: ++theirs }));
    const all: number[] = [];
    try {
      await latenciesMs(WARM_UP, ourLatency);
      await latenciesMs(WARM_UP, theirLatency);
      const compared = await compare(
        rounds,
        async () => {
          const samples = await latenciesMs(jobs, ourLatency);
          all.push(...samples);
          return percentile(samples, 0.5);
        },
        async () => percentile(await latenciesMs(jobs, theirLatency), 0.5),
      );
      return [
        comparedRow('submit to start, p50', 'ms', compared, { most: 0.9 }),
        valueRow('submit to start, p99', 'ms', percentile(all, 0.99), { most: 5 }),
      ];
    } finally {
      await farm.close();
      await bull.close();
    }
  },
};

async function latenciesMs(jobs: number, once: () => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  for (let job = 0; job < jobs; job++) {
    samples.push(await once());
    await pause(REST_MS);
  }
  return samples;
}

/** The steady clock before an act, and at the start that it causes. */
async function untilStart(act: () => Promise<unknown>, startAt: () => Promise<{ readonly at: string }>): Promise<number> {
  const begin = process.hrtime.bigint();
  await act();
  return Number(BigInt((await startAt()).at) - begin) / 1e6;
}
