import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestNode } from '../../tests/fakes/devices.ts';
import { createNullExecutor } from '../../tests/fakes/null-executor.ts';
import { silentLogger } from '../../tests/fakes/silent-logger.ts';
import { type Client, createClient } from '../api/client.ts';
import { parseInvite } from '../trust/invite-text.ts';
import { joinByDigits, joinByInvite } from '../trust/joining.ts';
import { openDevice } from './device.ts';
import type { LanyardNode } from './node.ts';

/** Whole nodes in one process, over real TLS on loopback. */

let folder: string;
const nodes: LanyardNode[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-nodes-'));
});
afterEach(async () => {
  for (const node of nodes.splice(0).reverse()) await node.close();
  await rm(folder, { recursive: true, force: true });
});

async function start(name: string, options: Partial<Parameters<typeof startTestNode>[0]> = {}): Promise<LanyardNode> {
  const node = await startTestNode({
    dataFolder: join(folder, name),
    executors: [createNullExecutor()],
    coordinator: { heartbeatMs: 100, connectionGraceMs: 200 },
    worker: { name },
    ...options,
  });
  nodes.push(node);
  return node;
}

function clientOf(node: LanyardNode): Client {
  if (node.coordinator === undefined) throw new Error('the node does not coordinate');
  return createClient(node.coordinator.connection);
}

const invite = async (client: Client, approve = true) => (await client.call('createInvite', { body: { role: 'worker', approve } })).text;

/** Waits on the event stream. */
async function untilNodes(client: Client, names: readonly string[]): Promise<void> {
  const stop = new AbortController();
  const up = new Map<string, boolean>();
  for await (const event of client.watch(stop.signal)) {
    for (const node of event.nodes) up.set(node.description.name, node.status !== 'OFFLINE');
    if (names.every((name) => up.get(name) === true)) break;
  }
  stop.abort();
}

async function untilJob(client: Client, id: number, states: readonly string[]): Promise<string> {
  const stop = new AbortController();
  let state: string | undefined;
  for await (const event of client.watch(stop.signal)) {
    state = event.jobs.find((one) => one.id === id && states.includes(one.state))?.state;
    if (state !== undefined) break;
  }
  stop.abort();
  return state ?? 'the event stream ended';
}

/** Until the node's parts are as they should be. */
function untilParts(node: LanyardNode, isSo: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!isSo()) return;
      end();
      resolve();
    };
    const end = node.subscribe(look);
    look();
  });
}

test('a device that was invited works for the farm, and one that is removed does not', async () => {
  const first = await start('first', { works: false });
  const client = clientOf(first);
  const second = await start('second', { invite: await invite(client) });
  await untilNodes(client, ['second']);
  const { id } = await client.call('submitJob', { body: { command: 'true', image: null } });
  expect(await untilJob(client, id, ['COMPLETED', 'FAILED'])).toBe('COMPLETED');
  const { devices } = await client.call('listDevices');
  expect(devices.map(({ roles }) => roles)).toEqual([['worker', 'admin'], ['worker']]);

  await client.call('removeDevice', { params: { device: second.device.identity.id } });
  expect((await client.call('listNodes')).nodes.filter(({ status }) => status !== 'OFFLINE')).toEqual([]);
  expect((await client.call('audit')).entries.map(({ event }) => event)).toEqual([
    'device-removed',
    'job-submitted',
    'device-joined',
    'invite-used',
    'invite-created',
  ]);
});

test('a role that is taken and given takes effect while the node runs', async () => {
  const first = await start('first', { works: false });
  const client = clientOf(first);
  const second = await start('second', { invite: await invite(client) });
  await untilNodes(client, ['second']);
  const params = { device: second.device.identity.id };
  await client.call('updateDevice', { params, body: { roles: ['viewer'] } });
  await untilParts(second, () => second.worker === undefined);
  await client.call('updateDevice', { params, body: { roles: ['worker', 'viewer'] } });
  await untilParts(second, () => second.worker !== undefined);
  await untilNodes(client, ['second']);
});

test('an invite that was not approved in advance waits for an administrator', async () => {
  const first = await start('first', { works: false });
  const client = clientOf(first);
  const device = await openDevice(join(folder, 'second'));
  const { identity, roster } = device;
  const asked = Promise.withResolvers<void>();
  const joined = joinByInvite(parseInvite(await invite(client, false)), {
    identity,
    roster,
    name: 'second',
    signal: AbortSignal.timeout(10_000),
    waiting: asked.resolve,
  });
  await asked.promise;
  const { admissions } = await client.call('listAdmissions');
  expect(admissions).toMatchObject([{ device: identity.id, name: 'second', via: 'invite', digits: null }]);
  await client.call('approveAdmission', { params: { admission: admissions[0]?.id ?? '' }, body: {} });
  expect((await joined).roster.devices.map(({ name }) => name)).toContain('second');
});

