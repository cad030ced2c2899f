import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFarm, type TestFarm } from './support/farm.ts';
import { ensureImage } from './support/images.ts';
import { downloadOutputs } from './support/input.ts';

const TASKS = 500;

let farm: TestFarm;
let image: string;
beforeAll(async () => {
  image = await ensureImage('busybox');
  farm = await startFarm();
  for (const name of ['mira', 'nova', 'vega']) await farm.addWorker(name, { docker: true, maxParallel: 2 });
});
afterAll(() => farm?.close());

test('500 short tasks over three workers each leave exactly one result', async () => {
  const { id } = await farm.submit({
    name: 'many',
    command: 'echo $((LANYARD_INDEX * 7)) > {index}.txt && echo done {index}',
    image,
    tasks: { kind: 'count', count: TASKS },
    outputs: ['{index}.txt'],
    requirements: { cpu: 0.1, ramMb: 16 },
  });
  expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED', counts: { COMPLETED: TASKS } });

  const outputs = await downloadOutputs(farm.client, id);
  expect(outputs.size).toBe(TASKS);
  for (let index = 0; index < TASKS; index++) expect(outputs.get(`${index}.txt`)?.toString()).toBe(`${index * 7}\n`);
  expect(await farm.logOf(id, TASKS - 1)).toBe(`done ${TASKS - 1}\n`);

  const { tasks } = await farm.client.call('listTasks', { params: { job: id }, query: { limit: TASKS } });
  expect(new Set(tasks.map(({ node }) => node)).size).toBe(3);
  expect(tasks.every(({ attempt }) => attempt === 1)).toBe(true);
});
