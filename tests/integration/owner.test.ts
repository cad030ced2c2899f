import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LanyardNode } from '../../electron/compose/node.ts';
import type { WorkerNode } from '../../electron/compose/worker.ts';
import { inviteWorker, startTestNode } from '../fakes/devices.ts';
import { ENGINE_SOCKET } from './support/engine.ts';
import { startFarm, type TestFarm } from './support/farm.ts';
import { ensureImage } from './support/images.ts';

/**
 * The owner of a machine comes and goes, and real containers feel it. Each of three reasons to keep off has a ladder of one step, so that
 * every step is asked for by name and none is waited for.
 */
const docker = new Docker({ socketPath: ENGINE_SOCKET });
const OWNER = { whenActive: 'slow', whenOnBattery: 'pause', whenPaused: 'return', slowPercent: 25, ownerClearMs: 0 };

let farm: TestFarm;
let image: string;
let folder: string;
let node: LanyardNode;
let worker: WorkerNode;
let name: string;
let count = 0;
const machine = { userIdleMs: 3_600_000, onBattery: false };

beforeAll(async () => {
  image = await ensureImage('busybox');
  farm = await startFarm({ timeoutSlackMs: 100 });
});
afterAll(() => farm?.close());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-owner-'));
  Object.assign(machine, { userIdleMs: 3_600_000, onBattery: false });
  name = `mira-${++count}`;
  node = await startTestNode({
    dataFolder: folder,
    invite: await inviteWorker(farm.client),
    worker: { name, maxParallel: 2, ramMb: 1_024, stopGraceMs: 200, fastStart: false, ...OWNER },
    senses: { userIdleMs: async () => machine.userIdleMs, onBattery: async () => machine.onBattery },
  });
  if (node.worker === undefined) throw new Error('it does not work');
  worker = node.worker;
  await farm.untilNode(name, ({ status, availability }) => status === 'IDLE' && availability === 'available');
});
afterEach(async () => {
  await node.close();
  await rm(folder, { recursive: true, force: true });
});

async function owner(changes: Partial<typeof machine>): Promise<void> {
  Object.assign(machine, changes);
  await worker.owner.look();
}

async function running(command: string, more: Record<string, unknown> = {}): Promise<number> {
  const { id } = await farm.submit({ name: 'work', command, image, requirements: { cpu: 0.8, ramMb: 32 }, ...more });
  await farm.until(id, ({ state }) => state === 'RUNNING');
  return id;
}

async function container(job: number) {
  const [found] = await docker.listContainers({ filters: { label: [`lanyard.attempt=${job}.0.1`] } });
  if (found === undefined) throw new Error(`job ${job} has no container`);
  const { State, HostConfig } = await docker.getContainer(found.Id).inspect();
  return { paused: State.Paused, cpus: (HostConfig.NanoCpus ?? 0) / 1e9 };
}

describe('the owner of a machine', () => {
  test('comes and goes: work is slowed, frozen and let go on, nothing new comes, and no retry is used', async () => {
    const id = await running('until [ -e /tmp/never ]; do sleep 0.05; done', { timeoutMs: 3_600_000 });
    expect(await container(id)).toEqual({ paused: false, cpus: 0.8 });

    await owner({ userIdleMs: 0 });
    await expect.poll(() => container(id)).toEqual({ paused: false, cpus: 0.2 });
    expect((await farm.untilNode(name, ({ availability }) => availability !== 'available')).availability).toBe('owner-active');

    await owner({ onBattery: true });
    await expect.poll(() => container(id)).toMatchObject({ paused: true });
    await farm.untilNode(name, ({ availability }) => availability === 'on-battery');
    const frozen = async () => (await farm.client.call('getTask', { params: { job: id, index: 0 } })).task.phase?.phase;
    await expect.poll(frozen).toBe('paused');

    const waiting = await farm.submit({ name: 'waits', command: 'true', image, requirements: { cpu: 0.1, ramMb: 16 } });
    expect((await farm.client.call('explainJob', { params: { job: waiting.id } })).summary).toContain('on-battery');
    expect(waiting.state).toBe('QUEUED');

    await owner({ userIdleMs: 3_600_000, onBattery: false });
    await expect.poll(() => container(id)).toEqual({ paused: false, cpus: 0.8 });
    await expect.poll(frozen).toBe('running');
    expect(await farm.untilEnded(waiting.id)).toMatchObject({ state: 'COMPLETED' });
    await farm.client.call('cancelJob', { params: { job: id } });
    expect(await farm.untilEnded(id)).toMatchObject({ state: 'CANCELLED', retries: 0 });
  });

  test('pauses by hand: work goes back to the queue at no cost, stays away, and comes again afterwards', async () => {
    const id = await running('case $LANYARD_ATTEMPT in *.1) sleep 60 ;; esac');
    await worker.owner.pause(Date.now() + 3_600_000);
    await farm.until(id, ({ state }) => state === 'QUEUED');
    expect((await farm.untilNode(name, ({ availability, used }) => availability !== 'available' && used.slots === 0)).availability).toBe(
      'owner-paused',
    );
    expect(await farm.countTasks(id, 'QUEUED')).toBe(1);
    await worker.owner.pause(undefined);
    expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
    const { attempts } = await farm.client.call('getTask', { params: { job: id, index: 0 } });
    expect(attempts.map(({ reason }) => reason)).toEqual(['owner-interrupted', 'completed']);

    const receipts = await worker.owner.receipts(10);
    const common = { farm: 'farm', job: 'work', owner: 'local administrator', image, cpu: 0.8, ramMb: 32, gpus: [] };
    expect(receipts).toMatchObject([
      { ...common, attempt: `${id}.0.2`, reason: 'completed', exitCode: 0 },
      { ...common, attempt: `${id}.0.1`, reason: 'owner-interrupted' },
    ]);
    for (const { startedAt, endedAt, ranForMs } of receipts) {
      expect(endedAt).toBeGreaterThanOrEqual(startedAt);
      expect(ranForMs).toBeGreaterThan(0);
    }
  });

  test('the time in which a command is frozen does not count towards its timeout', async () => {
    const id = await running('until [ -e /tmp/never ]; do sleep 0.05; done', { timeoutMs: 1_500, maxRetries: 0 });
    await owner({ onBattery: true });
    await expect.poll(() => container(id)).toMatchObject({ paused: true });
    // Another task that runs longer than the first one's time allows, on a machine whose owner does not mind.
    const other = await farm.addWorker('nova', { docker: true, maxParallel: 1 });
    const long = await farm.submit({ name: 'long', command: 'sleep 3', image, requirements: { cpu: 0.1, ramMb: 16 } });
    expect(await farm.untilEnded(long.id)).toMatchObject({ state: 'COMPLETED' });
    expect(await farm.countTasks(id, 'RUNNING')).toBe(1);
    await owner({ onBattery: false });
    expect(await farm.untilEnded(id)).toMatchObject({ state: 'TIMED_OUT' });
    await other.end('SIGKILL');
  });
});
