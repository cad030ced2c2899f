import type { FarmNode } from './model.ts';
import type { FarmState } from './state.ts';

/**
 * When to look at which node again. One valid entry a node at most: a later wish than the one that stands is not
 * written down, because whoever looks at the node then asks for the next. So a heartbeat costs nothing here.
 */

/** Looks at the node at `atMs` (steady clock) or earlier. */
export function scheduleCheck(farm: FarmState, node: FarmNode, atMs: number): void {
  if (atMs >= (node.checkAtMs ?? Number.POSITIVE_INFINITY)) return;
  node.checkAtMs = atMs;
  const heap = farm.deadlines;
  const entry = { atMs, node };
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const above = (at - 1) >>> 1;
    const parent = heap[above];
    if (parent === undefined || parent.atMs <= atMs) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = entry;
}

/** @returns the steady-clock time at which `time-passed` is due, ms; undefined when nothing waits for time */
export function nextDeadline(farm: FarmState): number | undefined {
  for (;;) {
    const first = farm.deadlines[0];
    if (first === undefined) return undefined;
    if (first.node.checkAtMs === first.atMs) return first.atMs;
    removeFirst(farm);
  }
}

/** @returns a node that is due, with its entry taken out; undefined when none is */
export function takeDue(farm: FarmState, elapsedMs: number): FarmNode | undefined {
  const due = nextDeadline(farm);
  if (due === undefined || due > elapsedMs) return undefined;
  const node = farm.deadlines[0]?.node;
  removeFirst(farm);
  if (node !== undefined) node.checkAtMs = null;
  return node;
}

function removeFirst(farm: FarmState): void {
  const heap = farm.deadlines;
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && atOf(heap, child + 1) < atOf(heap, child)) child++;
    if (atOf(heap, child) >= last.atMs) break;
    heap[at] = heap[child] as (typeof heap)[number];
    at = child;
  }
  heap[at] = last;
}

function atOf(heap: FarmState['deadlines'], index: number): number {
  return (heap[index] as { atMs: number }).atMs;
}
