import { fitsEmpty, isServing, limitsAllow } from './leases.ts';
import { hasWaiting, headOf } from './queue.ts';
import type { FarmNode, FarmState, QueueClass } from './state.ts';

/**
 * Work that needs much of a node, or all of it, would never start on a farm that is busy with small work: whatever comes free is
 * taken at once. So a class that has waited long, with nothing of it placed, gets a node kept free for it.
 */
const KEEP_FREE_AFTER_MS = 60_000;

/** A node has something free, but not enough for the class: perhaps it is time to let it run empty. */
export function considerEarmark(farm: FarmState, node: FarmNode, queueClass: QueueClass): void {
  if (node.earmark !== null || queueClass.earmark !== null) return;
  if (farm.now.elapsedMs - queueClass.waitingSinceMs < KEEP_FREE_AFTER_MS) return;
  const head = headOf(queueClass);
  if (head === undefined || !fitsEmpty(node, queueClass) || !limitsAllow(queueClass.demand)) return;
  for (const other of farm.classes.values()) {
    const before = other.buckets.find(({ live }) => live > 0);
    if (before !== undefined && before.priority > head.priority && fitsEmpty(node, other)) return;
  }
  node.earmark = queueClass;
  queueClass.earmark = node;
  farm.earmarked.add(queueClass);
}

/** Gives free again what is kept for nobody: who waited has been served elsewhere, was cancelled, or cannot use it now. */
export function reviewEarmarks(farm: FarmState): void {
  for (const queueClass of farm.earmarked) {
    const node = queueClass.earmark;
    const isOfUse = node !== null && isServing(node) && fitsEmpty(node, queueClass);
    if (isOfUse && hasWaiting(queueClass) && headOf(queueClass) !== undefined && limitsAllow(queueClass.demand)) continue;
    dropEarmark(farm, queueClass);
  }
}

/** The class has been served, or is gone. */
export function dropEarmark(farm: FarmState, queueClass: QueueClass): void {
  const node = queueClass.earmark;
  if (node === null) return;
  queueClass.earmark = null;
  farm.earmarked.delete(queueClass);
  node.earmark = null;
  farm.dirtyNodes.add(node);
}

/** @returns true unless the node is kept free for another class */
export function mayTake(node: FarmNode, queueClass: QueueClass): boolean {
  return node.earmark === null || node.earmark === queueClass;
}
