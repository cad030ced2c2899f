/**
 * The tasks of one job by index, by open addressing with linear probing (Knuth, volume 3, 6.4). That makes nothing that has to be
 * collected as tasks come and go, where a `Map` makes a new table every few of them and each such table, once it is old, keeps its
 * successor from being collected young.
 */
export class TaskTable<Task extends { readonly index: number }> {
  size = 0;
  /** As many as a power of two, at most half of them taken. */
  private slots: Slots<Task> = emptySlots(4);

  get(index: number): Task | undefined {
    return this.slots[find(this.slots, index)] ?? undefined;
  }

  /** The caller knows that no task of its index is here. */
  add(task: Task): void {
    this.size++;
    if (this.size * 2 > this.slots.length) this.resize(2 * this.slots.length);
    insert(this.slots, task);
  }

  /** Does nothing when it is not there. */
  delete(index: number): void {
    const at = find(this.slots, index);
    if (this.slots[at] === null) return;
    this.size--;
    remove(this.slots, at);
    if (this.size * 8 < this.slots.length && this.slots.length > 16) this.resize(this.slots.length / 2);
  }

  *values(): Generator<Task> {
    for (const task of this.slots) if (task !== null) yield task;
  }

  private resize(length: number): void {
    const slots: Slots<Task> = emptySlots(length);
    for (const task of this.values()) insert(slots, task);
    this.slots = slots;
  }
}

type Slots<Task> = (Task | null)[];

function emptySlots(length: number): null[] {
  return new Array<null>(length).fill(null);
}

/**
 * Fibonacci hashing: indices that follow each other, as those do that run at once, go far apart. Side by side they would be one run of
 * neighbours, all of which are looked at when one of them goes.
 */
function homeOf<Task>(slots: Slots<Task>, index: number): number {
  return Math.imul(index, 0x9e37_79b1) >>> (Math.clz32(slots.length) + 1);
}

/** @returns the slot of the task, or the free one where it would be */
function find<Task extends { readonly index: number }>(slots: Slots<Task>, index: number): number {
  const mask = slots.length - 1;
  let at = homeOf(slots, index);
  for (let task = slots[at]; task !== null && task?.index !== index; task = slots[at]) at = (at + 1) & mask;
  return at;
}

function insert<Task extends { readonly index: number }>(slots: Slots<Task>, task: Task): void {
  slots[find(slots, task.index)] = task;
}

/** Those behind that would not be found across the gap move into it. */
function remove<Task extends { readonly index: number }>(slots: Slots<Task>, from: number): void {
  const mask = slots.length - 1;
  let gap = from;
  slots[gap] = null;
  for (let at = (gap + 1) & mask; ; at = (at + 1) & mask) {
    const task = slots[at] as Task | null;
    if (task === null) return;
    if (((at - homeOf(slots, task.index)) & mask) < ((at - gap) & mask)) continue;
    slots[gap] = task;
    slots[at] = null;
    gap = at;
  }
}
