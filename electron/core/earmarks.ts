import { fitsEmpty, isServing, limitsAllow } from './leases.ts';
import type { FarmNode, QueueClass } from './model.ts';
import { hasWaiting } from './queue.ts';
import { headOf } from './ranking.ts';
import { type FarmState, markNode } from './state.ts';

/**
 * Nodes that are kept free for a class. Work that needs much of a node, or all of it, would never start on a farm that is busy with
 * small work: whatever comes free is taken at once. So a class that has waited long, with nothing of it placed although it is next, gets
 * a node kept free for it; and so does one that other work makes room for (`preemption.ts`).
 */
const KEEP_FREE_AFTER_MS = 60_000;

/** A node has something free, but not enough for the class, which goes before all that would: perhaps it is time to let it run empty. */
export function considerEarmark(farm: FarmState, node: FarmNode, queueClass: QueueClass): void {
  if (node.earmark !== null || queueClass.earmarks.size > 0) return;
  if (farm.now.elapsedMs - queueClass.waitingSinceMs < KEEP_FREE_AFTER_MS) return;
  const head = headOf(queueClass);
  if (head === undefined || !fitsEmpty(node, queueClass) || !limitsAllow(queueClass.demand)) return;
  for (const other of farm.classes.values()) {
    const before = other.buckets.find(({ live }) => live > 0);
    if (before !== undefined && before.priority > head.priority && fitsEmpty(node, other)) return;
  }
  earmark(farm, node, queueClass);
}

/** Keeps a node free that is kept for nobody yet. */
export function earmark(farm: FarmState, node: FarmNode, queueClass: QueueClass): void {
  node.earmark = queueClass;
  queueClass.earmarks.add(node);
  farm.earmarked.add(queueClass);
}

/** Gives free again what is kept for nobody: who waited has been served elsewhere, was cancelled, or cannot use it now. */
export function reviewEarmarks(farm: FarmState): void {
  for (const queueClass of farm.earmarked) {
    const isWanted = hasWaiting(queueClass) && headOf(queueClass) !== undefined && limitsAllow(queueClass.demand);
    for (const node of queueClass.earmarks) if (!isWanted || !isServing(node) || !fitsEmpty(node, queueClass)) dropEarmark(farm, node);
  }
}

/** One of the class was placed: it needs one node less. */
export function spendEarmark(farm: FarmState, queueClass: QueueClass, placedOn: FarmNode): void {
  if (queueClass.earmarks.size === 0) return;
  const [any] = queueClass.earmarks;
  dropEarmark(farm, queueClass.earmarks.has(placedOn) ? placedOn : (any as FarmNode));
}

/** The class is gone. */
export function dropEarmarks(farm: FarmState, queueClass: QueueClass): void {
  for (const node of queueClass.earmarks) dropEarmark(farm, node);
}

export function dropEarmark(farm: FarmState, node: FarmNode): void {
  const queueClass = node.earmark;
  if (queueClass === null) return;
  node.earmark = null;
  queueClass.earmarks.delete(node);
  if (queueClass.earmarks.size === 0) farm.earmarked.delete(queueClass);
  markNode(farm, node);
}

/** @returns true unless the node is kept free for another class */
export function mayTake(node: FarmNode, queueClass: QueueClass): boolean {
  return node.earmark === null || node.earmark === queueClass;
}
