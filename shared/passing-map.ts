/**
 * A map whose entries come and go all the time. A `Map` makes a new table every few of them, and each table keeps its successor from
 * being collected as long as it is itself uncollected: once one of them is old to the collector, all that ever stood in a later one
 * grows old too, garbage or not. So this begins anew with what is left of it, in a table that nothing else refers to.
 */
export class PassingMap<Key, Value> {
  private map = new Map<Key, Value>();
  /** Since it began anew. */
  private deletions = 0;

  get size(): number {
    return this.map.size;
  }

  get(key: Key): Value | undefined {
    return this.map.get(key);
  }

  has(key: Key): boolean {
    return this.map.has(key);
  }

  /** Whoever goes through it meanwhile may not see it. */
  set(key: Key, value: Value): void {
    if (this.deletions > this.map.size + SPARED_DELETIONS) {
      this.map = new Map(this.map);
      this.deletions = 0;
    }
    this.map.set(key, value);
  }

  delete(key: Key): void {
    if (this.map.delete(key)) this.deletions++;
  }

  values(): MapIterator<Value> {
    return this.map.values();
  }

  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.map.entries();
  }
}

/** Deletions that are not worth beginning anew for. */
const SPARED_DELETIONS = 16;
