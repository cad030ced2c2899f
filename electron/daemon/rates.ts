import type { Clock } from '../ports/system.ts';

/**
 * Turns counters that only grow into rates.
 * @returns a function that gives each counter's mean growth a second since it was called last (since now, the first time)
 */
export function createRates<Name extends string>(
  clock: Pick<Clock, 'elapsedMs'>,
  count: () => Readonly<Record<Name, number>>,
): () => Record<Name, number> {
  let before = count();
  let atMs = clock.elapsedMs();
  return () => {
    const now = count();
    const nowMs = clock.elapsedMs();
    const seconds = (nowMs - atMs) / 1_000;
    const names = Object.keys(now) as Name[];
    const rates = names.map((name) => [name, seconds > 0 ? Math.max(0, now[name] - before[name]) / seconds : 0] as const);
    before = now;
    atMs = nowMs;
    return Object.fromEntries(rates) as Record<Name, number>;
  };
}
