import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFarm, type TestFarm } from './support/farm.ts';
import { downloadOutputs, uploadInput } from './support/input.ts';

let farm: TestFarm;
beforeAll(async () => {
  farm = await startFarm();
  for (const name of ['mira', 'nova']) await farm.addWorker(name, { host: true, maxParallel: 2 });
});
afterAll(() => farm?.close());

test('stages of one submission hand their outputs on: task by task, and then as a whole', async () => {
  const input = await uploadInput(farm.client, { 'scene.txt': 'a scene' });
  const tasks = { kind: 'frames', frames: '1-4' };
  const { jobs } = await farm.client.call('submitStages', {
    body: {
      name: 'shot',
      image: null,
      input,
      requirements: { cpu: 0.1, ramMb: 64 },
      stages: [
        { stage: 'assemble', command: 'cat graded-*.txt > film.txt && ls', inputsFrom: ['grade'], outputs: ['film.txt'] },
        {
          stage: 'grade',
          command: 'test "$(ls frame-*.txt)" = frame-{frame}.txt && sed s/raw/graded/ frame-{frame}.txt > graded-{frame}.txt',
          tasks,
          afterTasks: ['render'],
          inputsFrom: ['render'],
          outputs: ['graded-{frame}.txt'],
        },
        { stage: 'render', command: 'echo "$(cat scene.txt): raw {frame}" > frame-{frame}.txt', tasks, outputs: ['frame-{frame}.txt'] },
      ],
    },
  });
  expect(jobs.map(({ name }) => name)).toEqual(['shot: render', 'shot: grade', 'shot: assemble']);
  const last = await farm.untilEnded(jobs[2]?.id as number);
  expect(last).toMatchObject({ state: 'COMPLETED', reason: null });
  const film = (await downloadOutputs(farm.client, last.id)).get('film.txt')?.toString();
  expect(film).toBe([1, 2, 3, 4].map((frame) => `a scene: graded ${frame}\n`).join(''));
});

test('a stage that fails ends the stages after it, with its name in the reason, and lets run what waits for its end only', async () => {
  const { jobs } = await farm.client.call('submitStages', {
    body: {
      image: null,
      requirements: { cpu: 0.1, ramMb: 64 },
      maxRetries: 0,
      stages: [
        { stage: 'build', command: 'exit 3' },
        { stage: 'test', command: 'true', after: ['build'] },
        { stage: 'report', command: 'true', afterAny: ['build'] },
      ],
    },
  });
  const [build, tests, report] = await Promise.all(jobs.map(({ id }) => farm.untilEnded(id)));
  expect(build).toMatchObject({ state: 'FAILED' });
  expect(tests).toMatchObject({ state: 'CANCELLED', reason: `job ${build?.id}, which it waits for, ended FAILED` });
  expect(report).toMatchObject({ state: 'COMPLETED' });
});

test('stages that wait for each other in a circle are refused, and nothing of them is taken', async () => {
  const before = await farm.client.call('listJobs');
  const stages = [
    { stage: 'a', command: 'true', after: ['b'] },
    { stage: 'b', command: 'true', after: ['a'] },
  ];
  await expect(farm.client.call('submitStages', { body: { stages } })).rejects.toMatchObject({
    code: 'INVALID',
    message: 'the stages wait for each other in a circle: a waits for b waits for a',
  });
  await expect(farm.client.call('submitJob', { body: { command: 'true', after: [999] } })).rejects.toMatchObject({ code: 'INVALID' });
  expect((await farm.client.call('listJobs')).total).toBe(before.total);
});
