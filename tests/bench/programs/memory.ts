import { setTimeout as pause } from 'node:timers/promises';
import { createFarm, step } from '../../../electron/core/step.ts';
import { keepNewObjectsYoung } from '../../../electron/machine/collector.ts';
import type { JobId } from '../../../shared/ids.ts';
import { CORE_CONFIG, newJob } from '../core.ts';
import { programOptions, serve } from '../programs.ts';

/** A core alone, filled with waiting tasks: what it occupies. Needs `--expose-gc`. */

export interface MemoryOptions {
  readonly jobs: number;
  readonly tasksPerJob: number;
}
export interface MemoryAnswer {
  readonly heapBytes: number;
  readonly residentBytes: number;
}

/** Jobs of one turn. */
const TURN = 1_000;

/**
 * At rest: after a collection that compacts, as one under memory pressure does, and when the pages that it freed are back
 * at the system. Without it a collector that has just been filled keeps up to two thirds more for what may come.
 */
async function occupied(): Promise<MemoryAnswer> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    await pause(200);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapBytes: heapUsed + external, residentBytes: rss };
}

keepNewObjectsYoung();
const { jobs, tasksPerJob } = programOptions<MemoryOptions>();
const before = await occupied();
const farm = createFarm(CORE_CONFIG);
for (let id = 1; id <= jobs; id++) {
  const now = { wallMs: 1_700_000_000_000 + id, elapsedMs: id };
  step(farm, { type: 'job-submitted', job: newJob(id as JobId, tasksPerJob) }, now);
  if (id % TURN === 0 || id === jobs) step(farm, { type: 'turn-ended' }, now);
}
const after = await occupied();
if (farm.jobs.size !== jobs) throw new Error('jobs are missing');

serve<object, MemoryAnswer>(() => ({
  heapBytes: after.heapBytes - before.heapBytes,
  residentBytes: after.residentBytes - before.residentBytes,
}));
