import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { peakMemoryMb, startFarm, type TestFarm } from './support/farm.ts';
import { ensureImage } from './support/images.ts';
import { downloadOutputs } from './support/input.ts';

/** What goes wrong on workers, with commands that run on the machine itself, so that a test can talk to them by files. */

const SMALL = { cpu: 0.1, ramMb: 64 };

let farm: TestFarm;
let marks: string;
beforeAll(async () => {
  farm = await startFarm();
});
afterAll(() => farm?.close());
beforeEach(async () => {
  marks = join(farm.folder, `marks-${randomUUID()}`);
  await mkdir(marks, { mode: 0o777 });
});

/** A command that says that it started, and goes on once there is a file `go`. */
const waiting = () =>
  `echo started >> ${marks}/started; while [ ! -e ${marks}/go ]; do sleep 0.02; done; echo finished >> ${marks}/finished`;
const go = () => writeFile(join(marks, 'go'), '');
const lines = async (name: string) => (await readFile(join(marks, name), 'utf8')).trim().split('\n');

async function attemptsOf(job: number, index = 0) {
  return (await farm.client.call('getTask', { params: { job, index } })).attempts;
}

/** Command lines of this machine that hold `text`. */
function processesWith(text: string): string[] {
  return execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 })
    .split('\n')
    .filter((line) => line.includes(text));
}

test('a task whose worker is killed goes to another worker, costs no retry, and has one result', async () => {
  const first = await farm.addWorker('first', { host: true });
  const { id } = await farm.submit({
    command: `${waiting()}; echo result > out.txt`,
    image: null,
    outputs: ['out.txt'],
    requirements: SMALL,
  });
  await farm.until(id, ({ state }) => state === 'RUNNING');
  await first.end('SIGKILL');
  const second = await farm.addWorker('second', { host: true });
  await farm.untilNode('first', ({ status }) => status === 'OFFLINE');
  await go();

  expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
  const attempts = await attemptsOf(id);
  expect(attempts.map(({ reason }) => reason)).toEqual(['node-lost', 'completed']);
  expect(attempts[0]?.node).not.toBe(attempts[1]?.node);
  expect([...(await downloadOutputs(farm.client, id))].map(([path, bytes]) => [path, bytes.toString()])).toEqual([['out.txt', 'result\n']]);
  await second.end('SIGTERM');
});

test('exit code 1 with two retries makes three attempts, and a retry avoids the node that failed', async () => {
  const workers = [await farm.addWorker('left', { host: true }), await farm.addWorker('right', { host: true })];
  const { id } = await farm.submit({ command: 'echo sorry >&2; exit 1', image: null, maxRetries: 2, requirements: SMALL });
  expect(await farm.untilEnded(id)).toMatchObject({ state: 'FAILED', retries: 2 });
  const attempts = await attemptsOf(id);
  expect(attempts.map(({ reason, exitCode }) => [reason, exitCode])).toEqual(Array(3).fill(['exit', 1]));
  expect(attempts[1]?.node).not.toBe(attempts[0]?.node);
  expect(await farm.logOf(id)).toContain('sorry');
  for (const worker of workers) await worker.end('SIGTERM');
});

test('a task beyond its timeout is ended with everything it started, retried, and then TIMED_OUT', async () => {
  const worker = await farm.addWorker('slow', { host: true });
  const mark = `3${Math.floor(Math.random() * 1e6)}`;
  const { id } = await farm.submit({
    command: `sleep ${mark} & sh -c 'sleep ${mark}' & wait`,
    image: null,
    timeoutMs: 1_000,
    maxRetries: 1,
    requirements: SMALL,
  });
  await farm.until(id, ({ state }) => state === 'RUNNING');
  expect(processesWith(`sleep ${mark}`).length).toBeGreaterThan(0);
  expect(await farm.untilEnded(id)).toMatchObject({ state: 'TIMED_OUT', retries: 1 });
  expect((await attemptsOf(id)).map(({ reason }) => reason)).toEqual(['timeout', 'timeout']);
  expect(processesWith(`sleep ${mark}`)).toEqual([]);
  await worker.end('SIGTERM');
});

