import { holds, type Labels } from '../../shared/label-expression.ts';
import type { Gpu, NodeDescription } from '../../shared/node.ts';
import { type Demand, type FarmNode, FIT, type GpuSlot, NONE, type QueueClass, type Task } from './model.ts';
import { type FarmState, markClass, markNode } from './state.ts';

/** What nodes have, what attempts reserve of it, and what fits. Reserved at assignment, released once. */

/** @returns true when new work may be placed on the node as far as the node itself goes; its free resources are another matter */
export function isServing(node: FarmNode): boolean {
  return (
    node.presence === 'online' &&
    node.unhealthyUntilMs === 0 &&
    node.adminAvailability === 'available' &&
    node.ownerAvailability === 'available'
  );
}

/** @returns true when the node is there and willing and could run the class if it were empty; it may be busy or cooling down */
export function couldServe(node: FarmNode, queueClass: QueueClass): boolean {
  return (
    node.presence !== 'offline' &&
    node.adminAvailability === 'available' &&
    node.ownerAvailability === 'available' &&
    fitsEmpty(node, queueClass)
  );
}

/** True without `misfits`; remembered per node and class. */
export function fitsEmpty(node: FarmNode, queueClass: QueueClass): boolean {
  const known = fitBits(node, queueClass);
  if ((known & (FIT.yes | FIT.no)) !== 0) return (known & FIT.yes) !== 0;
  const fits = misfits(node, queueClass).length === 0;
  setFitBits(node, queueClass, known | (fits ? FIT.yes : FIT.no));
  return fits;
}

/** @returns the node's bits for the class (`FIT`) */
export function fitBits(node: FarmNode, queueClass: QueueClass): number {
  return queueClass.fit[node.ordinal] ?? 0;
}

export function setFitBits(node: FarmNode, queueClass: QueueClass, bits: number): void {
  if (node.ordinal >= queueClass.fit.length) {
    const larger = new Uint8Array(Math.max(node.ordinal + 1, queueClass.fit.length * 2));
    larger.set(queueClass.fit);
    queueClass.fit = larger;
  }
  queueClass.fit[node.ordinal] = bits;
}

export type Constraint = 'where' | 'cpu' | 'ramMb' | 'diskMb' | 'gpus' | 'gpuModel' | 'gpuRamMb' | 'labels' | 'zone' | 'executor';

/** @returns all about the node that keeps the class off it even when the node is empty */
export function misfits(node: FarmNode, queueClass: QueueClass): Constraint[] {
  const { demand, policy } = queueClass;
  const { capacity, labels, zone } = node.description;
  const found: Constraint[] = [];
  if (!hasExecutor(node, queueClass.executor)) found.push('executor');
  if (policy.requirements.zone !== undefined && policy.requirements.zone !== zone) found.push('zone');
  if (!policy.requirements.labels.every((label) => hasLabel(labels, label))) found.push('labels');
  if (queueClass.where !== null && !holds(queueClass.where, labelsOf(node))) found.push('where');
  if (demand.cpuMilli > node.cpuMilli) found.push('cpu');
  if (demand.ramMb > capacity.ramMb) found.push('ramMb');
  if (demand.diskMb > capacity.diskMb) found.push('diskMb');
  if (demand.gpus > node.gpus.length) found.push('gpus');
  else if (demand.gpus > node.gpus.filter((gpu) => gpu.model.includes(demand.gpuModel)).length) found.push('gpuModel');
  else if (demand.gpus > node.gpus.filter((gpu) => gpuSuffices(gpu, demand)).length) found.push('gpuRamMb');
  return found;
}

/** @returns what conditions can ask of a node: its labels, and what it says of itself */
export function labelsOf(node: FarmNode): Labels {
  const { os, arch, zone, name, labels, capacity } = node.description;
  const own: Readonly<Record<string, string | number>> = {
    os,
    arch,
    zone,
    name,
    cpu: capacity.cpu,
    ramMb: capacity.ramMb,
    gpus: capacity.gpus.length,
  };
  return (label) => {
    if (Object.hasOwn(own, label)) return own[label] === '' ? undefined : String(own[label]);
    return Object.hasOwn(labels, label) ? labels[label] : undefined;
  };
}

