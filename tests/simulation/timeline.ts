/** What is yet to happen, in simulated milliseconds. Things of the same moment happen in the order in which they were planned. */
export class Timeline {
  nowMs = 0;
  private readonly heap: Planned[] = [];
  private planned = 0;

  after(delayMs: number, action: () => void): void {
    this.at(this.nowMs + Math.max(0, delayMs), action);
  }

  at(timeMs: number, action: () => void): void {
    this.planned++;
    const { heap } = this;
    const item: Planned = { timeMs: Math.max(timeMs, this.nowMs), order: this.planned, action };
    let position = heap.length;
    heap.push(item);
    while (position > 0) {
      const parent = (position - 1) >> 1;
      const above = heap[parent] as Planned;
      if (isBefore(above, item)) break;
      heap[position] = above;
      position = parent;
    }
    heap[position] = item;
  }

  /** @returns false when nothing is left */
  runNext(): boolean {
    const { heap } = this;
    const first = heap[0];
    if (first === undefined) return false;
    const last = heap.pop() as Planned;
    if (heap.length > 0) this.sink(last);
    this.nowMs = first.timeMs;
    first.action();
    return true;
  }

  private sink(item: Planned): void {
    const { heap } = this;
    let position = 0;
    for (;;) {
      let child = position * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Planned, heap[child] as Planned)) child++;
      const below = heap[child] as Planned;
      if (isBefore(item, below)) break;
      heap[position] = below;
      position = child;
    }
    heap[position] = item;
  }
}

interface Planned {
  readonly timeMs: number;
  readonly order: number;
  readonly action: () => void;
}

function isBefore(left: Planned, right: Planned): boolean {
  return left.timeMs < right.timeMs || (left.timeMs === right.timeMs && left.order < right.order);
}