test('a job can be cancelled while it is QUEUED, ASSIGNED and RUNNING', async () => {
  const cancel = (job: number) => farm.client.call('cancelJob', { params: { job } });

  const queued = await farm.submit({ command: 'true', image: null, requirements: SMALL });
  expect(queued.state).toBe('QUEUED');
  expect(await cancel(queued.id)).toMatchObject({ state: 'CANCELLED' });

  // A worker that polls takes its task only when it asks: until then the task is ASSIGNED.
  const headers = { authorization: `Bearer ${farm.connection.token}`, 'content-type': 'application/json' };
  const registered = await fetch(`${farm.connection.url}/api/workers/register`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ workerId: 'poller', name: 'poller', cpuCores: 1, totalRamMb: 512 }),
  });
  expect(registered.ok).toBe(true);
  const assigned = await farm.submit({ command: 'true', image: null, requirements: SMALL });
  await farm.until(assigned.id, ({ state }) => state === 'ASSIGNED');
  expect(await cancel(assigned.id)).toMatchObject({ state: 'CANCELLED' });
  await farm.client.call('removeNode', { params: { node: 'poller' } });

  const worker = await farm.addWorker('obedient', { host: true });
  const running = await farm.submit({ command: waiting(), image: null, requirements: SMALL });
  await farm.until(running.id, ({ state }) => state === 'RUNNING');
  expect(await cancel(running.id)).toMatchObject({ state: 'CANCELLED' });
  await farm.untilNode('obedient', ({ used }) => used.slots === 0);
  expect(processesWith(marks)).toEqual([]);
  expect((await attemptsOf(running.id)).map(({ reason }) => reason)).toEqual(['cancelled']);
  await worker.end('SIGTERM');
});

test('a worker that is stopped on purpose hands its task back at once', async () => {
  const worker = await farm.addWorker('leaving', { host: true });
  const { id } = await farm.submit({ command: waiting(), image: null, requirements: SMALL });
  await farm.until(id, ({ state }) => state === 'RUNNING');
  await worker.end('SIGTERM');
  await farm.until(id, ({ state }) => state === 'QUEUED');
  const next = await farm.addWorker('staying', { host: true });
  await go();
  expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
  expect(await lines('finished')).toEqual(['finished']);
  await next.end('SIGTERM');
});

test('an unknown image leaves the job waiting, with the reason, and harms nobody', async () => {
  const worker = await farm.addWorker('engine', { docker: true });
  const { id } = await farm.submit({ command: 'true', image: 'lanyard-test/nobody-made-this:1', requirements: SMALL });
  await farm.untilNode('engine', ({ running }) => running.length === 1);
  await farm.until(id, ({ state }) => state === 'QUEUED');
  await farm.untilNode('engine', ({ status }) => status === 'IDLE');
  const explanation = await farm.client.call('explainJob', { params: { job: id } });
  expect(`${explanation.summary} ${JSON.stringify(explanation.obstacles)}`).toContain('image');

  const good = await farm.submit({ command: 'true', image: await ensureImage('busybox'), requirements: SMALL });
  expect(await farm.untilEnded(good.id)).toMatchObject({ state: 'COMPLETED' });
  await farm.client.call('cancelJob', { params: { job: id } });
  await worker.end('SIGTERM');
});

test('a gigabyte of log is kept as its head and its tail, and memory stays flat', async () => {
  const worker = await farm.addWorker('chatty', { host: true });
  const { id } = await farm.submit({
    command: 'echo the first line; yes "all work and no play makes a very long log" | head -c 1000000000; echo the last line',
    image: null,
    requirements: SMALL,
  });
  await farm.untilNode('chatty', ({ metrics }) => (metrics?.logBytesPerSecond ?? 0) > 1_000_000);
  expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED' });
  const text = await farm.logOf(id);
  expect(text.length).toBeLessThan(70 * 1024 * 1024);
  expect(text.startsWith('the first line\n')).toBe(true);
  expect(text.endsWith('the last line\n')).toBe(true);
  expect(text).toMatch(/left out/);
  for (const program of [worker, farm.coordinator]) expect(await peakMemoryMb(program.process.pid)).toBeLessThan(512);
  await worker.end('SIGTERM');
});
