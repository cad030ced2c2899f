import { expect, test } from 'vitest';
import { createGatheredWrite } from './gathered-write.ts';

/** Longer than any test: only a flush ends such a rest. */
const LONG_MS = 3_600_000;

test('what comes before a write is one write, and never two go on at once', async () => {
  const written: number[] = [];
  let waiting = 0;
  let isWriting = false;
  const gathered = createGatheredWrite(async () => {
    expect(isWriting).toBe(false);
    isWriting = true;
    written.push(waiting);
    waiting = 0;
    await new Promise(setImmediate);
    isWriting = false;
  }, 1);
  const add = () => {
    waiting += 1;
    return gathered.soon();
  };
  await add();
  await Promise.all([add(), add(), add()]);
  expect(written).toEqual([1, 3]);
});

test('a flush waits for no rest, whoever else flushes, and hears of no failure', async () => {
  let writes = 0;
  const gathered = createGatheredWrite(async () => {
    writes += 1;
    if (writes === 2) throw new Error('no room');
  }, LONG_MS);
  const begun = gathered.soon();
  await new Promise(setImmediate);
  expect(writes).toBe(0);
  await gathered.flush();
  await begun;
  const failing = gathered.soon();
  const [first, second] = [gathered.flush(), gathered.flush()];
  await expect(failing).rejects.toThrow('no room');
  const third = gathered.soon();
  await Promise.all([first, second, gathered.flush(), third]);
  expect(writes).toBe(3);
});
