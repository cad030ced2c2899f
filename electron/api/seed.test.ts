import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SeedJob, SeedOutput, SeedWork } from '../../shared/api-seed.ts';
import { startTestCoordinator } from '../../tests/fakes/coordinator.ts';
import { zipStream } from '../files/zip.ts';
import { type Client, createClient } from './client.ts';

const run = promisify(execFile);
let coordinator: Awaited<ReturnType<typeof startTestCoordinator>>;
let client: Client;

beforeAll(async () => {
  coordinator = await startTestCoordinator({ maxUploadBytes: 1_000_000 });
  client = createClient(coordinator.connection);
});
afterAll(() => coordinator.close());

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: scripts of the earlier system knew no types either
  readonly body: any;
}

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const isForm = body instanceof FormData || typeof body === 'string' || body instanceof Uint8Array;
  const response = await fetch(`${coordinator.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${coordinator.connection.token}`,
      ...(isForm || body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text };
}

async function zipOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const sources = Object.entries(files).map(([name, text]) => ({
    name,
    bytes: Buffer.byteLength(text),
    read: () => Readable.from([Buffer.from(text)]),
  }));
  return buffer(zipStream(sources));
}

/** A worker of its own for one test, that nothing else is placed on: jobs are finished by the test that submits them. */
async function registered(workerId: string): Promise<void> {
  const answer = await ask('POST', '/api/workers/register', { id: workerId, cpu: '4', totalRam: '4096', platform: 'linux' });
  expect(answer.status).toBe(200);
}

async function taken(workerId: string): Promise<SeedWork> {
  const { body } = await ask('POST', '/api/jobs/get-job', { workerId });
  expect(body.job).not.toBeNull();
  return body.job;
}

const create = async (fields: Record<string, unknown>): Promise<SeedJob> => {
  const answer = await ask('POST', '/api/jobs/create', fields);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body;
};
const status = async (id: string): Promise<SeedJob & SeedOutput> => (await ask('GET', `/api/jobs/status?id=${id}`)).body;

