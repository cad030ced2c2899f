import type { CoordinatorEffect } from '../../../electron/core/effects.ts';
import type { CoordinatorEvent, Now } from '../../../electron/core/events.ts';
import { createFarm, hasToPlace, step } from '../../../electron/core/step.ts';
import { keepNewObjectsYoung } from '../../../electron/machine/collector.ts';
import type { JobId, NodeId } from '../../../shared/ids.ts';
import { COMPLETED, CORE_CONFIG, newJob, newNode } from '../core.ts';
import { programOptions, serve } from '../programs.ts';

/** A core alone, full of work: what one placement costs. */

export interface PlacementOptions {
  readonly nodes: number;
  readonly tasks: number;
}
export interface PlacementQuestion {
  readonly placements: number;
}
export interface PlacementAnswer {
  readonly nsEach: number;
}

const SLOTS = 4;
/** Placements between two refills, which are not counted. */
const BLOCK = 200;

type Assigned = Extract<CoordinatorEffect, { type: 'assign' }>;

keepNewObjectsYoung();
const { nodes, tasks } = programOptions<PlacementOptions>();
const farm = createFarm(CORE_CONFIG);
/** Attempts that run, the oldest at `oldest`. */
let running: Assigned[] = [];
let oldest = 0;
let nextJob = 1;
let now: Now = { wallMs: 1_700_000_000_000, elapsedMs: 0 };

function happen(event: CoordinatorEvent): void {
  now = { wallMs: now.wallMs + 1, elapsedMs: now.elapsedMs + 0.001 };
  for (const effect of step(farm, event, now)) if (effect.type === 'assign') running.push(effect);
}

function submit(count: number): void {
  for (let done = 0; done < count; done++) happen({ type: 'job-submitted', job: newJob(nextJob++ as JobId) });
}

/** The oldest attempt ends, and what it leaves free is given to the next task. */
function placeOne(): void {
  const { node, job, index, number } = running[oldest++] as Assigned;
  happen({ type: 'attempt-ended', node, job, index, number, end: COMPLETED });
  happen({ type: 'turn-ended' });
  const placed = running.at(-1) as Assigned;
  happen({ type: 'attempt-started', node: placed.node, job: placed.job, index: placed.index, number: placed.number });
}

for (let node = 0; node < nodes; node++)
  happen({ type: 'node-registered', node: newNode(`node-${node}` as NodeId, SLOTS), carrier: 'link', attempts: [], cached: [] });
submit(tasks);
do happen({ type: 'turn-ended' });
while (hasToPlace(farm));
for (const { node, job, index, number } of running) happen({ type: 'attempt-started', node, job, index, number });

serve<PlacementQuestion, PlacementAnswer>(({ placements }) => {
  let ns = 0n;
  for (let done = 0; done < placements; done += BLOCK) {
    const begin = process.hrtime.bigint();
    for (let one = 0; one < BLOCK; one++) placeOne();
    ns += process.hrtime.bigint() - begin;
    submit(BLOCK);
    running = running.slice(oldest);
    oldest = 0;
  }
  return { nsEach: Number(ns) / placements };
});
