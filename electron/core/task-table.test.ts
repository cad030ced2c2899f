import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TaskTable } from './task-table.ts';

const step = fc.record({
  act: fc.constantFrom('add', 'delete'),
  index: fc.integer({ min: 0, max: 40 }),
  stride: fc.constantFrom(1, 16, 64),
});

test('it holds what a map of indices would hold, whatever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const table = new TaskTable<{ readonly index: number }>();
      const expected = new Map<number, { readonly index: number }>();
      for (const { act, index: place, stride } of steps) {
        const index = place * stride;
        if (act === 'delete') {
          table.delete(index);
          expected.delete(index);
        } else if (!expected.has(index)) {
          const task = { index };
          table.add(task);
          expected.set(index, task);
        }
        expect(table.size).toBe(expected.size);
        expect(table.get(index)).toBe(expected.get(index));
      }
      expect(new Set(table.values())).toEqual(new Set(expected.values()));
      for (const [index, task] of expected) expect(table.get(index)).toBe(task);
    }),
  );
});

test('whoever goes costs a look at a few others, however many indices follow each other', () => {
  let looks = 0;
  const table = new TaskTable<{ readonly index: number }>();
  const add = (index: number) =>
    table.add({
      get index() {
        looks++;
        return index;
      },
    });
  for (let index = 0; index < 1_000; index++) add(index);
  looks = 0;
  for (let index = 0; index < 1_000; index++) {
    table.delete(index);
    add(1_000 + index);
  }
  expect(looks).toBeLessThan(10_000);
});
