import { setTimeout as pause } from 'node:timers/promises';
import { type Bench, comparedRow, valueRow } from './bench.ts';
import { type BullFarm, startBullFarm } from './bullmq.ts';
import { type BenchFarm, startBenchFarm } from './farm.ts';
import { compare, percentile } from './statistics.ts';
import { createSubmitter } from './submissions.ts';

/** Time between two jobs, so that each finds an idle farm, ms. */
const REST_MS = 5;
/** Jobs before those that count. */
const WARM_UP = 20;

/** From the submission of one job until it starts at the worker, one at a time. */
export const latency: Bench = {
  name: 'latency',
  async run({ folder, quick, rounds }) {
    const jobs = quick ? 100 : 400;
    const farm = await startBenchFarm({ folder, worker: { maxParallel: 1 } });
    const bull = await startBullFarm(folder, 1);
    const submit = createSubmitter(farm);
    const all: number[] = [];
    try {
      const compared = await compare(
        rounds,
        async () => {
          const samples = await latenciesMs(jobs, () => ourLatencyMs(farm, submit));
          all.push(...samples);
          return percentile(samples, 0.5);
        },
        async () => percentile(await latenciesMs(jobs, () => theirLatencyMs(bull)), 0.5),
      );
      return [
        comparedRow('submit to start, p50', 'ms', compared, { most: 0.9 }),
        valueRow('submit to start, p99', 'ms', percentile(all, 0.99), { most: 5 }),
      ];
    } finally {
      submit.close();
      await farm.close();
      await bull.close();
    }
  },
};

async function latenciesMs(jobs: number, once: () => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  for (let job = -WARM_UP; job < jobs; job++) {
    const sample = await once();
    if (job >= 0) samples.push(sample);
    await pause(REST_MS);
  }
  return samples;
}

async function ourLatencyMs({ worker }: BenchFarm, submit: () => Promise<void>): Promise<number> {
  const started = worker.ask({ type: 'next-start' });
  // The question is to be with the worker before the job is.
  await pause(1);
  const begin = process.hrtime.bigint();
  await submit();
  return Number(BigInt((await started).startedAt) - begin) / 1e6;
}

async function theirLatencyMs({ worker, queue }: BullFarm): Promise<number> {
  const started = worker.ask({ type: 'next-start' });
  await pause(1);
  const begin = process.hrtime.bigint();
  await queue.add('no-op', {});
  return Number(BigInt((await started).at) - begin) / 1e6;
}
