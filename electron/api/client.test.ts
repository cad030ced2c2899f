import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LanyardError } from '../../shared/errors.ts';
import type { AttemptId, NodeId } from '../../shared/ids.ts';
import { nodeDescriptionSchema } from '../../shared/node.ts';
import { attemptEndSchema } from '../../shared/protocol.ts';
import type { ViewEvent } from '../../shared/view.ts';
import { startTestCoordinator } from '../../tests/fakes/coordinator.ts';
import { type Client, createClient } from './client.ts';

let coordinator: Awaited<ReturnType<typeof startTestCoordinator>>;
let client: Client;
let folder: string;
const worker = 'by-hand' as NodeId;

beforeAll(async () => {
  coordinator = await startTestCoordinator();
  client = createClient(coordinator.connection);
  folder = await mkdtemp(join(tmpdir(), 'lanyard-client-'));
  await coordinator.farm.poll.register(
    nodeDescriptionSchema.parse({
      id: worker,
      name: 'by hand',
      os: 'linux',
      arch: 'x64',
      version: 'test',
      capacity: { cpu: 8, ramMb: 8_192, diskMb: 1_000 },
      maxParallel: 8,
      executors: ['host'],
    }),
  );
});
afterAll(async () => {
  await coordinator.close();
  await rm(folder, { recursive: true });
});

/** A job that runs at the worker by hand. */
async function running(): Promise<AttemptId> {
  const { id } = await client.call('submitJob', { body: { name: 'followed', command: 'true' } });
  const taken = await coordinator.farm.poll.take(worker);
  expect(taken?.job.id).toBe(id);
  return taken?.attempt as AttemptId;
}

describe('calls', () => {
  it('are typed by the table and answered by a coordinator', async () => {
    const job = await client.call('submitJob', {
      body: { name: 'one', command: 'echo {index}', tasks: { kind: 'count', count: 3 }, priority: 70 },
    });
    expect(job).toMatchObject({ name: 'one', taskCount: 3, priority: 70 });
    expect(await client.call('getJob', { params: { job: job.id } })).toMatchObject({ id: job.id, spec: { command: 'echo {index}' } });
    const { jobs } = await client.call('listJobs', { query: { state: ['QUEUED', 'ASSIGNED', 'RUNNING'], search: 'ON', limit: 10 } });
    expect(jobs.map((one) => one.id)).toContain(job.id);
    expect(await client.call('listTasks', { params: { job: job.id }, query: { offset: 1, limit: 1 } })).toMatchObject({
      total: 3,
      tasks: [{ index: 1 }],
    });
    expect((await client.call('explainJob', { params: { job: job.id } })).job).toBe(job.id);
    expect((await client.call('updateJob', { params: { job: job.id }, body: { held: true } })).held).toBe(true);
    expect((await client.call('cancelJob', { params: { job: job.id } })).state).toBe('CANCELLED');
    expect(await client.call('removeJob', { params: { job: job.id } })).toEqual({ ok: true });
    await expect(client.call('getJob', { params: { job: job.id } })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await client.call('farm')).totals.nodes.IDLE + (await client.call('farm')).totals.nodes.BUSY).toBe(1);
    expect((await client.call('updateNode', { params: { node: worker }, body: { availability: 'paused' } })).availability).toBe('paused');
    await client.call('updateNode', { params: { node: worker }, body: { availability: 'available' } });
    expect(await readFile((await client.call('backup')).path, 'latin1')).toContain('SQLite format 3');
  });

  it('fail with the error that the coordinator gave', async () => {
    await expect(client.call('submitJob', { body: { command: '' } })).rejects.toMatchObject({ code: 'INVALID', field: 'command' });
    const stranger = createClient({ url: coordinator.url, token: 'x' });
    await expect(stranger.call('listJobs')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('fail with a hint when nobody answers, and with the reason when they are aborted', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const error = await createClient({ url: `http://127.0.0.1:${port}`, token: 'x' })
      .call('health')
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LanyardError);
    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED'),
      hint: expect.stringContaining('address'),
    });
    const reason = new Error('enough');
    await expect(client.call('health', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(() => createClient({ url: 'ftp://x', token: 'x' })).toThrow('not an address');
  });

  it('do not believe everything', async () => {
    const lying = createClient({ url: coordinator.url, token: 'x', fetch: async () => Response.json({ status: 'perhaps' }) });
    await expect(lying.call('health')).rejects.toMatchObject({ code: 'INTERNAL' });
    const other = createClient({ url: coordinator.url, token: 'x', fetch: async () => new Response('<html>', { status: 502 }) });
    await expect(other.call('health')).rejects.toMatchObject({ message: expect.stringContaining('502') });
  });
});

