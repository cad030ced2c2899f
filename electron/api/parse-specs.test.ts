import { expect, test } from 'vitest';
import { jobSpecSchema } from '../../shared/job.ts';
import { createSpecParser } from './parse-specs.ts';

test('gives one object to jobs that say the same, and each other job its own', () => {
  const parse = createSpecParser();
  const job = () => ({ command: 'render {frame}', requirements: { cpu: 2 } });
  const first = parse(job()).data;
  expect(first).toEqual(jobSpecSchema.parse(job()));
  expect(parse(job()).data).toBe(first);
  expect(parse({ ...job(), name: 'another' }).data).toMatchObject({ name: 'another', requirements: { cpu: 2 } });
  expect(parse(job()).data).toBe(first);
});

test('refuses what is not valid, each time it comes', () => {
  const parse = createSpecParser();
  for (const wrong of [{ command: '' }, undefined, null, 7, {}, { command: '' }])
    expect(parse(wrong).error?.issues, JSON.stringify(wrong)).toEqual(jobSpecSchema.safeParse(wrong).error?.issues);
});
