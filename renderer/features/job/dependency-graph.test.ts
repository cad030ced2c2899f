import { expect, test } from 'vitest';
import type { JobDetail } from '../../../shared/view.ts';
import { layOut } from './dependency-graph.ts';

function job(id: number, waits: { after?: number[]; afterAny?: number[]; afterTasks?: number[] } = {}): JobDetail {
  return { id, name: `job ${id}`, dependents: [], spec: { after: [], afterAny: [], afterTasks: [], ...waits } } as unknown as JobDetail;
}

test('each job stands after all that it waits for, whatever order they come in', () => {
  const { jobs, edges } = layOut([job(4, { after: [1, 3] }), job(1), job(3, { afterTasks: [2] }), job(2, { afterAny: [1] })]);
  const column = (id: number) => jobs.find((one) => one.id === id)?.column;
  expect([1, 2, 3, 4].map(column)).toEqual([0, 1, 2, 3]);
  expect(edges).toContainEqual({ from: 2, to: 3, kind: 'tasks' });
});

test('jobs of one column stand in rows of their own; edges from jobs that are not there are left out', () => {
  const { jobs, edges } = layOut([job(5, { after: [1, 99] }), job(6, { after: [1, 1] }), job(1)]);
  expect(jobs.filter(({ column }) => column === 1).map(({ row }) => row)).toEqual([0, 1]);
  expect(edges).toEqual([
    { from: 1, to: 5, kind: 'complete' },
    { from: 1, to: 6, kind: 'complete' },
  ]);
});
