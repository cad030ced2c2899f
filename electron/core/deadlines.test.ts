import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextDeadline, scheduleCheck, takeDue } from './deadlines.ts';
import { CONFIG, description } from './farm.fixture.ts';
import { FarmNode } from './model.ts';
import { createFarm } from './state.ts';

test('nodes come due in the order of their earliest wish, each once', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(9), fc.nat(100)), { maxLength: 60 }), (wishes) => {
      const farm = createFarm(CONFIG);
      const nodes = Array.from({ length: 10 }, (_, at) => new FarmNode(description(`n${at}`), 'link', 0));
      const earliest = new Map<FarmNode, number>();
      for (const [at, ms] of wishes) {
        const node = nodes[at] as FarmNode;
        scheduleCheck(farm, node, ms);
        earliest.set(node, Math.min(ms, earliest.get(node) ?? ms));
      }
      const expected = [...earliest.values()].sort((one, other) => one - other);
      const taken: number[] = [];
      for (let due = nextDeadline(farm); due !== undefined; due = nextDeadline(farm)) {
        expect(takeDue(farm, due - 1)).toBeUndefined();
        const node = takeDue(farm, due) as FarmNode;
        expect(earliest.get(node)).toBe(due);
        earliest.delete(node);
        taken.push(due);
      }
      expect(taken).toEqual(expected);
    }),
  );
});

test('a later wish than the one that stands is not written down', () => {
  const farm = createFarm(CONFIG);
  const node = new FarmNode(description('ash'), 'link', 0);
  for (let ms = 10; ms < 1_000; ms++) scheduleCheck(farm, node, ms);
  expect(farm.deadlines).toHaveLength(1);
});
