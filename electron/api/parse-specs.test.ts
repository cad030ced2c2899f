import { expect, onTestFinished, test } from 'vitest';
import { type JobSpec, jobSpecSchema } from '../../shared/job.ts';
import type { JobView } from '../../shared/view.ts';
import { createSpecParser } from './parse-specs.ts';
import { startApi } from './testing/api.ts';

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
  const deep = JSON.parse(`{"command":${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
  for (const wrong of [{ command: '' }, undefined, null, 7, {}, { command: '' }, deep])
    expect(parse(wrong).error?.issues).toEqual(jobSpecSchema.safeParse(wrong).error?.issues);
});

test('also where each comes in a request of its own', async () => {
  const specs: JobSpec[] = [];
  const submit = async (spec: JobSpec) => ({ id: specs.push(spec) }) as JobView;
  const api = await startApi({ farm: { submit } });
  onTestFinished(() => api.close());
  const headers = { 'content-type': 'application/json' };
  const post = (command: string) =>
    api.send({ method: 'POST', path: '/api/jobs', as: 'submitter', headers, body: JSON.stringify({ command }) });
  for (const command of ['true', 'true', 'false']) expect((await post(command)).status).toBe(200);
  expect(await post('')).toMatchObject({ status: 400, code: 'INVALID' });
  expect(specs[1]).toBe(specs[0]);
  expect(specs[2]).toMatchObject({ command: 'false' });
});
