import type { OwnerRow, Requirements } from '../../shared/job.ts';
import { Owner, type Task } from './model.ts';
import { rescaleRanks } from './ranking.ts';
import type { FarmState } from './state.ts';

/**
 * Fair shares: among jobs of one priority the owner goes first who has had least of the farm lately, by weight.
 *
 * What somebody has had is counted in core-milliseconds, of which half is forgotten after `fairShareHalfLifeMs`. Instead of letting
 * all sums decay, newer time counts more: 2 ** (time / half-life) times as much. So sums only grow, and the order of two owners
 * changes only when one of them gets something (the same device as in forward decay: Cormode and others, ICDE 2009).
 */

/** Counted at once when an attempt is placed, so that one turn does not give all that is free to one owner. */
const PREPAID_MS = 1_000;
/** Half-lives after which all sums are scaled down, long before a number overflows. */
const RESCALE_AFTER = 400;
/** Memory and GPUs as cores: what a task keeps others from is what counts. */
const RAM_MB_PER_CORE = 4_096;
const CORES_PER_GPU = 8;

/** @returns what one attempt takes of the farm while it runs, in cores */
export function costOf(needs: Pick<Requirements, 'cpu' | 'ramMb' | 'gpus'>): number {
  return Math.max(needs.cpu, needs.ramMb / RAM_MB_PER_CORE, needs.gpus * CORES_PER_GPU);
}

/** @returns the owner, made when it is new */
export function ownerOf(farm: FarmState, name: string): Owner {
  let owner = farm.owners.get(name);
  if (owner === undefined) {
    const { ownerWeights, ownerTasks } = farm.config;
    owner = new Owner(name, ownerWeights[name] ?? 1, ownerTasks[name] ?? ownerTasks['*'] ?? Number.POSITIVE_INFINITY);
    farm.owners.set(name, owner);
  }
  return owner;
}

/** What was stored of the owners, at a start. The wall clock tells how long ago; set back, it forgets nothing. */
export function recoverOwners(farm: FarmState, rows: readonly OwnerRow[]): void {
  farm.sharesSinceMs = farm.now.elapsedMs;
  for (const { owner: name, usage, at } of rows) {
    const owner = ownerOf(farm, name);
    owner.share = (usage / owner.weight) * 2 ** (-Math.max(0, farm.now.wallMs - at) / farm.config.fairShareHalfLifeMs);
  }
}

/** An attempt was placed: its first moments are counted now. */
export function prepay(farm: FarmState, task: Task): void {
  addUsage(farm, task, PREPAID_MS);
  task.paidUntilMs = farm.now.elapsedMs + PREPAID_MS;
}

/** Counts what the attempt has had since it was counted last; what its worker keeps frozen has nothing. */
export function charge(farm: FarmState, task: Task): void {
  const ms = farm.now.elapsedMs - task.paidUntilMs;
  if (ms <= 0) return;
  if (task.frozenSinceMs === 0) addUsage(farm, task, ms);
  task.paidUntilMs = farm.now.elapsedMs;
}

/** @returns what the owner has had lately, core-milliseconds */
export function usageOf(farm: FarmState, owner: Owner): number {
  return (owner.share * owner.weight) / growth(farm);
}

export function rowOfOwner(farm: FarmState, owner: Owner): OwnerRow {
  return { owner: owner.name, usage: usageOf(farm, owner), at: Math.round(farm.now.wallMs) };
}

function addUsage(farm: FarmState, task: Task, ms: number): void {
  const { owner, shared } = task.job;
  if ((farm.now.elapsedMs - farm.sharesSinceMs) / farm.config.fairShareHalfLifeMs > RESCALE_AFTER) rescale(farm);
  owner.share += (ms * shared.queueClass.demand.cost * growth(farm)) / owner.weight;
}

/** How much more time counts now than it did when the sums began. */
function growth(farm: FarmState): number {
  return 2 ** ((farm.now.elapsedMs - farm.sharesSinceMs) / farm.config.fairShareHalfLifeMs);
}

/** All sums begin anew from what is left of them, in the same order. */
function rescale(farm: FarmState): void {
  const factor = growth(farm);
  for (const owner of farm.owners.values()) owner.share /= factor;
  rescaleRanks(farm, factor);
  farm.sharesSinceMs = farm.now.elapsedMs;
}
