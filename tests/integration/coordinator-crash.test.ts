import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JobSpecInput, TASK_STATES } from '../../shared/job.ts';
import type { JobView } from '../../shared/view.ts';
import { startFarm, type TestFarm } from './support/farm.ts';
import { ensureImage } from './support/images.ts';

/** The coordinator is killed while 200 tasks are in all states, and comes back. */

const SMALL = { cpu: 0.1, ramMb: 16 };

let farm: TestFarm;
let marks: string;
beforeAll(async () => {
  farm = await startFarm({ offlineAfterMs: 10_000 });
  marks = join(farm.folder, 'marks');
  await mkdir(marks);
});
afterAll(() => farm?.close());

test('nothing is lost, nothing runs to completion twice, and containers that ran go on', async () => {
  const image = await ensureImage('busybox');
  await farm.addWorker('hosts', { host: true, maxParallel: 10 });
  await farm.addWorker('engine', { docker: true, maxParallel: 4 });

  // One after the other, with good work in between: failures of two jobs in a row would put the node on probation.
  const ended = async (spec: JobSpecInput) => farm.untilEnded((await farm.submit({ image: null, requirements: SMALL, ...spec })).id);
  const failed = await ended({ command: 'exit 3', maxRetries: 0, tasks: { kind: 'count', count: 5 } });
  const done = await ended({ name: 'done', command: 'true', tasks: { kind: 'count', count: 40 } });
  const late = await ended({ command: 'sleep 30', maxRetries: 0, timeoutMs: 1_000 });

  // Containers that run through the crash: they see no file of this machine, so they count the time themselves.
  const contained = await farm.submit({
    name: 'contained',
    command: 'i=0; while [ $i -lt 60 ]; do sleep 0.1; i=$((i+1)); done; echo survived > out.txt',
    image,
    tasks: { kind: 'count', count: 4 },
    outputs: ['out.txt'],
    requirements: SMALL,
  });
  const running = await farm.submit({
    name: 'running',
    command: `while [ ! -e ${marks}/go ]; do sleep 0.05; done; echo {index} >> ${marks}/finished`,
    image: null,
    tasks: { kind: 'count', count: 110 },
    requirements: SMALL,
  });
  const waiting = await farm.submit({
    name: 'waiting',
    command: 'true',
    image: null,
    after: [running.id],
    tasks: { kind: 'count', count: 20 },
    requirements: SMALL,
  });
  const cancelled = await farm.submit({
    command: 'true',
    image: null,
    tasks: { kind: 'count', count: 20 },
    requirements: { ...SMALL, labels: ['nobody'] },
  });
  await farm.client.call('cancelJob', { params: { job: cancelled.id } });
  await farm.until(contained.id, ({ counts }) => counts.RUNNING === 4);
  await farm.until(running.id, ({ counts }) => counts.RUNNING === 10);

  const jobs = [done, failed, late, contained, running, waiting, cancelled];
  const before = await views(jobs);
  const total = before.reduce((sum, { taskCount }) => sum + taskCount, 0);
  expect(total).toBe(200);
  // An attempt is ASSIGNED only for moments when workers are this quick; all other states are there.
  const states = TASK_STATES.filter((state) => before.some(({ counts }) => counts[state] > 0));
  expect(states).toEqual(TASK_STATES.filter((state) => state !== 'ASSIGNED'));

  await farm.coordinator.end('SIGKILL');
  await farm.startCoordinatorAgain();

  const after = await views(jobs);
  for (const [position, view] of after.entries()) {
    expect(view.taskCount).toBe(before[position]?.taskCount);
    for (const state of ['COMPLETED', 'FAILED', 'TIMED_OUT', 'CANCELLED'] as const)
      expect(view.counts[state]).toBe(before[position]?.counts[state]);
  }

  await farm.untilNode('hosts', ({ running: attempts }) => attempts.length === 10);
  await writeFile(join(marks, 'go'), '');
  expect(await farm.untilEnded(contained.id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
  expect(await farm.untilEnded(waiting.id)).toMatchObject({ state: 'COMPLETED', counts: { COMPLETED: 20 } });
  expect(await farm.untilEnded(running.id)).toMatchObject({ state: 'COMPLETED', counts: { COMPLETED: 110 } });

  const finished = (await readFile(join(marks, 'finished'), 'utf8')).trim().split('\n');
  expect(finished.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 110 }, (_, index) => index));
  // Adopted, not started anew: every one of them is still on its first attempt.
  const { tasks } = await farm.client.call('listTasks', { params: { job: contained.id } });
  expect(tasks.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1]);
});

function views(jobs: readonly JobView[]): Promise<JobView[]> {
  return Promise.all(jobs.map(({ id }) => farm.client.call('getJob', { params: { job: id } })));
}