test('six digits stand on both screens; only a device that both sides agree on gets in', async () => {
  const first = await start('first', { works: false });
  const client = clientOf(first);
  const address = first.coordinator?.addresses[0] ?? '';
  const join_ = async (name: string, areSame: boolean, isApproved: boolean) => {
    const { identity, roster } = await openDevice(join(folder, name));
    const compare = async (digits: string) => {
      const { admissions } = await client.call('listAdmissions');
      const mine = admissions.find(({ device }) => device === identity.id);
      expect(mine?.digits).toBe(digits);
      const params = { admission: mine?.id ?? '' };
      if (isApproved) await client.call('approveAdmission', { params, body: {} });
      else await client.call('refuseAdmission', { params });
      return areSame;
    };
    return joinByDigits({ identity, roster, name, address, compare, signal: AbortSignal.timeout(10_000), waiting() {} });
  };
  expect((await join_('second', true, true)).roster.devices).toHaveLength(2);
  await expect(join_('third', true, false)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(join_('fourth', false, true)).rejects.toMatchObject({ code: 'FORBIDDEN' });
});

test('coordination moves to another node with jobs, logs and blobs, the workers follow, and the term grows', async () => {
  const first = await start('first', { works: true });
  const client = clientOf(first);
  const second = await start('second', { invite: await invite(client) });
  const third = await start('third', { invite: await invite(client) });
  await untilNodes(client, ['first', 'second', 'third']);
  const done = await client.call('submitJob', { body: { command: 'true', image: null, name: 'before' } });
  await untilJob(client, done.id, ['COMPLETED']);
  const requirements = { cpu: 1, ramMb: 1, labels: ['nowhere'] };
  const held = await client.call('submitJob', { body: { command: 'true', image: null, name: 'waiting', requirements } });

  await client.call('moveCoordinator', { body: { device: second.device.identity.id } });
  await untilParts(second, () => second.coordinator !== undefined);
  await untilParts(first, () => first.coordinator === undefined);
  const next = clientOf(second);
  await untilNodes(next, ['first', 'second', 'third']);
  const { jobs } = await next.call('listJobs');
  expect(jobs.map(({ id, name }) => [id, name])).toEqual(
    expect.arrayContaining([
      [done.id, 'before'],
      [held.id, 'waiting'],
    ]),
  );
  const after = await next.call('submitJob', { body: { command: 'true', image: null } });
  expect(after.id).toBeGreaterThan(held.id);
  expect(await untilJob(next, after.id, ['COMPLETED', 'FAILED'])).toBe('COMPLETED');
  expect(await next.call('listDevices')).toMatchObject({ term: 2, coordinator: second.device.identity.id });
  expect(third.device.roster.current?.term).toBe(2);
});

test('coordination comes back to where it was: what went in the meantime does not return, and the audit log has it all', async () => {
  const first = await start('first', { works: false });
  const client = clientOf(first);
  const second = await start('second', { invite: await invite(client) });
  await untilNodes(client, ['second']);
  const template = { name: 'Mine', description: 'x', fields: [], job: { command: 'true' } };
  await client.call('putTemplate', { params: { template: 'kept' }, body: template as never });
  await client.call('putTemplate', { params: { template: 'dropped' }, body: template as never });
  // A log that was begun and never written to.
  await mkdir(join(first.device.dataFolder, 'logs', '999', '0'), { recursive: true });
  await writeFile(join(first.device.dataFolder, 'logs', '999', '0', '0.1.log'), '');

  const move = async (from: LanyardNode, to: LanyardNode) => {
    await clientOf(from).call('moveCoordinator', { body: { device: to.device.identity.id } });
    await untilParts(to, () => to.coordinator !== undefined);
    await untilParts(from, () => from.coordinator === undefined);
    return clientOf(to);
  };
  const next = await move(first, second);
  expect(await readFile(join(second.device.dataFolder, 'logs', '999', '0', '0.1.log'), 'utf8')).toBe('');
  await next.call('removeTemplate', { params: { template: 'dropped' } });
  await first.setWorks(true);
  await untilNodes(next, ['first']);
  const back = await move(second, first);
  const { templates } = await back.call('listTemplates');
  expect(templates.filter(({ source }) => source === 'farm').map(({ id }) => id)).toEqual(['kept']);
  const moves = (await back.call('audit')).entries.filter(({ event }) => event === 'coordinator-moved');
  expect(moves.map(({ target }) => target)).toEqual([first.device.identity.id, second.device.identity.id]);
  expect((await back.call('listDevices')).term).toBe(3);
});

test('a device that cannot coordinate says so before it is too late, and the farm goes on where it was', async () => {
  const first = await start('first', { works: false });
  const client = clientOf(first);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const second = await start('second', { invite: await invite(client), coordinator: { apiPort: port } });
  await untilNodes(client, ['second']);
  await client.call('moveCoordinator', { body: { device: second.device.identity.id } });
  await expect.poll(async () => (await client.call('coordinatorState')).phase, { timeout: 15_000 }).toBe('failed');
  expect((await client.call('coordinatorState')).message).toContain(`Port ${port}`);
  const { id } = await client.call('submitJob', { body: { command: 'true', image: null } });
  expect(await untilJob(client, id, ['COMPLETED', 'FAILED'])).toBe('COMPLETED');
  expect(await client.call('listDevices')).toMatchObject({ term: 1, coordinator: first.device.identity.id });
  await new Promise((resolve) => taken.close(resolve));
  // Asked again, it can.
  await client.call('moveCoordinator', { body: { device: second.device.identity.id } });
  await untilParts(second, () => second.coordinator !== undefined);
  expect((await clientOf(second).call('listJobs')).jobs.map((job) => job.id)).toEqual([id]);
});

test('a device that was removed while it was away is told so, in words', async () => {
  const first = await start('first', { works: false });
  const client = clientOf(first);
  const told = Promise.withResolvers<void>();
  const warn = (_: string, fields?: Readonly<Record<string, unknown>>) => {
    if (String(fields?.reason).includes('probably removed from the farm')) told.resolve();
  };
  const second = await start('second', { invite: await invite(client), logger: { ...silentLogger, warn } });
  await untilNodes(client, ['second']);
  await client.call('removeDevice', { params: { device: second.device.identity.id } });
  await told.promise;
});
