import type { JobId, NodeId } from '../../shared/ids.ts';
import type { NodeDescription } from '../../shared/node.ts';
import { couldServe, describe, fitsEmpty, fitsNow, isServing, limitsAllow, misfits } from './leases.ts';
import { FarmNode, type Job, type QueueClass } from './model.ts';
import type { Machine, Need, ProvisionView } from './provisioning.ts';
import { goesBefore, hasWaiting } from './queue.ts';
import { firstJobs, headOf } from './ranking.ts';
import { openTasks } from './rows.ts';
import type { FarmState } from './state.ts';

/** Machines that a command makes: `count` of them, all alike. */
export interface MadeMachines {
  readonly ids: readonly string[];
  /** What each will say of itself when it has joined. */
  readonly description: Omit<NodeDescription, 'id'>;
  readonly idleMs: number;
}

/** The label by which a node says which made machine it is. */
export const MACHINE_LABEL = 'lanyard.machine';

/** Jobs of one class that are counted; more work than that asks for all machines anyway. */
const JOBS_COUNTED = 64;
/** A node that its owner kept when it went is not asked again before, ms: it would only go again. */
const OWNER_KEEPS_MS = 3_600_000;

/** What `provisionStep` looks at. Costs a look at every node for each class that waits. */
export function provisionView(farm: FarmState, made: MadeMachines | undefined): ProvisionView {
  const waiting = unmetClasses(farm);
  const needs = waiting.map(
    ({ queueClass }): Need => ({
      key: queueClass.key,
      waiting: firstJobs(queueClass, JOBS_COUNTED).reduce((sum, job) => sum + openTasks(job), 0),
      isServed: [...farm.nodes.values()].some((node) => couldServe(node, queueClass)),
    }),
  );
  const classes = waiting.map(({ queueClass }) => queueClass);
  const machines: Machine[] = [];
  const byMachine = new Map<string, FarmNode>();
  for (const node of farm.nodes.values()) {
    const id = node.description.labels[MACHINE_LABEL];
    if (id !== undefined && node.presence !== 'offline') byMachine.set(id, node);
    const { power } = node.description;
    if (power !== undefined && id === undefined)
      machines.push(asMachine(farm, node, { id: node.id, kind: 'asked', idleMs: power.sleepAfterMs ?? undefined }, classes));
  }
  for (const id of made?.ids ?? []) {
    const node = byMachine.get(id) ?? notYet(made as MadeMachines);
    machines.push(asMachine(farm, node, { id, kind: 'made', idleMs: made?.idleMs }, classes));
  }
  return { machines, needs };
}

/** @returns the names of those of the machines that could serve the job once they are up */
export function machinesFor(farm: FarmState, made: MadeMachines | undefined, machines: readonly string[], id: JobId): string[] {
  const job = farm.jobs.get(id);
  if (job === undefined) return [];
  return machines.flatMap((machine) => {
    const known = farm.nodes.get(machine as NodeId);
    const node = known ?? (made === undefined ? undefined : notYet(made));
    if (node === undefined || misfits(node, job.shared.queueClass).length > 0) return [];
    return [known?.description.name ?? machine];
  });
}

/** Classes whose work waits for a machine and for nothing else, the most urgent first. */
function unmetClasses(farm: FarmState): { readonly queueClass: QueueClass; readonly head: Job }[] {
  const found: { queueClass: QueueClass; head: Job }[] = [];
  for (const queueClass of farm.classes.values()) {
    const head = hasWaiting(queueClass) && limitsAllow(queueClass.demand) ? headOf(queueClass) : undefined;
    if (head === undefined || hasRoom(farm, queueClass)) continue;
    found.push({ queueClass, head });
  }
  return found.sort((one, other) => (goesBefore(one.head, other.head) ? -1 : 1));
}

function hasRoom(farm: FarmState, queueClass: QueueClass): boolean {
  for (const node of farm.nodes.values())
    if (isServing(node) && fitsEmpty(node, queueClass) && fitsNow(node, queueClass.demand)) return true;
  return false;
}

function asMachine(
  farm: FarmState,
  node: FarmNode,
  about: Pick<Machine, 'id' | 'kind' | 'idleMs'>,
  classes: readonly QueueClass[],
): Machine {
  const isUp = node.presence !== 'offline';
  const serves = mayServe(farm, node) ? classes.filter((queueClass) => misfits(node, queueClass).length === 0) : [];
  return {
    ...about,
    isUp,
    isIdle: node.presence === 'online' && node.usedSlots === 0,
    slots: node.description.maxParallel,
    serves: new Set(serves.map(({ key }) => key)),
  };
}

function mayServe(farm: FarmState, node: FarmNode): boolean {
  const isDeaf = node.presence === 'offline' && node.description.power?.macs.length === 0;
  if (isDeaf || node.adminAvailability !== 'available') return false;
  if (node.ownerAvailability === 'available') return true;
  return node.presence === 'offline' && farm.now.elapsedMs - node.lastSeenMs > OWNER_KEEPS_MS;
}

/** A machine that is not there yet, as it will be. */
function notYet({ description }: MadeMachines): FarmNode {
  const node = new FarmNode({ ...description, id: 'not-yet' as FarmNode['id'] }, 'link', 0);
  describe(node, node.description);
  return node;
}
