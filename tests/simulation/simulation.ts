import { provisionStep } from '../../electron/core/provisioning.ts';
import { nodeIds, nodeSummary, totals } from '../../electron/core/queries.ts';
import type { FarmState } from '../../electron/core/state.ts';
import { step } from '../../electron/core/step.ts';
import type { NodeId } from '../../shared/ids.ts';
import { isTerminal } from '../../shared/job.ts';
import { CoordinatorHost } from './coordinator-host.ts';
import { gatherPeople, letGo } from './people.ts';
import { PollHost } from './poll-host.ts';
import { ProvisionHost } from './provision-host.ts';
import { createRandom } from './random.ts';
import { Referee, Violation } from './referee.ts';
import { drawScenario } from './scenario.ts';
import { brewStorm, calm, type Farm } from './storm.ts';
import { Timeline } from './timeline.ts';
import { Trace } from './trace.ts';
import { WorkerHost } from './worker-host.ts';
import type { World } from './world.ts';

export interface SimulationOptions {
  /** Prints each event as it happens. */
  readonly print?: (line: string) => void;
  /** Stands in for the core's `step`, to show that a fault in it is found. */
  readonly step?: typeof step;
  /** The same for what decides on machines. */
  readonly provisionStep?: typeof provisionStep;
}

export interface SimulationResult {
  readonly seed: number;
  readonly events: number;
  /** The same for two runs exactly when the same happened. */
  readonly digest: string;
  readonly jobs: number;
  /** How often each kind of thing happened. */
  readonly counts: ReadonlyMap<string, number>;
  readonly violation: { readonly message: string; readonly event: number; readonly tail: readonly string[] } | undefined;
}

/** Simulated time after the storm in which everything must come to its end. */
const CALM_MS = 3_600_000;
const LOOK_EVERY_MS = 2_000;
/** More than any run needs; a run that reaches it does not end by itself. */
const MOST_EVENTS = 500_000;

/** Runs a whole farm through a storm and the calm after it, all drawn from `seed`, and judges it after every event. */
export function simulate(seed: number, options: SimulationOptions = {}): SimulationResult {
  const farm = build(seed, options);
  const { trace } = farm.world;
  let violation: SimulationResult['violation'];
  try {
    run(farm);
  } catch (error) {
    const message = error instanceof Violation ? error.message : `${error instanceof Error ? error.stack : error}`;
    violation = { message, event: trace.events, tail: trace.tail() };
  }
  const jobs = farm.coordinator.disk.jobs.size;
  return { seed, events: trace.events, digest: trace.digest, jobs, counts: trace.counts, violation };
}

function build(seed: number, options: SimulationOptions): Farm {
  const random = createRandom(seed);
  const scenario = drawScenario(random);
  const world: World = {
    scenario,
    random,
    timeline: new Timeline(),
    trace: new Trace(options.print),
    referee: new Referee(scenario.farm.limits, scenario.pollers),
    step: options.step ?? step,
    provisionStep: options.provisionStep ?? provisionStep,
    calm: false,
  };
  const coordinator = new CoordinatorHost(world);
  const workers = scenario.workers.map((description) => new WorkerHost(world, coordinator, description));
  const pollers = scenario.pollers.map((description) => new PollHost(world, coordinator, description));
  return { world, coordinator, workers, pollers };
}

function run(farm: Farm): void {
  const { world, coordinator, workers, pollers } = farm;
  const { timeline, scenario, trace, referee } = world;
  coordinator.start();
  for (const host of [...workers, ...pollers]) host.start();
  if (scenario.provision !== null) new ProvisionHost(world, scenario.provision, coordinator, workers).start();
  brewStorm(farm);
  gatherPeople(farm);
  let done = false;
  const look = () => {
    if (coordinator.isSettled && coordinator.farm !== undefined) referee.compareAll(coordinator.disk, coordinator.farm);
    if (timeline.nowMs >= scenario.stormMs) {
      if (!world.calm) calm(farm);
      coordinator.machine.whenAwake(() => letGo(farm));
      done = isDone(farm);
    }
    if (!done) timeline.after(LOOK_EVERY_MS, look);
  };
  timeline.after(LOOK_EVERY_MS, look);
  while (!done && timeline.runNext()) {
    if (timeline.nowMs > scenario.stormMs + CALM_MS) referee.fail(`does not come to its end: ${whatIsLeft(farm)}`);
    if (trace.events > MOST_EVENTS) referee.fail(`goes on and on: ${whatIsLeft(farm)}`);
  }
  if (!done) referee.fail('nothing is left to happen, and not everything has ended');
  judgeEnd(farm);
}

/** All jobs have ended, the workers have nothing in hand, and nothing is reserved. */
function isDone({ coordinator, workers, pollers }: Farm): boolean {
  const { farm, disk } = coordinator;
  return (
    farm !== undefined &&
    coordinator.isSettled &&
    disk.liveJobs().length === 0 &&
    [...workers, ...pollers].every(({ idle }) => idle) &&
    nodeIds(farm).every((node) => inUse(farm, node).length === 0) &&
    [...farm.limits.values()].every(({ used }) => used === 0)
  );
}

function inUse(farm: FarmState, node: NodeId): string[] {
  return Object.entries(nodeSummary(farm, node)?.used ?? {})
    .filter(([, used]) => used !== 0)
    .map(([what, used]) => `${used} ${what} of ${node}`);
}

function whatIsLeft({ coordinator, workers, pollers }: Farm): string {
  const jobs = coordinator.disk.liveJobs().map(({ id, state, counts }) => `job ${id} is ${state} ${JSON.stringify(counts)}`);
  const busy = [...workers, ...pollers].filter(({ idle }) => !idle).map(({ description }) => `${description.id} is not idle`);
  const { farm } = coordinator;
  const used = farm === undefined ? ['the coordinator is down'] : nodeIds(farm).flatMap((node) => inUse(farm, node));
  const held = [...(farm?.limits.values() ?? [])]
    .filter(({ used }) => used !== 0)
    .map(({ name, used }) => `${used} of the limit ${name} held`);
  return [...jobs, ...busy, ...used, ...held].join('; ');
}

/** Every job's end follows from its tasks' ends, and its counts are theirs. */
function judgeEnd({ world, coordinator }: Farm): void {
  const { disk, farm } = coordinator;
  if (farm === undefined || totals(farm).cpu.used !== 0) world.referee.fail('at the end CPU is in use');
  for (const row of disk.jobs.values()) {
    const states = Array.from({ length: row.taskCount }, (_, index) => {
      const state = disk.task(row.id, index)?.state;
      return state !== undefined && isTerminal(state) ? state : row.restState;
    });
    for (const [state, count] of Object.entries(row.counts)) {
      const counted = states.filter((other) => other === state).length;
      if (counted !== count) world.referee.fail(`at the end job ${row.id} counts ${count} tasks that are ${state}, and ${counted} are`);
    }
    const allComplete = row.counts.COMPLETED === row.taskCount;
    if (!isTerminal(row.state) || (row.state === 'COMPLETED') !== allComplete)
      world.referee.fail(`at the end job ${row.id} is ${row.state} with ${JSON.stringify(row.counts)}`);
  }
}
