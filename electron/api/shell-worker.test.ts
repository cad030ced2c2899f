import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SeedJob } from '../../shared/api-seed.ts';
import { startTestCoordinator } from '../../tests/fakes/coordinator.ts';
import { zipStream } from '../files/zip.ts';
import { type Client, createClient } from './client.ts';

const SCRIPT = fileURLToPath(new URL('../../resources/examples/shell-worker.sh', import.meta.url));
let coordinator: Awaited<ReturnType<typeof startTestCoordinator>>;
let client: Client;
let worker: ReturnType<typeof spawn>;
let complaints = '';

beforeAll(async () => {
  // Two failed jobs in a row make a worker rest; here it need not rest long.
  coordinator = await startTestCoordinator({ cooldownMs: 10, cooldownMaxMs: 10 });
  client = createClient(coordinator.connection);
  worker = spawn('sh', [SCRIPT], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      LANYARD_URL: coordinator.url,
      LANYARD_TOKEN: coordinator.connection.workerToken,
      WORKER_ID: 'shell-1',
      POLL_SECONDS: '0.05',
    },
  });
  worker.stderr?.on('data', (chunk) => {
    complaints += chunk;
  });
});
afterAll(async () => {
  worker.kill('SIGTERM');
  await once(worker, 'exit');
  await coordinator.close();
});

async function execute(files: Readonly<Record<string, string>>, fields: Readonly<Record<string, string>>): Promise<string> {
  const zip = await buffer(
    zipStream(
      Object.entries(files).map(([name, text]) => ({
        name,
        bytes: Buffer.byteLength(text),
        read: () => Readable.from([Buffer.from(text)]),
      })),
    ),
  );
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set('file', new Blob([Uint8Array.from(zip)]), 'job.zip');
  const response = await fetch(`${coordinator.url}/api/execute`, {
    method: 'POST',
    headers: { authorization: `Bearer ${coordinator.connection.token}` },
    body: form,
  });
  return ((await response.json()) as SeedJob).id;
}

const settled = (job: string, state: string) =>
  expect.poll(async () => (await client.call('getJob', { params: { job } })).state, { timeout: 15_000, message: complaints }).toBe(state);

async function logOf(job: string, number = 1): Promise<string> {
  let text = '';
  for await (const record of client.followLog(`${job}.0.${number}` as Parameters<Client['followLog']>[0]))
    text += Buffer.from(record.bytes).toString();
  return text;
}

describe('the worker in shell', () => {
  it('runs a job with its input and hands its outputs in', async () => {
    const job = await execute(
      { 'in put.txt': 'from the zip' },
      { command: `echo "it's $LANYARD_INDEX"; cat 'in put.txt' > out.txt; cp out.txt 'a b.txt'`, outputs: '*.txt', maxRetries: '0' },
    );
    await settled(job, 'COMPLETED');
    expect(await logOf(job)).toBe("it's 0\n");
    const { outputs } = await client.call('listOutputs', { params: { job } });
    expect(outputs.map((one) => one.path).sort()).toEqual(['a b.txt', 'in put.txt', 'out.txt']);
    expect((await buffer(await client.download({ task: `${job}.0`, path: 'a b.txt' }))).toString()).toBe('from the zip');
  });

  it('tells of failures, and of outputs that are not there', async () => {
    const failing = await execute({ 'a.txt': '' }, { command: 'echo no >&2; exit 7', maxRetries: '0' });
    await settled(failing, 'FAILED');
    expect((await client.call('getTask', { params: { job: failing, index: 0 } })).task.exitCode).toBe(7);
    expect(await logOf(failing)).toBe('no\n');
    const empty = await execute({ 'a.txt': '' }, { command: 'true', outputs: 'none.txt', maxRetries: '0' });
    await settled(empty, 'FAILED');
    expect(await logOf(empty)).toContain('none.txt is missing');
  });

  it('ends what is cancelled, and goes on', async () => {
    const long = await execute({ 'a.txt': '' }, { command: 'echo begun; sleep 600 & sleep 600' });
    await settled(long, 'RUNNING');
    await expect.poll(() => logOf(long), { timeout: 10_000 }).toBe('begun\n');
    await client.call('cancelJob', { params: { job: long } });
    const next = await execute({ 'a.txt': '' }, { command: 'echo next' });
    await settled(next, 'COMPLETED');
  });
});
