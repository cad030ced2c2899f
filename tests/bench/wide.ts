import { type Bench, comparedRow, valueRow } from './bench.ts';
import { NO_OP, startBenchFarm } from './farm.ts';
import type { PlacementAnswer, PlacementQuestion } from './programs/placement.ts';
import type { WideOptions } from './programs/wide-placement.ts';
import { startProgram } from './programs.ts';
import { compare } from './statistics.ts';

const SMALL: WideOptions = { nodes: 10, jobs: 10, tasksPerJob: 100, classes: 10, owners: 2 };
const LARGE: WideOptions = { nodes: 1_000, jobs: 1_000, tasksPerJob: 1_000, classes: 100, owners: 20 };
const TASKS = 1_000_000;

/** Placement with all policy on, when everything there is of is a hundred times as much; and how long a person waits for a large job. */
export const wide: Bench = {
  name: 'wide placement',
  async run({ quick, rounds, folder }) {
    const start = (options: WideOptions) =>
      startProgram<PlacementQuestion, PlacementAnswer>(new URL('./programs/wide-placement.ts', import.meta.url), options);
    const large = start(LARGE);
    const small = start(SMALL);
    const placements = quick ? 5_000 : 20_000;
    const microseconds = async (program: typeof large) => (await program.ask({ placements })).nsEach / 1_000;
    try {
      await microseconds(large);
      await microseconds(small);
      const compared = await compare(
        rounds,
        () => microseconds(large),
        () => microseconds(small),
      );
      const name = 'one placement, 1,000 nodes x 1 M tasks x 1,000 jobs x 100 classes x 20 owners against 10 x 1,000 x 10 x 10 x 2';
      return [comparedRow(name, 'µs', compared, { most: 2 }), await submission(folder)];
    } finally {
      await large.end();
      await small.end();
    }
  },
};

async function submission(folder: string) {
  const farm = await startBenchFarm({ folder, worker: { maxParallel: 1 } });
  try {
    const begin = performance.now();
    const { id } = await farm.client.call('submitJob', { body: { ...NO_OP, tasks: { kind: 'count', count: TASKS } } });
    const ms = performance.now() - begin;
    await farm.client.call('cancelJob', { params: { job: id } });
    return valueRow('a job of 1 M tasks is acknowledged', 'ms', ms, { most: 1_000 });
  } finally {
    await farm.close();
  }
}
