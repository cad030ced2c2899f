import { expect, test } from 'vitest';
import { PassingMap } from './passing-map.ts';

test('holds what a Map holds while entries come and go', () => {
  const passing = new PassingMap<number, string>();
  const plain = new Map<number, string>();
  for (let at = 0; at < 5_000; at++) {
    const key = (at * 7_919) % 1_000;
    passing.set(key, `value ${at}`);
    plain.set(key, `value ${at}`);
    for (const gone of [(at * 31) % 1_000, (at * 17) % 1_000]) {
      passing.delete(gone);
      plain.delete(gone);
    }
    expect(passing.size).toBe(plain.size);
    expect(passing.get(key)).toBe(plain.get(key));
    expect(passing.has(at)).toBe(plain.has(at));
  }
  expect([...passing].sort()).toEqual([...plain].sort());
  expect([...passing.values()].sort()).toEqual([...plain.values()].sort());
});

test('can lose entries while somebody goes through it', () => {
  const passing = new PassingMap<number, number>();
  for (let key = 0; key < 100; key++) passing.set(key, key);
  const seen: number[] = [];
  for (const value of passing.values()) {
    seen.push(value);
    passing.delete(value);
    passing.delete(value + 1);
  }
  expect(seen).toEqual(Array.from({ length: 50 }, (_, half) => 2 * half));
  expect(passing.size).toBe(0);
});
