import { setTimeout as pause } from 'node:timers/promises';
import { type Bench, comparedRow, valueRow } from './bench.ts';
import { AT_ONCE, NO_OP, startBenchFarm } from './farm.ts';
import type { PlacementAnswer, PlacementOptions, PlacementQuestion } from './programs/placement.ts';
import { type Program, startProgram } from './programs.ts';
import { compare } from './statistics.ts';

const SMALL: PlacementOptions = { nodes: 10, tasks: 1_000 };
const LARGE: PlacementOptions = { nodes: 1_000, tasks: 1_000_000 };

/** What a placement costs the core when a thousand times as much waits, on a hundred times as many nodes. */
export const placement: Bench = {
  name: 'placement',
  async run({ quick, rounds }) {
    const large = startPlacement(LARGE);
    const small = startPlacement(SMALL);
    const placements = quick ? 10_000 : 40_000;
    const microseconds = async (program: typeof large) => (await program.ask({ placements })).nsEach / 1_000;
    try {
      await microseconds(large);
      await microseconds(small);
      const compared = await compare(
        rounds,
        () => microseconds(large),
        () => microseconds(small),
      );
      return [comparedRow('one placement, 1,000 nodes x 1 M tasks against 10 x 1,000', 'µs', compared, { most: 1.5 })];
    } finally {
      await large.end();
      await small.end();
    }
  },
};

/** The coordinator's event loop while a million jobs wait and are worked on. */
export const stalls: Bench = {
  name: 'stalls',
  async run({ folder, quick }) {
    const jobs = quick ? 100_000 : 1_000_000;
    const farm = await startBenchFarm({ folder, worker: { maxParallel: AT_ONCE } });
    try {
      await farm.coordinator.ask({ type: 'fill', jobs, spec: NO_OP });
      await farm.coordinator.ask({ type: 'longest-delay' });
      const before = await waiting(farm);
      await pause(quick ? 5_000 : 20_000);
      const { longestDelayMs } = await farm.coordinator.ask({ type: 'longest-delay' });
      const worked = before - (await waiting(farm));
      return [
        valueRow(`longest stall, ${before.toLocaleString('en-US')} jobs of ${jobs.toLocaleString('en-US')} waiting`, 'ms', longestDelayMs, {
          most: 20,
        }),
        valueRow('jobs worked on meanwhile', 'jobs', worked, null),
      ];
    } finally {
      await farm.close();
    }
  },
};

async function waiting({ client }: Awaited<ReturnType<typeof startBenchFarm>>): Promise<number> {
  return (await client.call('farm')).totals.jobs.QUEUED;
}

function startPlacement(options: PlacementOptions): Program<PlacementQuestion, PlacementAnswer> {
  return startProgram(new URL('./programs/placement.ts', import.meta.url), options);
}
