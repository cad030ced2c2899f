import { mayTake } from './earmarks.ts';
import { fitBits, fitsEmpty, fitsNow, isServing, setFitBits } from './leases.ts';
import { type FarmNode, FIT, type Job, type QueueClass } from './model.ts';
import { headOf } from './ranking.ts';

/** The nodes that are open to a class: every node that fits now is in its list; others may be, until somebody looks. */

/** @returns true when the class fits the node now, or is listed as if it did */
export function listWhenOpen(node: FarmNode, queueClass: QueueClass): boolean {
  const bits = fitBits(node, queueClass);
  if ((bits & FIT.listed) !== 0) return true;
  if (!isOpen(node, queueClass)) return false;
  setFitBits(node, queueClass, fitBits(node, queueClass) | FIT.listed);
  queueClass.open.push(node);
  return true;
}

/** Takes a node out of the list of a class, in which it stands at `at`. */
export function unlist(node: FarmNode, queueClass: QueueClass, at: number): void {
  setFitBits(node, queueClass, fitBits(node, queueClass) & ~FIT.listed);
  const last = queueClass.open.pop();
  if (last !== undefined && last !== node) queueClass.open[at] = last;
}

/** @returns the job that is next in the class, unless the class is saturated */
export function openHead(queueClass: QueueClass): Job | undefined {
  return isSaturated(queueClass) ? undefined : headOf(queueClass);
}

/** @returns true when no node has room for the class */
export function isSaturated(queueClass: QueueClass): boolean {
  dropFull(queueClass);
  return queueClass.open.length === 0;
}

/** Drops full nodes from the end of the list, so that a class which fits nowhere any more shows it at once. */
export function dropFull(queueClass: QueueClass): void {
  for (let last = queueClass.open.at(-1); last !== undefined && !isOpen(last, queueClass); last = queueClass.open.at(-1))
    unlist(last, queueClass, queueClass.open.length - 1);
}

/** @returns true when one more attempt of the class fits the node at this moment */
export function isOpen(node: FarmNode, queueClass: QueueClass): boolean {
  return isServing(node) && mayTake(node, queueClass) && fitsEmpty(node, queueClass) && fitsNow(node, queueClass.demand);
}
