import type { CoordinatorEffect } from '../../../electron/core/effects.ts';
import type { CoordinatorEvent, Now } from '../../../electron/core/events.ts';
import { createFarm, hasToPlace, step } from '../../../electron/core/step.ts';
import { keepNewObjectsYoung } from '../../../electron/machine/collector.ts';
import type { JobId, NodeId } from '../../../shared/ids.ts';
import { COMPLETED, CORE_CONFIG, newJob, newNode } from '../core.ts';
import { programOptions, serve } from '../programs.ts';
import type { PlacementAnswer, PlacementQuestion } from './placement.ts';

/** A core alone with all its policy on: many jobs of many tasks, classes, owners, conditions, wishes and preemptible work. */

export interface WideOptions {
  readonly nodes: number;
  readonly jobs: number;
  readonly tasksPerJob: number;
  readonly classes: number;
  readonly owners: number;
}

const SLOTS = 4;

type Assigned = Extract<CoordinatorEffect, { type: 'assign' }>;

keepNewObjectsYoung();
const { nodes, jobs, tasksPerJob, classes, owners } = programOptions<WideOptions>();
const farm = createFarm(CORE_CONFIG);
let running: Assigned[] = [];
let oldest = 0;
let nextJob = 1;
let now: Now = { wallMs: 1_700_000_000_000, elapsedMs: 0 };

function happen(event: CoordinatorEvent): void {
  now = { wallMs: now.wallMs + 1, elapsedMs: now.elapsedMs + 1 };
  for (const effect of step(farm, event, now)) if (effect.type === 'assign') running.push(effect);
}

function submit(): void {
  const id = nextJob++;
  const kind = id % classes;
  const job = newJob(id as JobId, tasksPerJob);
  const { requirements } = job.policy;
  const policy = {
    ...job.policy,
    requirements: {
      ...requirements,
      ramMb: 100 + kind,
      ...(kind % 2 === 0 ? { where: `rack in (${kind % 4}, 5, 6, 7) || os == linux` } : {}),
      ...(kind % 5 === 0 ? { prefer: [`rack == ${kind % 8}`] } : {}),
      ...(kind % 7 === 0 ? { zones: 'apart' as const } : {}),
    },
    preemptible: kind % 3 === 0,
    maxTasks: kind % 10 === 0 ? 2 * SLOTS : null,
  };
  happen({ type: 'job-submitted', job: { ...job, owner: `owner-${id % owners}`, policy } });
}

/** The oldest attempt ends, and what it leaves free is given to the next task. */
function placeOne(): void {
  const { node, job, index, number } = running[oldest++] as Assigned;
  happen({ type: 'attempt-ended', node, job, index, number, end: COMPLETED });
  if (farm.jobs.size < jobs) submit();
  happen({ type: 'turn-ended' });
  const placed = running.at(-1) as Assigned;
  happen({ type: 'attempt-started', node: placed.node, job: placed.job, index: placed.index, number: placed.number });
  if (oldest < 10_000) return;
  running = running.slice(oldest);
  oldest = 0;
}

for (let node = 0; node < nodes; node++) {
  const description = newNode(`node-${node}` as NodeId, SLOTS);
  const labels = { rack: String(node % 8) };
  happen({
    type: 'node-registered',
    node: { ...description, labels, zone: `zone-${node % 4}` },
    carrier: 'link',
    attempts: [],
    cached: [],
  });
}
for (let job = 0; job < jobs; job++) submit();
do happen({ type: 'turn-ended' });
while (hasToPlace(farm));
for (const { node, job, index, number } of running) happen({ type: 'attempt-started', node, job, index, number });

serve<PlacementQuestion, PlacementAnswer>(({ placements }) => {
  const begin = process.hrtime.bigint();
  for (let one = 0; one < placements; one++) placeOne();
  return { nsEach: Number(process.hrtime.bigint() - begin) / placements };
});
