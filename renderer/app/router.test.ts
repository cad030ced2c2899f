import { expect, test } from 'vitest';
import { hrefOf, type Page, pageOf } from './router.ts';

test('every page is found again by its address', () => {
  const pages: readonly Page[] = [
    { name: 'farm' },
    { name: 'node', node: 'node-1.a_b' },
    { name: 'jobs' },
    { name: 'job', job: 12, task: null },
    { name: 'job', job: 12, task: 0 },
    { name: 'log', attempt: '12.0.1' },
    { name: 'submit' },
    { name: 'settings' },
  ];
  for (const page of pages) expect(pageOf(hrefOf(page))).toEqual(page);
});

test('an address that names nothing is the jobs', () => {
  for (const hash of ['', '#', '#/', '#/nothing', '#/jobs/x', '#/logs/12', '#/jobs/0'])
    expect(pageOf(hash), hash).toEqual({ name: 'jobs' });
  expect(pageOf('#/nodes/%E0%A4%A')).toEqual({ name: 'node', node: '%E0%A4%A' });
});
