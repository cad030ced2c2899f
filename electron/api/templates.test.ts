import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from './testing/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const TEMPLATE = {
  name: 'Say it',
  fields: [{ type: 'number', name: 'times', label: 'Times', default: 2, max: 9 }],
  job: { command: 'echo {{times}}', tasks: { kind: 'count', count: '{{times}}' } },
};
const json = { 'content-type': 'application/json' };
const path = '/api/templates/say-it';

test('an administrator puts a template in, everybody who reads sees it, and only an administrator takes it out', async () => {
  const body = JSON.stringify(TEMPLATE);
  for (const role of ['viewer', 'submitter', 'worker'] as const)
    expect((await api.send({ method: 'PUT', path, as: role, headers: json, body })).status, role).toBe(403);
  expect((await api.send({ method: 'PUT', path, as: 'admin', headers: json, body })).status).toBe(200);

  const listed = JSON.parse((await api.send({ path: '/api/templates', as: 'viewer' })).text) as {
    templates: { id: string; source: string }[];
  };
  expect(listed.templates.filter(({ source }) => source === 'farm').map(({ id }) => id)).toEqual(['say-it']);
  expect(JSON.parse((await api.send({ path, as: 'submitter' })).text)).toMatchObject({
    id: 'say-it',
    schema: { properties: { times: { type: 'integer', maximum: 9, default: 2 } } },
  });

  expect((await api.send({ method: 'DELETE', path, as: 'submitter' })).status).toBe(403);
  expect((await api.send({ method: 'DELETE', path, as: 'admin' })).status).toBe(200);
  expect((await api.send({ path, as: 'viewer' })).code).toBe('NOT_FOUND');
});

test('a template makes a job of values; a wrong value, and a template that is none, name what is wrong', async () => {
  const render = (values: unknown) =>
    api.send({ method: 'POST', path: '/api/templates/command/render', as: 'viewer', headers: json, body: JSON.stringify({ values }) });
  expect(JSON.parse((await render({ command: 'make', count: 3 })).text)).toMatchObject({
    job: { command: 'make', tasks: { kind: 'count', count: 3 }, requirements: { cpu: 1 } },
  });
  expect(JSON.parse((await render({ command: 'make', count: 'many' })).text)).toMatchObject({ error: { code: 'INVALID', field: 'count' } });

  const broken = JSON.stringify({ ...TEMPLATE, job: { command: '{{time}}' } });
  const refused = await api.send({ method: 'PUT', path, as: 'admin', headers: json, body: broken });
  expect(JSON.parse(refused.text)).toMatchObject({ error: { code: 'INVALID', field: 'job.command' } });
  for (const id of ['..%2Fsecret', 'Say', '__proto__'])
    expect((await api.send({ path: `/api/templates/${id}`, as: 'admin' })).code, id).toBe('INVALID');
});
