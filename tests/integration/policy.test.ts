import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFarm, type TestFarm } from './support/farm.ts';

let farm: TestFarm;
beforeAll(async () => {
  farm = await startFarm({ preemptGraceMs: 20_000 });
  for (const name of ['mira', 'nova'])
    await farm.addWorker(name, { host: true, maxParallel: 1, labels: { room: name === 'mira' ? '3b' : '4' } });
});
afterAll(() => farm?.close());

const small = { image: null, requirements: { cpu: 0.1, ramMb: 64 } };

test('a job that fails everywhere is stopped, and what is said of it shows the end of a log', async () => {
  const { id } = await farm.submit({
    ...small,
    command: 'echo "the scene of frame {index} is broken" >&2; exit 3',
    tasks: { kind: 'count', count: 200 },
    maxRetries: 50,
    stopAfterFailures: 6,
  });
  const ended = await farm.untilEnded(id);
  expect(ended).toMatchObject({
    state: 'FAILED',
    reason: expect.stringMatching(/^stopped: nothing of it completed, and \d+ attempts failed on 2 nodes/),
  });
  const { summary, evidence } = await farm.client.call('explainJob', { params: { job: id } });
  expect(summary).toBe(ended.reason);
  expect(evidence?.log).toMatch(/the scene of frame \d+ is broken/);
  const task = Number(evidence?.attempt.split('.')[1]);
  expect((await farm.client.call('explainTask', { params: { job: id, index: task } })).evidence).toEqual(evidence);
});

test('work of higher priority takes the place of what may be interrupted, which saves what it can and runs again', async () => {
  const low = await farm.submit({
    ...small,
    name: 'low',
    command: 'trap "echo saved; exit 1" TERM; sleep 600 & wait',
    tasks: { kind: 'count', count: 2 },
    priority: 10,
    preemptible: true,
    maxRetries: 0,
  });
  await farm.until(low.id, ({ counts }) => counts.RUNNING === 2);
  const high = await farm.submit({
    ...small,
    requirements: { ...small.requirements, where: 'room != "3b"' },
    command: 'true',
    priority: 90,
  });
  expect(await farm.untilEnded(high.id)).toMatchObject({ state: 'COMPLETED' });
  const { tasks } = await farm.client.call('listTasks', { params: { job: low.id } });
  const { attempts } = await farm.client.call('getTask', {
    params: { job: low.id, index: tasks.find(({ attempt }) => attempt > 1)?.index ?? 0 },
  });
  expect(attempts[0]).toMatchObject({ reason: 'preempted', message: `made room for job ${high.id}, which has a higher priority` });
  expect(tasks.every(({ retriesUsed }) => retriesUsed === 0)).toBe(true);
  await farm.client.call('cancelJob', { params: { job: low.id } });
});

test('a node says why it takes no more', async () => {
  // What was cancelled holds its place until it is gone, and then that is what keeps work away.
  await farm.untilNode('mira', ({ used }) => used.slots === 0);
  const { id } = await farm.submit({ ...small, command: 'true', requirements: { ...small.requirements, where: 'room == 5' } });
  const { nodes } = await farm.client.call('listNodes');
  const mira = nodes.find(({ description }) => description.name === 'mira')?.description.id ?? '';
  const about = await farm.client.call('explainNode', { params: { node: mira } });
  expect(about.obstacles).toMatchObject([{ constraint: 'where', message: expect.stringContaining('room == 5') }]);
  expect((await farm.client.call('listOwners')).owners).toMatchObject([{ weight: 1, maxTasks: null }]);
  await farm.client.call('cancelJob', { params: { job: id } });
});
