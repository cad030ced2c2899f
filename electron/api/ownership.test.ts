import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES } from '../../shared/api.ts';
import type { Route } from '../../shared/api-route.ts';
import { SEED_ROUTES } from '../../shared/api-seed.ts';
import type { Role } from '../../shared/trust.ts';
import { startTestCoordinator } from '../../tests/fakes/coordinator.ts';
import { inviteWorker, startTestNode } from '../../tests/fakes/devices.ts';
import { createNullExecutor } from '../../tests/fakes/null-executor.ts';
import { type Client, createClient } from './client.ts';

/** What one submitter or one worker may do with what belongs to another, on a real coordinator. */

let coordinator: Awaited<ReturnType<typeof startTestCoordinator>>;
let client: Client;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  coordinator = await startTestCoordinator();
  client = createClient(coordinator.connection);
  const make = async (name: string, role: Role) => {
    tokens[name] = (await client.call('createToken', { body: { name, role } })).token;
  };
  await make('ada', 'submitter');
  await make('eve', 'submitter');
  await make('one', 'worker');
  await make('two', 'worker');
});
afterAll(() => coordinator.close());

async function ask(as: string, method: string, path: string, body?: unknown) {
  const response = await fetch(`${coordinator.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${tokens[as]}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  // biome-ignore lint/suspicious/noExplicitAny: answers of many routes
  return { status: response.status, body: (text.startsWith('{') ? JSON.parse(text) : text) as any };
}

/** A job that nothing can run, so that it stays as it is. */
const submit = async (as: string) => {
  const answer = await ask(as, 'POST', '/api/jobs', { command: 'x', image: null, requirements: { cpu: 1, ramMb: 1, labels: ['nowhere'] } });
  expect(answer.status).toBe(200);
  return String(answer.body.id);
};

/** Every route by which a submitter, and no mere viewer, acts on one job, also those that are still to be written. */
const acting = Object.entries<Route>({ ...ROUTES, ...SEED_ROUTES }).filter(
  ([, { roles, path }]) => roles.includes('submitter') && !roles.includes('viewer') && path.includes(':job'),
);
const BODIES: Readonly<Record<string, object>> = { updateJob: { held: true } };

describe('a submitter', () => {
  it.each(acting)('is refused another one’s job: %s', async (name, { method, path }) => {
    const job = await submit('ada');
    const at = path.replace(':job', job).replace(':index', '0');
    const answer = await ask('eve', method, at, BODIES[name]);
    expect(answer).toMatchObject({ status: 403, body: { error: { code: 'FORBIDDEN', message: `job ${job} belongs to somebody else` } } });
    expect((await client.call('getJob', { params: { job } })).state).toBe('QUEUED');
    // Its owner is not refused, whatever else comes of it.
    expect((await ask('ada', method, at, BODIES[name])).status).not.toBe(403);
  });

  it('submits many at once: each is taken or refused by itself, and stands in the audit log', async () => {
    const nowhere = { image: null, requirements: { cpu: 1, ramMb: 1, labels: ['nowhere'] } };
    const jobs = [
      { ...nowhere, name: 'one', command: 'x' },
      { ...nowhere, name: 'two' },
      { ...nowhere, name: 'three', command: 'x', input: '0'.repeat(64) },
      'four',
      { ...nowhere, name: 'five', command: 'x', after: [999_999] },
      { ...nowhere, name: 'six', command: 'x' },
    ];
    const { status, body } = await ask('ada', 'POST', '/api/jobs/batch', { jobs });
    expect(status).toBe(200);
    const first = body.results[0].job;
    const refused = (field: string | undefined) => ({ error: expect.objectContaining({ code: 'INVALID', ...(field && { field }) }) });
    expect(body.results).toEqual([
      { job: first },
      refused('command'),
      refused('input'),
      refused(undefined),
      refused('after'),
      { job: first + 1 },
    ]);
    const named = await Promise.all([first, first + 1].map((job) => client.call('getJob', { params: { job } })));
    expect(named.map(({ name, owner, state }) => ({ name, owner, state }))).toEqual([
      { name: 'one', owner: 'ada', state: 'QUEUED' },
      { name: 'six', owner: 'ada', state: 'QUEUED' },
    ]);
    const { entries } = await client.call('audit', { query: { limit: 3 } });
    expect(entries).toContainEqual(
      expect.objectContaining({ event: 'job-submitted', actor: 'ada', target: `${first}-${first + 1}`, detail: '2 jobs' }),
    );
    expect((await ask('one', 'POST', '/api/jobs/batch', { jobs })).status).toBe(403);
    expect((await ask('ada', 'POST', '/api/jobs/batch', { jobs: [] })).status).toBe(400);
    expect((await ask('ada', 'POST', '/api/jobs/batch', { jobs: Array(1_001).fill(jobs[0]) })).status).toBe(400);
  });

  it('is refused it by the routes of the earlier system too', async () => {
    const { body } = await ask('ada', 'POST', '/api/jobs/create', { command: 'x', requiredCpu: 4000 });
    expect((await ask('eve', 'POST', '/api/jobs/cancel', { id: body.id })).status).toBe(403);
    expect((await ask('eve', 'POST', '/api/jobs/cancel', { id: `${body.id}.0` })).status).toBe(403);
    expect((await ask('ada', 'POST', '/api/jobs/cancel', { id: body.id })).body.status).toBe('CANCELLED');
    // What is answered is on disk, a moment after it happened.
    const lines = async () =>
      (await client.call('audit', { query: { limit: 3 } })).entries.map(({ event, actor, target }) => ({ event, actor, target }));
    await expect.poll(lines).toContainEqual({ event: 'job-cancelled', actor: 'ada', target: body.id });
    expect(await lines()).toContainEqual({ event: 'job-submitted', actor: 'ada', target: body.id });
  });

  it('may not change templates, devices, nodes or tokens', () => {
    for (const name of [
      'putTemplate',
      'removeTemplate',
      'updateDevice',
      'removeDevice',
      'updateNode',
      'removeNode',
      'createToken',
    ] as const)
      expect(ROUTES[name].roles, name).toEqual(['admin']);
  });
});

describe('a worker that polls', () => {
  const register = (as: string, workerId: string) => ask(as, 'POST', '/api/workers/register', { workerId, cpu: 2, totalRam: 2048 });
  const run = async (as: string, workerId: string) => {
    const { body } = await ask('ada', 'POST', '/api/jobs/create', { command: 'x', maxRetries: 0 });
    await expect
      .poll(async () => (await ask(as, 'POST', '/api/jobs/get-job', { workerId, running: [] })).body.job?.jobId, { timeout: 15_000 })
      .toBe(body.id);
    return `${body.id}.0.1`;
  };

  it('neither takes, writes nor ends what another one was given', async () => {
    await register('one', 'poll-1');
    const attempt = await run('one', 'poll-1');
    const refused = { status: 403, body: { error: { code: 'FORBIDDEN' } } };
    expect(await register('two', 'poll-1')).toMatchObject(refused);
    expect(await ask('two', 'POST', '/api/workers/heartbeat', { workerId: 'poll-1' })).toMatchObject(refused);
    expect(await ask('two', 'POST', '/api/jobs/get-job', { workerId: 'poll-1', running: [] })).toMatchObject(refused);
    for (const named of [{ id: attempt }, { id: attempt, workerId: 'poll-1' }]) {
      expect(await ask('two', 'POST', '/api/jobs/stream-output', { ...named, output: 'forged' })).toMatchObject(refused);
      expect(await ask('two', 'POST', '/api/jobs/submit-result', { ...named, exitCode: 0 })).toMatchObject(refused);
      expect(await ask('two', 'PUT', '/api/jobs/submit-result', { ...named, message: 'forged' })).toMatchObject(refused);
    }
    // Under a name of its own it is told that the attempt is not its.
    await register('two', 'poll-2');
    const own = { id: attempt, workerId: 'poll-2' };
    expect((await ask('two', 'POST', '/api/jobs/stream-output', { ...own, output: 'forged' })).body).toMatchObject({ stop: true });
    expect((await ask('two', 'POST', '/api/jobs/submit-result', own)).status).toBe(409);
    expect((await ask('one', 'POST', '/api/jobs/stream-output', { id: attempt, output: 'mine' })).body).toMatchObject({ stop: false });
    expect((await ask('one', 'POST', '/api/jobs/submit-result', { id: attempt, exitCode: 0 })).body.status).toBe('COMPLETED');
    expect((await client.call('getTask', { params: { job: attempt.split('.')[0] ?? '', index: 0 } })).attempts).toHaveLength(1);
    for (const workerId of ['poll-1', 'poll-2']) await client.call('removeNode', { params: { node: workerId } });
  });

  it('reads no job and no output', async () => {
    const job = await submit('ada');
    for (const path of [`/api/jobs/${job}`, `/api/jobs/status?id=${job}`, `/api/jobs/stream-output?id=${job}`, `/api/jobs/${job}/outputs`])
      expect((await ask('one', 'GET', path)).status, path).toBe(403);
  });

  it('never speaks for a device of the farm, which has a key', async () => {
    const dataFolder = `${coordinator.dataFolder}/device`;
    const invite = await inviteWorker(client);
    const device = await startTestNode({
      dataFolder,
      invite,
      executors: [createNullExecutor({ endless: true })],
    });
    try {
      const { id } = await client.call('submitJob', { body: { command: 'x', image: null } });
      const task = () => client.call('getTask', { params: { job: id, index: 0 } });
      await expect.poll(async () => (await task()).task.node, { timeout: 15_000 }).toBe(device.device.identity.id);
      const workerId = device.device.identity.id;
      const attempt = `${id}.0.1`;
      for (const [method, path, body] of [
        ['POST', '/api/workers/register', { workerId }],
        ['POST', '/api/workers/heartbeat', { workerId }],
        ['POST', '/api/jobs/get-job', { workerId, running: [] }],
        ['POST', '/api/jobs/stream-output', { id: attempt, output: 'forged' }],
        ['POST', '/api/jobs/submit-result', { id: attempt, exitCode: 0 }],
        ['PUT', '/api/jobs/submit-result', { id: attempt }],
      ] as const)
        expect(await ask('one', method, path, body), path).toMatchObject({ status: 403 });
      expect((await task()).task.state).not.toBe('COMPLETED');
    } finally {
      await device.close();
    }
  });
});

it('a stream ends with the token that it was opened with', async () => {
  const { token } = await client.call('createToken', { body: { name: 'watcher', role: 'viewer' } });
  const response = await fetch(`${coordinator.url}/api/events`, { headers: { authorization: `Bearer ${token}` } });
  const reader = response.body?.getReader();
  expect((await reader?.read())?.done).toBe(false);
  const { tokens: listed } = await client.call('listTokens');
  await client.call('revokeToken', { params: { token: listed.find(({ name }) => name === 'watcher')?.id ?? '' } });
  const ended = (async () => {
    while ((await reader?.read())?.done === false);
  })();
  await expect(ended).rejects.toThrow('terminated');
});