/** A worker that polls and names no executor says nothing about them; it is believed to have what it is given. */
export function hasExecutor(node: FarmNode, executor: QueueClass['executor']): boolean {
  const executors = node.description.executors;
  return executors.includes(executor) || executors.includes('null') || (executors.length === 0 && node.carrier === 'poll');
}

/** @param label `name`, which any value satisfies, or `name=value` */
export function hasLabel(labels: NodeDescription['labels'], label: string): boolean {
  const equals = label.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, label);
  const name = label.slice(0, equals);
  return Object.hasOwn(labels, name) && labels[name] === label.slice(equals + 1);
}

/** Attempts the node may have at once now. */
export function slotsOf(node: FarmNode): number {
  return node.probation ? 1 : node.maxParallel;
}

/** @returns true when what is free on the node suffices; farm-wide limits are another matter */
export function fitsNow(node: FarmNode, demand: Demand): boolean {
  return (
    node.usedSlots < slotsOf(node) &&
    node.exclusive === 0 &&
    (!demand.exclusive || node.usedSlots === 0) &&
    demand.cpuMilli <= node.cpuMilli - node.usedCpuMilli &&
    demand.ramMb <= node.ramMb - node.usedRamMb &&
    demand.diskMb <= Math.max(0, node.diskMb - node.usedDiskMb) &&
    (demand.gpus === 0 || demand.gpus <= freeGpus(node, demand).length)
  );
}

/** @returns true when what is free on the node suffices once these attempts on it have ended */
export function fitsWithout(node: FarmNode, demand: Demand, ended: readonly Task[]): boolean {
  const held = ended.map((task) => task.job.shared.queueClass.demand);
  const sum = (what: 'cpuMilli' | 'ramMb' | 'diskMb') => held.reduce((total, one) => total + one[what], 0);
  const slots = node.usedSlots - ended.length;
  if (node.exclusive > held.filter(({ exclusive }) => exclusive).length || (demand.exclusive && slots > 0)) return false;
  const gpuIds = new Set(ended.flatMap(({ gpus }) => gpus));
  const gpus = node.gpus.filter((gpu) => (!gpu.busy || gpuIds.has(gpu.id)) && gpuSuffices(gpu, demand));
  return (
    slots < slotsOf(node) &&
    demand.cpuMilli <= node.cpuMilli - node.usedCpuMilli + sum('cpuMilli') &&
    demand.ramMb <= node.ramMb - node.usedRamMb + sum('ramMb') &&
    demand.diskMb <= Math.max(0, node.diskMb - node.usedDiskMb + sum('diskMb')) &&
    (demand.gpus === 0 || (node.unknownGpus === 0 && gpus.length >= demand.gpus))
  );
}

/** @returns true when every farm-wide counter the demand holds has enough left */
export function limitsAllow(demand: Demand): boolean {
  for (const { limit, amount } of demand.limits) if (limit.used + amount > limit.capacity) return false;
  return true;
}

/**
 * Takes what one attempt needs.
 * @returns the ids of its GPUs: the smallest that suffice
 * @throws Error when it does not fit; whoever calls has looked
 */
export function reserve(node: FarmNode, demand: Demand): readonly string[] {
  if (!fitsNow(node, demand) || !limitsAllow(demand)) throw new Error(`${node.id} has no room for what is placed on it`);
  take(node, demand);
  if (demand.gpus === 0) return NONE;
  const gpus = freeGpus(node, demand)
    .sort((gpu, other) => gpu.ramMb - other.ramMb)
    .slice(0, demand.gpus);
  for (const gpu of gpus) gpu.busy = true;
  return gpus.map((gpu) => gpu.id);
}

