/** A binary heap. */
export class Heap<Item> {
  readonly items: Item[] = [];
  /** @returns true when the one comes out before the other */
  private readonly before: (one: Item, other: Item) => boolean;

  constructor(before: (one: Item, other: Item) => boolean) {
    this.before = before;
  }

  get top(): Item | undefined {
    return this.items[0];
  }

  push(item: Item): void {
    this.items.push(item);
    this.lift(item, this.items.length - 1);
  }

  removeTop(): void {
    const last = this.items.pop();
    if (last === undefined || this.items.length === 0) return;
    this.items[0] = last;
    this.sinkTop();
  }

  /** An item of the heap may belong further to the front than it stands. Costs a look at all of them. */
  rise(item: Item): void {
    this.lift(item, this.items.indexOf(item));
  }

  /** The first item may belong further back. */
  sinkTop(): void {
    const { items, before } = this;
    const item = items[0] as Item;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1] as Item, items[child] as Item)) child++;
      if (!before(items[child] as Item, item)) break;
      items[at] = items[child] as Item;
      at = child;
    }
    items[at] = item;
  }

  private lift(item: Item, from: number): void {
    const { items, before } = this;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >>> 1;
      if (!before(item, items[above] as Item)) break;
      items[at] = items[above] as Item;
      at = above;
    }
    items[at] = item;
  }
}
