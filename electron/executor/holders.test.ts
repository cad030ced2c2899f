import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../tests/fakes/silent-logger.ts';
import { createHolders } from './holders.ts';

/** An engine that starts holders when it is told to. */
function scene(slots: number) {
  const removed: string[] = [];
  const starting: { image: string; settle: PromiseWithResolvers<string | undefined> }[] = [];
  const engine = {
    start(image: string) {
      const settle = Promise.withResolvers<string | undefined>();
      starting.push({ image, settle });
      return settle.promise;
    },
    remove: (container: string) => removed.push(container),
  };
  const holders = createHolders(slots, engine, silentLogger);
  const finish = async (result: string | undefined | Error) => {
    const next = starting.shift();
    if (result instanceof Error) next?.settle.reject(result);
    else next?.settle.resolve(result);
    await new Promise(setImmediate);
  };
  return { holders, removed, starting, finish };
}

describe('holders', () => {
  it('are made behind the first task and given to the next', async () => {
    const { holders, starting, finish } = scene(1);
    expect(holders.take('a')).toBeUndefined();
    expect(starting.map(({ image }) => image)).toEqual(['a']);
    await finish('holder-1');
    const holder = holders.take('b');
    expect(holder).toEqual({ container: 'holder-1' });
    expect(holders.take('b')).toBeUndefined();
    expect(starting).toEqual([]);
    if (holder !== undefined) holders.release(holder);
    expect(holders.take('c')).toBe(holder);
  });

  it('are made one at a time and never more than there are slots', async () => {
    const { holders, starting, finish } = scene(2);
    for (let task = 0; task < 3; task += 1) holders.take('a');
    expect(starting).toHaveLength(1);
    await finish('holder-1');
    const first = holders.take('a');
    holders.take('a');
    await finish('holder-2');
    const second = holders.take('a');
    expect(new Set([first?.container, second?.container])).toEqual(new Set(['holder-1', 'holder-2']));
    expect(holders.take('a')).toBeUndefined();
    expect(starting).toEqual([]);
  });

  it('that have died are removed and made anew', async () => {
    const { holders, removed, starting, finish } = scene(1);
    holders.take('a');
    await finish('holder-1');
    const holder = holders.take('a');
    if (holder !== undefined) holders.discard(holder);
    expect(removed).toEqual(['holder-1']);
    expect(holders.take('a')).toBeUndefined();
    expect(starting).toHaveLength(1);
  });

  it('are not tried again with an image that has nothing that sleeps, but with another', async () => {
    const { holders, starting, finish } = scene(1);
    holders.take('distroless');
    await finish(undefined);
    holders.take('distroless');
    expect(starting).toEqual([]);
    holders.take('debian');
    expect(starting).toHaveLength(1);
    await finish(new Error('engine busy'));
    holders.take('debian');
    expect(starting).toHaveLength(1);
  });

  it('are all removed at the end, also those in use and in the making', async () => {
    const { holders, removed, finish } = scene(3);
    holders.take('a');
    await finish('used');
    const used = holders.take('a');
    holders.take('a');
    await finish('free');
    const free = holders.take('a');
    holders.take('a');
    if (free !== undefined) holders.release(free);
    const closed = holders.close();
    await finish('in the making');
    await closed;
    if (used !== undefined) holders.release(used);
    expect(removed.sort()).toEqual(['free', 'in the making', 'used']);
  });
});