describe('a worker that polls', () => {
  it('registers under older names, beats, and is listed', async () => {
    const { body } = await ask('POST', '/api/workers/register', {
      worker_id: 'old worker/1',
      hostname: 'old',
      cpuCores: '8',
      totalRamMb: '16000',
      freeRamMb: 12_000.5,
      status: 'idle',
    });
    expect(body).toMatchObject({
      success: true,
      heartbeatMs: 200,
      worker: { id: 'old-worker-1', name: 'old', cpuCores: 8, totalRamMb: 16_000, status: 'IDLE' },
    });
    const beat = await ask('POST', '/api/workers/heartbeat', {
      workerId: 'old worker/1',
      cpuUsage: '55.5',
      freeRamMb: '900',
      status: 'busy',
    });
    expect(beat.body).toEqual({ success: true, workerId: 'old-worker-1', status: 'IDLE', stop: [] });
    const list = await ask('GET', '/api/workers/list');
    expect(list.body.workers).toContainEqual(expect.objectContaining({ id: 'old-worker-1', cpuUsage: 55.5, freeRamMb: 900 }));
    expect((await ask('POST', '/api/workers/heartbeat', { workerId: 'never-seen' })).status).toBe(404);
    expect((await ask('POST', '/api/jobs/get-job', { workerId: 'never-seen' })).status).toBe(404);
    await client.call('removeNode', { params: { node: 'old-worker-1' } });
  });

  it('gets what is assigned to it, once, and its result ends the job', async () => {
    await registered('w1');
    const job = await create({
      command: 'echo hello',
      requiredCpu: '2',
      requiredRamMb: '256',
      timeoutMs: '60000',
      maxRetries: '1',
      filename: 'scene.blend',
    });
    expect(job).toMatchObject({ name: 'scene.blend', requiredCpu: 2, requiredRamMb: 256, timeoutMs: 60_000, maxRetries: 1, fileUrl: null });
    const work = await taken('w1');
    expect(work).toMatchObject({ id: `${job.jobId}.0.1`, jobId: job.jobId, status: 'RUNNING', command: 'echo hello', workerId: 'w1' });
    expect((await ask('POST', '/api/jobs/get-job', { workerId: 'w1' })).body).toEqual({ job: null });
    expect((await status(job.id)).status).toBe('RUNNING');

    await ask('POST', '/api/jobs/stream-output', { jobId: work.jobId, workerId: 'w1', type: 'STDERR', data: 'careful\n' });
    const raw = await ask('POST', `/api/jobs/stream-output?id=${work.id}&workerId=w1`, Buffer.from('hel'), {
      'content-type': 'application/octet-stream',
    });
    expect(raw.body).toEqual({ success: true, stop: false });
    const result = { jobId: work.id, workerId: 'w1', stdout: 'lo\n' };
    expect((await ask('POST', '/api/jobs/submit-result', result)).body).toEqual({
      success: true,
      id: work.id,
      jobId: job.jobId,
      status: 'COMPLETED',
    });
    expect(await status(work.id)).toMatchObject({
      status: 'COMPLETED',
      exitCode: 0,
      stdout: 'hello\n',
      stderr: 'careful\n',
      output: 'careful\nhello\n',
      truncated: false,
    });
    // The answer was lost and is asked for again; nothing happens twice.
    expect((await ask('POST', '/api/jobs/submit-result', result)).status).toBe(200);
    expect((await status(job.id)).stdout).toBe('hello\n');
    expect((await ask('PUT', '/api/jobs/submit-result', result)).status).toBe(409);
    expect((await ask('GET', `/api/jobs/stream-output?jobId=${job.id}`)).body).toBe('careful\nhello\n');
    expect((await ask('GET', `/api/jobs/stream-output?id=${work.id}&stream=stderr&follow=true`)).body).toBe('careful\n');
    const plain = await ask('GET', `/api/jobs/stream-output?id=${work.id}`, undefined, { accept: 'text/plain' });
    expect(plain.body).toBe('careful\nhello\n');
    const events = await ask('GET', `/api/jobs/stream-output?id=${work.id}`, undefined, { accept: 'text/event-stream' });
    expect(events.body).toMatch(/^data: \{"stream":"stderr","time":\d+,"text":"careful\\n"\}\n\n/);
  });

  it('is given again what it was given and does not have, because the answer was lost', async () => {
    await registered('w1');
    const job = await create({ command: 'echo once' });
    const first = await taken('w1');
    const poll = async (fields: object) => (await ask('POST', '/api/jobs/get-job', { workerId: 'w1', ...fields })).body.job;
    // It says nothing of what it has, or names it in one way or another.
    for (const fields of [{}, { running: [first.id] }, { running: `${job.jobId}.0` }, { currentJobId: job.jobId }])
      expect(await poll(fields)).toBeNull();
    expect(await poll({ running: '' })).toMatchObject({ id: first.id, command: 'echo once', status: 'RUNNING' });
    expect(await poll({ running: [] })).toMatchObject({ id: first.id });
    expect((await ask('POST', '/api/jobs/submit-result', { id: first.id, workerId: 'w1' })).body).toMatchObject({
      status: 'COMPLETED',
    });
    expect(await poll({ running: [] })).toBeNull();
  });

  it('loses what it had when it registers anew without it, at no cost', async () => {
    await registered('w1');
    const job = await create({ command: 'echo twice', maxRetries: 0 });
    expect(await taken('w1')).toMatchObject({ id: `${job.jobId}.0.1` });
    await registered('w1');
    expect((await status(job.id)).status).toBe('RUNNING');
    await ask('POST', '/api/workers/register', { id: 'w1', cpu: 4, totalRam: 4096, running: '' });
    const second = await taken('w1');
    expect(second).toMatchObject({ id: `${job.jobId}.0.2`, retries: 0 });
    expect((await ask('POST', '/api/jobs/submit-result', { id: second.id, workerId: 'w1' })).body).toMatchObject({
      status: 'COMPLETED',
    });
  });

  it('fails a task, which is tried again and then is FAILED', async () => {
    const job = await create({ command: 'false', maxRetries: 1 });
    const first = await taken('w1');
    expect(
      (await ask('PUT', '/api/jobs/submit-result', { job_id: job.id, worker_id: 'w1', error: 'boom', exit_code: '3' })).body.status,
    ).not.toBe('FAILED');
    const second = await taken('w1');
    expect([first.id, second.id]).toEqual([`${job.id}.0.1`, `${job.id}.0.2`]);
    // The first attempt's late word changes nothing.
    expect((await ask('POST', '/api/jobs/submit-result', { id: first.id, workerId: 'w1' })).status).toBe(409);
    expect(
      (await ask('POST', '/api/jobs/submit-result', { id: second.id, workerId: 'w1', exitCode: 4, status: 'failed' })).body.status,
    ).toBe('FAILED');
    expect(await status(job.id)).toMatchObject({ status: 'FAILED', exitCode: 4, retries: 1 });
  });

  it('is told to stop what was cancelled, in a word of every kind', async () => {
    const job = await create({ command: 'sleep 100' });
    const work = await taken('w1');
    expect((await ask('POST', '/api/jobs/cancel', { jobId: job.id, status: 'queued' })).status).toBe(409);
    expect((await ask('POST', '/api/jobs/cancel', { jobId: job.id, status: 'running' })).body.status).toBe('CANCELLED');
    expect((await ask('POST', '/api/workers/heartbeat', { workerId: 'w1', running: [work.id, job.id] })).body.stop).toEqual([
      work.id,
      job.id,
    ]);
    expect((await ask('POST', '/api/jobs/stream-output', { id: work.id, workerId: 'w1', output: 'late' })).body).toEqual({
      success: true,
      stop: true,
    });
    expect((await ask('POST', '/api/jobs/submit-result', { id: work.id, workerId: 'w1' })).status).toBe(409);
    expect((await status(job.id)).status).toBe('CANCELLED');
  });

  it('gets command, environment and outputs with the parameters of its task filled in', async () => {
    const { id } = await client.call('submitJob', {
      body: {
        command: ['render', "it's", '{frame}'],
        env: { FRAME: 'f{frame:4}' },
        outputs: ['{frame}.png'],
        tasks: { kind: 'frames', frames: '7' },
      },
    });
    const work = await taken('w1');
    expect(work).toMatchObject({ command: `'render' 'it'\\''s' '7'`, outputs: ['7.png'] });
    expect(work.env).toMatchObject({ FRAME: 'f0007', LANYARD_FRAME: '7', LANYARD_ATTEMPT: `${id}.0.1` });
    await client.call('cancelJob', { params: { job: id } });
  });

  it("hands in files, but not another worker's task", async () => {
    await create({ command: 'render', outputs: 'out.txt' });
    const work = await taken('w1');
    await registered('w2');
    expect((await ask('POST', '/api/jobs/submit-result', { id: work.id, workerId: 'w2' })).status).toBe(409);
    const { blob } = await coordinatorBlob('an output');
    for (const path of ['../../etc/cron.d/x', '/etc/passwd', 'C:\\x', 'a/../../b'])
      expect((await ask('POST', '/api/jobs/submit-result', { id: work.id, workerId: 'w1', outputs: [{ path, blob }] })).status).toBe(400);
    expect(
      (await ask('POST', '/api/jobs/submit-result', { id: work.id, workerId: 'w1', outputs: `${'0'.repeat(64)}  out.txt\n` })).status,
    ).toBe(400);
    expect((await ask('POST', '/api/jobs/submit-result', { id: work.id, workerId: 'w1', outputs: `${blob}  out.txt\n` })).status).toBe(200);
    const { outputs } = await client.call('listOutputs', { params: { job: work.jobId } });
    expect(outputs).toEqual([{ task: work.taskId, path: 'out.txt', bytes: 9, blob }]);
    await client.call('removeNode', { params: { node: 'w2' } });
  });
});