/**
 * Takes what an attempt already has, after a restart. Which GPUs those are its worker says (`adoptGpus`); until it does no other
 * GPU work goes to its node.
 */
export function reserveAdopted(node: FarmNode, demand: Demand): void {
  take(node, demand);
  if (demand.gpus > 0) node.unknownGpus++;
  noteShrunk(node);
}

/**
 * The worker of an adopted attempt says which GPUs it was given.
 * @returns them; none when they are not the node's, not free or not as many as it needs, and then they stay unknown
 */
export function adoptGpus(node: FarmNode, demand: Demand, ids: readonly string[]): readonly string[] {
  const gpus = node.gpus.filter(({ id, busy }) => !busy && ids.includes(id));
  if (demand.gpus === 0 || gpus.length !== demand.gpus || ids.length !== demand.gpus) return NONE;
  for (const gpu of gpus) gpu.busy = true;
  node.unknownGpus--;
  return gpus.map(({ id }) => id);
}

/** Gives back what `reserve` or `reserveAdopted` took, and marks whoever may use it. */
export function release(farm: FarmState, node: FarmNode, demand: Demand, gpus: readonly string[]): void {
  node.usedCpuMilli -= demand.cpuMilli;
  node.usedRamMb -= demand.ramMb;
  node.usedDiskMb -= demand.diskMb;
  node.usedSlots--;
  if (demand.exclusive) node.exclusive--;
  if (demand.gpus > 0) {
    if (gpus.length === 0) node.unknownGpus--;
    for (const gpu of node.gpus) if (gpus.includes(gpu.id)) gpu.busy = false;
  }
  for (const { limit, amount } of demand.limits) {
    limit.used -= amount;
    for (const queueClass of limit.classes) markClass(farm, queueClass);
  }
  if (node.shrunk) noteShrunk(node);
  markNode(farm, node);
}

/** The node says anew what it is; what is reserved stays reserved. */
export function describe(node: FarmNode, description: NodeDescription): void {
  node.description = description;
  node.ownerAvailability = description.availability;
  node.zone = description.zone;
  node.cpuMilli = Math.floor(description.capacity.cpu * 1000 + 1e-6);
  node.ramMb = description.capacity.ramMb;
  node.diskMb = description.capacity.diskMb;
  node.maxParallel = description.maxParallel;
  // Asked of those that hold them: a GPU may leave a description, and come back while its attempt still runs.
  const busy = new Set([...node.tasks, ...node.stopping.values()].flatMap(({ gpus }) => gpus));
  node.gpus = description.capacity.gpus.map(
    (gpu: Gpu): GpuSlot => ({
      id: gpu.id,
      ramMb: gpu.ramMb,
      model: gpu.model.toLowerCase(),
      busy: busy.has(gpu.id),
    }),
  );
  noteShrunk(node);
}

function take(node: FarmNode, demand: Demand): void {
  node.usedCpuMilli += demand.cpuMilli;
  node.usedRamMb += demand.ramMb;
  node.usedDiskMb += demand.diskMb;
  node.usedSlots++;
  if (demand.exclusive) node.exclusive++;
  for (const { limit, amount } of demand.limits) limit.used += amount;
}

function freeGpus(node: FarmNode, demand: Demand): GpuSlot[] {
  return node.unknownGpus > 0 ? [] : node.gpus.filter((gpu) => !gpu.busy && gpuSuffices(gpu, demand));
}

function gpuSuffices(gpu: GpuSlot, demand: Demand): boolean {
  return gpu.ramMb >= demand.gpuRamMb && gpu.model.includes(demand.gpuModel);
}

function noteShrunk(node: FarmNode): void {
  node.shrunk =
    node.usedCpuMilli > node.cpuMilli || node.usedRamMb > node.ramMb || node.usedDiskMb > node.diskMb || node.usedSlots > node.maxParallel;
}
