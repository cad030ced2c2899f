import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createLinkClient } from '../../electron/link/client.ts';
import { createClock } from '../../electron/machine/clock.ts';
import { pinnedRequest } from '../../electron/trust/pinned-request.ts';
import { PROTOCOL_VERSION } from '../../shared/protocol.ts';
import { handoverManifestSchema, handoverStateSchema, rosterAnswerSchema } from '../../shared/trust.ts';
import { joinAs } from '../fakes/devices.ts';
import { silentLogger } from '../fakes/silent-logger.ts';
import { startFarm, type TestFarm } from './support/farm.ts';

/**
 * Coordinators that are killed in the middle of handing over, as real processes. The device that takes over is played by the test,
 * step by step, so that each moment can be hit.
 */

let farm: TestFarm;
let taker: Awaited<ReturnType<typeof joinAs>>;
let disconnect: () => Promise<void>;
beforeEach(async () => {
  farm = await startFarm();
  taker = await joinAs(farm.client, join(farm.folder, 'taker'), 'worker');
  const welcomed = Promise.withResolvers<void>();
  const link = createLinkClient({
    endpoint: () => ({ url: `https://${farm.connection.peer}`, tls: taker.tls }),
    clock: createClock(),
    logger: silentLogger,
    random: Math.random,
    handlers: {
      hello: () => ({
        type: 'hello',
        protocol: PROTOCOL_VERSION,
        node: {
          ...{ id: taker.identity.id, name: 'taker', os: 'linux', arch: 'x64', version: '1', maxParallel: 1, labels: {}, zone: '' },
          ...{ capacity: { cpu: 1, ramMb: 64, diskMb: 1, gpus: [] }, executors: [], availability: 'available' },
        },
        attempts: [],
        cached: [],
      }),
      welcome: () => welcomed.resolve(),
      message() {},
      closed() {},
    },
  });
  disconnect = () => link.close();
  await welcomed.promise;
});
afterEach(async () => {
  await disconnect();
  await farm.close();
});

const call = <Schema extends z.ZodType>(method: 'GET' | 'POST', path: string, schema: Schema, body?: object) =>
  pinnedRequest({ address: farm.connection.peer, tls: taker.tls, method, path, body }, schema);
const begin = () => farm.client.call('moveCoordinator', { body: { device: taker.identity.id } });
const manifest = () => call('GET', '/api/handover/manifest', handoverManifestSchema);
const freeze = () => call('POST', '/api/handover/freeze', handoverManifestSchema, {});
const complete = () => call('POST', '/api/handover/complete', rosterAnswerSchema, { peerPort: 9 });
const submit = () => farm.submit({ command: 'true', image: null, requirements: { cpu: 1, ramMb: 1, labels: ['nowhere'] } });
const phase = async () => (await farm.client.call('coordinatorState')).phase;

describe('a coordinator that is killed and started again', () => {
  const moments: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['when the other device was asked', async () => undefined],
    ['while files are copied', manifest],
    ['while the farm stands still', () => manifest().then(freeze)],
  ];
  test.each(moments)('%s goes on as the coordinator, with all jobs, and can hand over again', async (_, until) => {
    const before = await submit();
    await begin();
    await until();
    await farm.coordinator.end('SIGKILL');
    await farm.startCoordinatorAgain();
    expect((await farm.client.call('listJobs')).jobs.map(({ id }) => id)).toEqual([before.id]);
    const after = await submit();
    expect(after.id).toBeGreaterThan(before.id);
    expect(await phase()).toBe('none');
    await farm.untilNode('taker', ({ status }) => status !== 'OFFLINE');
    await begin();
    await manifest();
    const { files } = await freeze();
    expect(files.map(({ path }) => path)).toContain('farm.sqlite');
    expect((await complete()).chain.at(-1)?.roster).toMatchObject({ term: 2, coordinator: taker.identity.id });
  });

  test('right after the turning point coordinates no more, and shows the way to who does', async () => {
    await begin();
    await manifest();
    await freeze();
    await complete();
    await farm.coordinator.end('SIGKILL');
    const stored = JSON.parse(await readFile(join(farm.coordinator.dataFolder, 'roster.json'), 'utf8'));
    expect(stored.at(-1).roster).toMatchObject({ term: 2, coordinator: taker.identity.id });
    expect(JSON.parse(await readFile(join(farm.coordinator.dataFolder, 'coordinator-at.json'), 'utf8'))[0]).toBe('127.0.0.1:9');
  });
});

describe('a farm that stands still', () => {
  test('refuses every change with "try again", answers what is asked, and goes on when the other device gives up', async () => {
    const job = await submit();
    await begin();
    await manifest();
    await freeze();
    for (const change of [
      () => submit(),
      () => farm.client.call('cancelJob', { params: { job: job.id } }),
      () => farm.client.call('createToken', { body: { name: 'late', role: 'viewer' } }),
      () => farm.client.call('createInvite', { body: { role: 'worker' } }),
      () => farm.client.call('removeDevice', { params: { device: taker.identity.id } }),
      () => farm.client.call('removeTemplate', { params: { template: 'x' } }),
    ])
      await expect(change()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const upload = await fetch(`${farm.connection.url}/api/blobs/${'a'.repeat(64)}`, {
      method: 'PATCH',
      headers: {
        authorization: `Bearer ${farm.connection.token}`,
        'content-type': 'application/octet-stream',
        'upload-offset': '0',
        'upload-length': '1',
      },
      body: 'x',
    });
    expect(upload.status).toBe(503);
    expect((await farm.client.call('getJob', { params: { job: job.id } })).state).toBe('QUEUED');
    expect(await phase()).toBe('frozen');

    await call('POST', '/api/handover/abandon', z.object({ ok: z.literal(true) }), { reason: 'its disk is full' });
    const state = handoverStateSchema.parse(await farm.client.call('coordinatorState'));
    expect(state).toMatchObject({ phase: 'failed', message: 'Coordination stays here: the other device gave up: its disk is full.' });
    expect((await submit()).id).toBeGreaterThan(job.id);
    await expect(complete()).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('goes on when an administrator takes the move back, and the device that was asked gets nothing any more', async () => {
    const cancel = () => farm.client.call('cancelMove');
    await expect(cancel()).rejects.toMatchObject({ code: 'CONFLICT' });
    const job = await submit();
    await begin();
    await manifest();
    await freeze();
    await expect(submit()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await cancel()).toMatchObject({ phase: 'failed', message: 'Coordination stays here: local administrator took the move back.' });
    expect((await submit()).id).toBeGreaterThan(job.id);
    for (const asked of [manifest(), freeze(), complete()]) await expect(asked).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { entries } = await farm.client.call('audit', { query: { limit: 10 } });
    const noted = entries.filter(({ event }) => event.startsWith('coordinator-'));
    expect(noted).toMatchObject([{ event: 'coordinator-stayed', target: taker.identity.id }, { event: 'coordinator-moved' }]);
    expect(await phase()).toBe('failed');
  });
});
