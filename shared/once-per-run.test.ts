import { expect, test } from 'vitest';
import { oncePerRun } from './once-per-run.ts';

test('is made once for each run of one object, and anew for another that is equal', () => {
  const asked: string[] = [];
  const upper = oncePerRun(({ name }: { readonly name: string }) => {
    asked.push(name);
    return name.toUpperCase();
  });
  const [one, other, twin] = [{ name: 'a' }, { name: 'b' }, { name: 'a' }];
  expect([one, one, other, twin, twin, one].map(upper)).toEqual(['A', 'A', 'B', 'A', 'A', 'A']);
  expect(asked).toEqual(['a', 'b', 'a', 'a']);
});

test('what fails is tried again', () => {
  let tries = 0;
  const key = {};
  const make = oncePerRun(() => {
    tries += 1;
    if (tries === 1) throw new Error('not yet');
    return tries;
  });
  expect(() => make(key)).toThrow('not yet');
  expect([make(key), make(key)]).toEqual([2, 2]);
});
