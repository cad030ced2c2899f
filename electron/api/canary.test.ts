import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../shared/view.ts';
import { startTestCoordinator } from '../../tests/fakes/coordinator.ts';
import { type Client, createClient } from './client.ts';

/** Canaries through a whole coordinator, with a worker that polls and says what its tasks have used. */

let coordinator: Awaited<ReturnType<typeof startTestCoordinator>>;
let client: Client;

beforeAll(async () => {
  coordinator = await startTestCoordinator();
  client = createClient(coordinator.connection);
  await ask('/api/workers/register', { id: 'poller', cpu: '8', totalRam: '8192', platform: 'linux', maxParallel: '8' });
});
afterAll(() => coordinator.close());

// biome-ignore lint/suspicious/noExplicitAny: a script knows no types
async function ask(path: string, body: unknown): Promise<any> {
  const response = await fetch(`${coordinator.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${coordinator.connection.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.json();
}

/** Runs all that is assigned, as long as there is anything. @returns the memory that each task was given */
async function work(success = true): Promise<number[]> {
  const given: number[] = [];
  for (;;) {
    const { job } = await ask('/api/jobs/get-job', { workerId: 'poller' });
    if (job === null) return given;
    given.push(job.requiredRamMb);
    const used = { ranForMs: 30_000, cpuMs: 24_000, peakRamMb: 1_000 };
    const end = { id: job.id, workerId: 'poller', ...used, ...(success ? {} : { exitCode: 3, message: 'no such camera' }) };
    if (success) await ask('/api/jobs/submit-result', end);
    else
      await fetch(`${coordinator.url}/api/jobs/submit-result`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${coordinator.connection.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(end),
      });
  }
}

function submit(canary: object, more: object = {}): Promise<JobView> {
  const requirements = { cpu: 1, ramMb: 2_048 };
  return client.call('submitJob', {
    body: { command: 'render', tasks: { kind: 'count', count: 8 }, requirements, maxRetries: 0, canary, ...more },
  });
}

describe('a job with a canary', () => {
  it('goes on by itself with what its first tasks needed, and its worker is given that', async () => {
    const { id, canaryPhase } = await submit({});
    expect(canaryPhase).toBe('running');
    const given = await work();
    expect(given).toEqual([2_048, 2_048, 2_048, 1_504, 1_504, 1_504, 1_504, 1_504]);
    const detail = await client.call('getJob', { params: { job: id } });
    expect(detail).toMatchObject({
      state: 'COMPLETED',
      canaryPhase: null,
      spec: { requirements: { cpu: 1, ramMb: 1_504 }, timeoutMs: 180_000 },
      canary: { tasks: [0, 3, 7], ended: null, decision: { by: null, asked: { cpu: 1, ramMb: 2_048, timeoutMs: 3_600_000 } } },
    });
    const { attempts } = await client.call('getTask', { params: { job: id, index: 3 } });
    expect(attempts).toMatchObject([{ ranForMs: 30_000, cpuMs: 24_000, peakRamMb: 1_000 }]);
  });

  it('waits for approval when that was asked, and says so wherever one looks', async () => {
    const { id } = await submit({ approval: 'by-hand', least: { ramMb: 1_800 } });
    await expect(client.call('approveCanary', { params: { job: id }, body: {} })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await work()).toHaveLength(3);
    const detail = await client.call('getJob', { params: { job: id } });
    expect(detail).toMatchObject({
      canaryPhase: 'waiting',
      canary: { ended: 3, decision: null, proposal: { needs: { cpu: 1, ramMb: 1_800 } } },
    });
    const { jobs } = await client.call('listJobs', { query: { search: detail.name } });
    expect(jobs.find((job) => job.id === id)?.canaryPhase).toBe('waiting');
    expect((await client.call('explainJob', { params: { job: id } })).summary).toMatch(/waits until somebody approves/);
    await client.call('approveCanary', { params: { job: id }, body: { ramMb: 3_000 } });
    expect(await work()).toEqual([3_000, 3_000, 3_000, 3_000, 3_000]);
    expect((await client.call('getJob', { params: { job: id } })).canary?.decision).toMatchObject({ decided: { ramMb: 3_000 } });
    await expect(client.call('approveCanary', { params: { job: id }, body: {} })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('that fails is stopped, and the evidence is the attempt that failed', async () => {
    const { id } = await submit({});
    await work(false);
    const explained = await client.call('explainJob', { params: { job: id } });
    expect(explained.summary).toMatch(/its canary, task \d+\.\d, failed, so nothing else of it is run: no such camera/);
    expect(explained.evidence).toMatchObject({ attempt: expect.stringMatching(/^\d+\.\d\.1$/) });
    const { counts } = await client.call('getJob', { params: { job: id } });
    expect(counts.COMPLETED).toBe(0);
    expect(counts.CANCELLED).toBeGreaterThanOrEqual(5);
  });

  it('of which only its owner may approve', async () => {
    const { token } = await client.call('createToken', { body: { name: 'somebody else', role: 'submitter' } });
    const { id } = await submit({ approval: 'by-hand' });
    await work();
    const other = createClient({ ...coordinator.connection, token });
    await expect(other.call('approveCanary', { params: { job: id }, body: {} })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await client.call('cancelJob', { params: { job: id } })).toMatchObject({ state: 'CANCELLED', canaryPhase: null });
  });
});
