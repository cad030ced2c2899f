import type { Explanation } from '../../shared/view.ts';
import { mayTake } from './earmarks.ts';
import { isServing, misfits, slotsOf } from './leases.ts';
import type { Demand, FarmNode, Job } from './model.ts';
import { openTasks } from './rows.ts';
import type { FarmState } from './state.ts';

type Obstacle = Explanation['obstacles'][number];

/** What can be asked for in a smaller amount. */
const RESOURCES = {
  ramMb: {
    text: (amount: number) => memoryText(amount),
    of: 'of memory',
    free: (node: FarmNode) => node.ramMb - node.usedRamMb,
  },
  cpuMilli: {
    text: (amount: number) => `${amount / 1_000} ${amount === 1_000 ? 'core' : 'cores'}`,
    of: 'of CPU',
    free: (node: FarmNode) => node.cpuMilli - node.usedCpuMilli,
  },
  diskMb: {
    text: (amount: number) => memoryText(amount),
    of: 'of disk',
    free: (node: FarmNode) => node.diskMb - node.usedDiskMb,
  },
} as const;
type Resource = keyof typeof RESOURCES;

/**
 * The smallest change that would let something of a job start now: for each resource that alone is in the way, as much of it as
 * is free at most on a node where all else fits, and how many tasks that would start on the farm.
 */
export function reliefFor(farm: FarmState, job: Job): Obstacle[] {
  const found: Obstacle[] = [];
  for (const resource of Object.keys(RESOURCES) as Resource[]) {
    const { demand } = job.shared.queueClass;
    const nodes = [...farm.nodes.values()].filter((node) => isOnlyShortOf(node, job, resource));
    const { free, text, of } = RESOURCES[resource];
    const best = nodes.reduce<FarmNode | undefined>(
      (most, node) => (most === undefined || free(node) > free(most) ? node : most),
      undefined,
    );
    if (best === undefined || free(best) <= 0 || free(best) >= demand[resource]) continue;
    const amount = free(best);
    const tasks = Math.min(
      openTasks(job),
      nodes.reduce((sum, node) => sum + tasksThatFit(node, { ...demand, [resource]: amount }), 0),
    );
    found.push({
      constraint: resource === 'cpuMilli' ? 'cpu' : resource,
      message: `it needs ${text(demand[resource])} ${of}, the largest free is ${text(amount)} on ${best.description.name}`,
      help: `${text(amount)} would start ${tasks === 1 ? '1 task' : `${tasks} tasks`} now`,
      nodes: nodes.length,
    });
  }
  return found;
}

/** @returns `12 GB` where that is a whole number of them, else `12,345 MB` */
function memoryText(mb: number): string {
  return mb >= 1_024 && mb % 1_024 === 0 ? `${mb / 1_024} GB` : `${mb} MB`;
}

function isOnlyShortOf(node: FarmNode, job: Job, resource: Resource): boolean {
  const { queueClass } = job.shared;
  const constraint = resource === 'cpuMilli' ? 'cpu' : resource;
  if (!isServing(node) || !mayTake(node, queueClass) || misfits(node, queueClass).some((one) => one !== constraint)) return false;
  return tasksThatFit(node, { ...queueClass.demand, [resource]: 0 }) > 0;
}

/** @returns how many attempts fit beside what runs on the node now */
function tasksThatFit(node: FarmNode, demand: Demand): number {
  if (node.exclusive > 0 || (demand.exclusive && node.usedSlots > 0)) return 0;
  let most = demand.exclusive ? 1 : slotsOf(node) - node.usedSlots;
  for (const resource of Object.keys(RESOURCES) as Resource[])
    if (demand[resource] > 0) most = Math.min(most, Math.floor(RESOURCES[resource].free(node) / demand[resource]));
  if (demand.gpus > 0) {
    const gpus = node.gpus.filter((gpu) => !gpu.busy && gpu.ramMb >= demand.gpuRamMb && gpu.model.includes(demand.gpuModel)).length;
    most = Math.min(most, node.unknownGpus > 0 ? 0 : Math.floor(gpus / demand.gpus));
  }
  return Math.max(0, most);
}
