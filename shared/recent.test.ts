import { expect, test } from 'vitest';
import { createRecent } from './recent.ts';

test('the newest entries are there, and old ones that nobody asks for are not', () => {
  const recent = createRecent<number, string>(3);
  for (let key = 1; key <= 20; key++) {
    recent.set(key, `value ${key}`);
    for (let back = 0; back < Math.min(3, key); back++) expect(recent.get(key - back)).toBe(`value ${key - back}`);
  }
  expect(recent.get(10)).toBeUndefined();
});

test('an entry that is asked for stays', () => {
  const recent = createRecent<number, string>(3);
  recent.set(0, 'kept');
  for (let key = 1; key <= 20; key++) {
    recent.set(key, 'other');
    expect(recent.get(0)).toBe('kept');
  }
});

test('what is set again or deleted is so in both generations', () => {
  const recent = createRecent<number, string>(2);
  recent.set(1, 'first');
  recent.set(2, 'fills the generation');
  recent.set(1, 'second');
  expect(recent.get(1)).toBe('second');
  recent.delete(1);
  recent.delete(2);
  expect([recent.get(1), recent.get(2)]).toEqual([undefined, undefined]);
});