async function coordinatorBlob(content: string | Buffer): Promise<{ blob: string }> {
  const { createHash } = await import('node:crypto');
  const blob = createHash('sha256').update(content).digest('hex');
  const headers = { 'upload-offset': '0', 'upload-length': String(Buffer.byteLength(content)), 'content-type': 'application/octet-stream' };
  expect((await ask('PATCH', `/api/blobs/${blob}`, content, headers)).status).toBe(200);
  return { blob };
}

describe('jobs in the older form', () => {
  beforeAll(async () => {
    await client.call('removeNode', { params: { node: 'w1' } });
  });

  it('take a file of this coordinator by URL, and no other', async () => {
    const { blob } = await coordinatorBlob(await zipOf({ 'a.txt': 'a' }));
    for (const fileUrl of [
      `/api/blobs/${blob}`,
      `${coordinator.url}/api/blobs/${blob}`,
      `${coordinator.url.replace('127.0.0.1', 'localhost')}/api/blobs/${blob}`,
    ]) {
      const job = await create({ command: 'cat a.txt', fileUrl });
      expect(job).toMatchObject({ fileUrl: `${coordinator.url}/api/blobs/${blob}`, filename: 'input.zip' });
      await client.call('cancelJob', { params: { job: job.id } });
    }
    for (const fileUrl of [
      `http://evil.example/api/blobs/${blob}`,
      'http://169.254.169.254/latest/meta-data',
      'file:///etc/passwd',
      '/etc/passwd',
      'gopher://x/',
    ]) {
      const answer = await ask('POST', '/api/jobs/create', { command: 'x', fileUrl });
      expect([answer.status, answer.body.error.field], fileUrl).toEqual([400, 'fileUrl']);
    }
  });

  it('are read from forms, from JSON that says it is a form, and answered in lines for shells', async () => {
    const form = await ask('POST', '/api/jobs/create', 'command=echo+%22a%26b%22&requiredCpu=1.5', {
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'text/plain',
    });
    expect(form.body).toContain(`command='echo "a&b"'\n`);
    const json = await ask('POST', '/api/jobs/create', '{"command":"x","timeout":"90000"}', {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(json.body).toMatchObject({ timeoutMs: 90_000 });
    const refused = await ask('POST', '/api/jobs/create', 'command=', {
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'text/plain',
    });
    expect(refused.status).toBe(400);
    expect(refused.body).toContain("code='INVALID'");
    const list = await ask('GET', '/api/jobs/status?state=pending&limit=1000');
    const ids: string[] = list.body.jobs.map((job: SeedJob) => job.id);
    expect(ids).not.toHaveLength(0);
    for (const id of ids) await ask('POST', '/api/jobs/cancel', { id });
  });

  it.each([{ command: '' }, {}, { command: 'x', requiredCpu: 'many' }, { command: 'x', maxRetries: -1 }, { command: 'x', timeoutMs: 1 }])(
    'are refused: %j',
    async (fields) => {
      expect((await ask('POST', '/api/jobs/create', fields)).status).toBe(400);
    },
  );

  it.each(['0', 'abc', '1.2.3.4', '-1', '../1'])('have no id %s', async (id) => {
    expect((await ask('GET', `/api/jobs/status?id=${encodeURIComponent(id)}`)).status).toBe(400);
    expect((await ask('POST', '/api/jobs/cancel', { id })).status).toBe(400);
  });
});

describe('execute', () => {
  const send = (zip: Uint8Array, fields: Record<string, string>) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    form.set('file', new Blob([Uint8Array.from(zip)]), 'scene.zip');
    return ask('POST', '/api/execute', form);
  };

  it('makes a job of a zip and a command', async () => {
    const { status: code, body } = await send(await zipOf({ 'a.txt': 'a' }), { command: 'cat a.txt', requiredRamMb: '64' });
    expect([code, body]).toEqual([
      200,
      expect.objectContaining({ name: 'scene.zip', command: 'cat a.txt', requiredRamMb: 64, filename: 'scene.zip' }),
    ]);
    expect(body.fileUrl).toMatch(/\/api\/blobs\/[0-9a-f]{64}$/);
    await client.call('cancelJob', { params: { job: body.id } });
  });

  it("fills in what the zip's own description says", async () => {
    const description = JSON.stringify({
      name: 'described',
      command: 'make {frame}',
      tasks: { kind: 'frames', frames: '1-4' },
      timeoutMs: 5_000,
      workdir: 'sub',
    });
    const { body } = await send(await zipOf({ 'project/lanyard.json': description, 'project/sub/a.txt': 'a' }), { priority: '80' });
    expect(body).toMatchObject({ name: 'described', command: 'make {frame}', taskCount: 4, timeoutMs: 5_000, priority: 80 });
    expect((await client.call('getJob', { params: { job: body.id } })).spec.workdir).toBe('project/sub');
    const answer = await ask('GET', `/api/jobs/status?id=${body.id}.2`);
    expect(answer.body.jobId).toBe(body.id);
    await client.call('cancelJob', { params: { job: body.id } });
  });

  it('refuses what is no zip, no form, no job, or too large', async () => {
    expect((await send(Buffer.from('no zip'), { command: 'x' })).status).toBe(400);
    expect((await send(await zipOf({ 'a.txt': 'a' }), {})).body.error.field).toBe('command');
    expect((await send(await zipOf({ 'lanyard.json': '{"command":"x","unknown":1}' }), {})).status).toBe(400);
    expect((await send(await zipOf({ 'lanyard.json': '{' }), {})).status).toBe(400);
    expect((await ask('POST', '/api/execute', { command: 'x' })).status).toBe(400);
    expect((await send(Buffer.alloc(1_000_001), { command: 'x' })).status).toBe(413);
  });

  it('takes a form as curl sends it', async () => {
    const { stdout } = await run('curl', [
      '-fsS',
      '-H',
      `Authorization: Bearer ${coordinator.connection.token}`,
      '-F',
      'command=echo hi',
      '-F',
      'cpu=2',
      `${coordinator.url}/api/execute`,
    ]);
    const job: SeedJob = JSON.parse(stdout);
    expect(job).toMatchObject({ command: 'echo hi', requiredCpu: 2, fileUrl: null });
    await client.call('cancelJob', { params: { job: job.id } });
  });
});

describe('inputs named by URL', () => {
  it('are downloaded where that is allowed, and fail the job when they cannot be', async () => {
    const zip = await zipOf({ 'a.txt': 'a' });
    const elsewhere = createServer((request, response) => {
      if (request.url === '/good.zip') response.end(zip);
      else if (request.url === '/large.zip') response.end(Buffer.alloc(1_000_001));
      else if (request.url === '/bad.zip') response.end('no zip');
      else response.writeHead(404).end();
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => elsewhere.once('listening', resolve));
    const { port } = elsewhere.address() as AddressInfo;
    const open = await startTestCoordinator({ fetchUrls: true, maxUploadBytes: 1_000_000 });
    try {
      const api = createClient(open.connection);
      const jobOf = async (name: string) => {
        const response = await fetch(`${open.url}/api/jobs/create`, {
          method: 'POST',
          headers: { authorization: `Bearer ${open.connection.token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ command: 'x', fileUrl: `http://127.0.0.1:${port}/${name}` }),
        });
        return ((await response.json()) as SeedJob).id;
      };
      const good = await jobOf('good.zip');
      await expect.poll(async () => (await api.call('getJob', { params: { job: good } })).state).toBe('QUEUED');
      expect((await api.call('getJob', { params: { job: good } })).spec.input).toMatch(/^[0-9a-f]{64}$/);
      for (const name of ['large.zip', 'bad.zip', 'none.zip']) {
        const bad = await jobOf(name);
        await expect.poll(async () => (await api.call('getJob', { params: { job: bad } })).state).toBe('FAILED');
        expect((await api.call('getJob', { params: { job: bad } })).reason).toContain('the input could not be fetched');
      }
    } finally {
      await open.close();
      await new Promise((resolve) => elsewhere.close(resolve));
    }
  });
});