describe('files', () => {
  it('are sent once, and go on where an earlier upload broke', async () => {
    const bytes = randomBytes(300_000);
    const path = join(folder, 'input.bin');
    await writeFile(path, bytes);
    const sent: number[] = [];
    let broken = 0;
    const flaky = createClient({
      ...coordinator.connection,
      async fetch(target, init) {
        if (init?.method !== 'PATCH' || broken > 0) return fetch(target, init);
        broken += 1;
        const headers = new Headers(init.headers);
        await fetch(target, { method: 'PATCH', headers, body: bytes.subarray(0, 100_000) });
        throw new TypeError('the line broke');
      },
    });
    const { blob } = await flaky.uploadBlob(path, (done, total) => sent.push(done / total));
    expect(sent).toEqual([0, 1 / 3, 1]);
    expect(broken).toBe(1);
    const again: number[] = [];
    expect(await client.uploadBlob(path, (done) => again.push(done))).toEqual({ blob, bytes: 300_000 });
    expect(again).toEqual([300_000]);
    await writeFile(path, '');
    expect((await client.uploadBlob(path)).bytes).toBe(0);
    await expect(client.uploadBlob(join(folder, 'none'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('of a task come back, one by one and as a zip', async () => {
    const path = join(folder, 'image.png');
    await writeFile(path, 'an image');
    const { blob, bytes } = await client.uploadBlob(path);
    const attempt = await running();
    const outputs = [{ path: 'out/i ü.png', blob, bytes }];
    await coordinator.farm.poll.end(worker, attempt, attemptEndSchema.parse({ reason: 'completed', exitCode: 0, outputs }));
    const job = Number(attempt.split('.')[0]);
    const [output] = (await client.call('listOutputs', { params: { job } })).outputs;
    expect(output).toMatchObject({ path: 'out/i ü.png', bytes: 8 });
    expect((await buffer(await client.download({ task: `${job}.0`, path: 'out/i ü.png' }))).toString()).toBe('an image');
    expect((await buffer(await client.downloadOutputs(job))).subarray(0, 2).toString()).toBe('PK');
    await expect(client.download({ task: `${job}.0`, path: 'none' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('logs', () => {
  it('are followed over a broken line to the end, nothing lost and nothing twice', async () => {
    const attempt = await running();
    const { poll } = coordinator.farm;
    await poll.appendLog(worker, attempt, 'stdout', Buffer.from('one '));
    await poll.appendLog(worker, attempt, 'stderr', Buffer.from('two '));
    const lines: AbortController[] = [];
    const flaky = createClient({
      ...coordinator.connection,
      fetch(target, init) {
        const line = new AbortController();
        lines.push(line);
        return fetch(target, { ...init, signal: line.signal });
      },
    });
    const found: string[] = [];
    for await (const record of flaky.followLog(attempt, { follow: true })) {
      found.push(`${record.stream}:${Buffer.from(record.bytes)}`);
      if (found.length === 2) {
        lines[0]?.abort();
        await poll.appendLog(worker, attempt, 'stdout', Buffer.from('three'));
        await poll.end(worker, attempt, attemptEndSchema.parse({ reason: 'completed', exitCode: 0 }));
      }
    }
    expect(found).toEqual(['stdout:one ', 'stderr:two ', 'stdout:three']);
    expect(lines).toHaveLength(2);
    await expect(
      client
        .followLog('9999.0.1' as AttemptId)
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('watching', () => {
  it('begins with a snapshot, goes on with deltas, and begins anew when the line broke', async () => {
    const lines: AbortController[] = [];
    const flaky = createClient({
      ...coordinator.connection,
      fetch(target, init) {
        const line = new AbortController();
        lines.push(line);
        return fetch(target, { ...init, signal: line.signal });
      },
    });
    const events = flaky.watch()[Symbol.asyncIterator]();
    const next = async () => (await events.next()).value as ViewEvent;
    expect((await next()).type).toBe('snapshot');
    const { id } = await client.call('submitJob', { body: { command: 'true' } });
    const delta = await next();
    expect(delta.type).toBe('delta');
    expect(delta.jobs.map((job) => job.id)).toContain(id);
    lines[0]?.abort();
    let event = await next();
    while (event.type !== 'snapshot') event = await next();
    expect(event.jobs.map((job) => job.id)).toContain(id);
    expect(lines).toHaveLength(2);
    await events.return?.();
  });

  it('ends when it is given up, also when the collector has been there in between', async () => {
    const stop = new AbortController();
    const opened = Promise.withResolvers<string>();
    const watch = async () => {
      for await (const { type } of createClient(coordinator.connection).watch(stop.signal)) opened.resolve(type);
    };
    const watched = watch();
    expect(await opened.promise).toBe('snapshot');
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    for (let round = 0; round < 3; round += 1) {
      collect();
      await new Promise(setImmediate);
    }
    stop.abort(new Error('enough'));
    await expect(watched).rejects.toThrow('enough');
  });

  it('fails at once where nothing answers the first time', async () => {
    const stranger = createClient({ url: coordinator.url, token: 'x' });
    await expect(stranger.watch()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

describe('submit', () => {
  it('is answered for each job, also when many come at once', async () => {
    // Nothing can run them.
    const requirements = { labels: ['nowhere'] };
    const submitted = await Promise.allSettled(
      Array.from({ length: 100 }, (_, index) =>
        client.submit({ name: `many ${index}`, command: index === 50 ? '' : 'true', requirements }),
      ),
    );
    expect(submitted.map(({ status }) => status)).toEqual(submitted.map((_, index) => (index === 50 ? 'rejected' : 'fulfilled')));
    expect(submitted[50]).toMatchObject({ reason: { code: 'INVALID', field: 'command' } });
    const { jobs, total } = await client.call('listJobs', { query: { search: 'many ', limit: 1 } });
    expect({ total, name: jobs[0]?.name }).toEqual({ total: 99, name: 'many 99' });
  });
});
