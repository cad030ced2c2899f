import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../tests/fakes/silent-logger.ts';
import { createRemovals } from './removals.ts';

describe('removals', () => {
  it('remove a few at a time, in order, and all before they close', async () => {
    let running = 0;
    let most = 0;
    const removed: string[] = [];
    const removals = createRemovals(async (container) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      removed.push(container);
      running -= 1;
    }, silentLogger);
    for (let index = 0; index < 10; index += 1) removals.add(`c${index}`);
    await removals.close();
    expect(removed).toHaveLength(10);
    expect(most).toBe(2);
  });

  it('hold up whoever would add more than the bound', async () => {
    const gate = Promise.withResolvers<void>();
    const removals = createRemovals(() => gate.promise, silentLogger);
    for (let index = 0; index < 80; index += 1) removals.add(`c${index}`);
    let room = false;
    const waiting = removals.room().then(() => {
      room = true;
    });
    await new Promise(setImmediate);
    expect(room).toBe(false);
    gate.resolve();
    await waiting;
    await removals.close();
  });

  it('try again what could not be removed', async () => {
    let failures = 1;
    const done = Promise.withResolvers<string>();
    const removals = createRemovals(async (container) => {
      if (failures-- > 0) throw new Error('engine away');
      done.resolve(container);
    }, silentLogger);
    removals.add('stubborn');
    expect(await done.promise).toBe('stubborn');
    await removals.close();
  });

  it('close although something cannot be removed', async () => {
    const removals = createRemovals(() => Promise.reject(new Error('engine away')), silentLogger);
    removals.add('stubborn');
    await expect(removals.close()).resolves.toBeUndefined();
  });
});
