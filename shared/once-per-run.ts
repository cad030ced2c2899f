/**
 * As `make`, which is not called again for the object that it was called for last: where the same comes in runs, such as a thousand
 * jobs of one specification, each run is worked out once. By identity, because comparing would cost as much.
 */
export function oncePerRun<Key extends object, Value>(make: (key: Key) => Value): (key: Key) => Value {
  let last: { readonly key: Key; readonly value: Value } | undefined;
  return (key) => {
    if (last?.key !== key) last = { key, value: make(key) };
    return last.value;
  };
}
