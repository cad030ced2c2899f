import { expect, test } from 'vitest';
import type { JobId } from '../../shared/ids.ts';
import { JobTable } from './job-table.ts';
import type { Job } from './model.ts';

function job(id: number): Job {
  return { id: id as JobId } as Job;
}

test('jobs are found by their ids, also by those beyond 32 bits, until they are taken out', () => {
  const table = new JobTable();
  const ids = [1, 255, 256, 257, 2 ** 40 + 1, 2 ** 40 + 2];
  for (const id of ids) table.add(job(id));
  expect(table.size).toBe(ids.length);
  for (const id of ids) expect(table.get(id as JobId)?.id).toBe(id);
  expect(table.get((2 ** 40 + 3) as JobId)).toBeUndefined();
  expect(table.get(2 as JobId)).toBeUndefined();
  table.delete(256 as JobId);
  table.delete(2 as JobId);
  expect(table.has(256 as JobId)).toBe(false);
  expect(table.has(257 as JobId)).toBe(true);
  expect(table.size).toBe(ids.length - 1);
});

test('they are listed by id, in whatever order they came', () => {
  const table = new JobTable();
  for (const id of [700, 3, 2_000, 1]) table.add(job(id));
  expect(Array.from(table.values(), ({ id }) => id)).toEqual([1, 3, 700, 2_000]);
});

test('a second job of the same id is refused', () => {
  const table = new JobTable();
  table.add(job(5));
  expect(() => table.add(job(5))).toThrow('job 5 is already in the farm');
});
