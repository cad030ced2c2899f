import { type Bench, comparedRow } from './bench.ts';
import { type BullFarm, startBullFarm } from './bullmq.ts';
import { AT_ONCE, type BenchFarm, NO_OP, startBenchFarm } from './farm.ts';
import { compare } from './statistics.ts';

/** Jobs that one `addBulk` adds. */
const BULK = 10_000;

/** No-op tasks a second of one array job, against BullMQ's jobs a second. */
export const throughput: Bench = {
  name: 'throughput',
  async run({ folder, quick, rounds }) {
    const tasks = quick ? 20_000 : 100_000;
    const farm = await startBenchFarm({ folder, worker: { maxParallel: AT_ONCE } });
    const bull = await startBullFarm(folder, AT_ONCE);
    try {
      const compared = await compare(
        rounds,
        () => ourTasksPerSecond(farm, tasks),
        () => theirJobsPerSecond(bull, tasks),
      );
      return [comparedRow('no-op tasks of one array job', 'tasks/s', compared, { least: 3 })];
    } finally {
      await farm.close();
      await bull.close();
    }
  },
};

/** From the submission until the job is known to be COMPLETED. */
async function ourTasksPerSecond({ client, untilCompleted }: BenchFarm, tasks: number): Promise<number> {
  const begin = performance.now();
  const { id } = await client.call('submitJob', { body: { ...NO_OP, tasks: { kind: 'count', count: tasks } } });
  await untilCompleted(id);
  return (tasks * 1_000) / (performance.now() - begin);
}

/** From the first `addBulk` until the last job is complete; the worker works while they are added. */
async function theirJobsPerSecond({ queue, worker }: BullFarm, tasks: number): Promise<number> {
  const completed = worker.ask({ type: 'completed', jobs: tasks });
  const begin = performance.now();
  for (let added = 0; added < tasks; added += BULK)
    await queue.addBulk(Array.from({ length: Math.min(BULK, tasks - added) }, () => ({ name: 'no-op', data: {} })));
  await completed;
  const seconds = (performance.now() - begin) / 1_000;
  await queue.obliterate({ force: true });
  await queue.resume();
  return tasks / seconds;
}
