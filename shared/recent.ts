import { PassingMap } from './passing-map.ts';

/** Remembers what was put in or asked for lately: the newest `least` entries for certain, and never more than twice as many. */
export interface Recent<Key, Value> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  delete(key: Key): void;
}

/**
 * Two generations: what is not asked for while the younger one fills goes with the older one. Dropping the oldest entry of
 * one Map instead costs more the more have been dropped before, because a Map walks over the holes that they left.
 */
export function createRecent<Key, Value>(least: number): Recent<Key, Value> {
  let younger = new PassingMap<Key, Value>();
  let older = new PassingMap<Key, Value>();

  const set = (key: Key, value: Value): void => {
    younger.set(key, value);
    if (younger.size < least) return;
    older = younger;
    younger = new PassingMap();
  };

  return {
    set,
    get(key) {
      const value = younger.get(key);
      if (value !== undefined) return value;
      const aged = older.get(key);
      if (aged !== undefined) set(key, aged);
      return aged;
    },
    delete(key) {
      younger.delete(key);
      older.delete(key);
    },
  };
}
