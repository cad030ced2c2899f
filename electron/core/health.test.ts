import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../shared/ids.ts';
import { policy, TestFarm } from './farm.fixture.ts';
import { cooldownAfter } from './health.ts';
import { nodeSummary } from './queries.ts';

function statusOf(world: TestFarm, node: string): string | undefined {
  return nodeSummary(world.farm, node as NodeId)?.status;
}

test('the cool-down doubles up to its longest', () => {
  expect([1, 2, 3, 6, 50].map((strikes) => cooldownAfter(strikes, 30, 900))).toEqual([30, 60, 120, 900, 900]);
});

test('an infrastructure failure makes a node UNHEALTHY at once, then it gets one task on probation', () => {
  const world = new TestFarm();
  world.join('ash', { maxParallel: 4 });
  world.submit(1, { taskCount: 3 });
  world.end('1.0.1', 'infrastructure');
  expect(statusOf(world, 'ash')).toBe('UNHEALTHY');
  world.end('1.1.1', 'cancelled');
  world.end('1.2.1', 'cancelled');
  expect(world.assigned()).toEqual([]);
  world.passAlive(20_000, 'ash');
  world.pass(9_999);
  expect(world.assigned()).toEqual([]);
  world.pass(1);
  expect(world.assigned()).toHaveLength(1);
});

test('a task that completes on probation makes the node well, and it takes as much as before', () => {
  const world = new TestFarm();
  world.join('ash', { maxParallel: 2 });
  world.submit(1, { taskCount: 4 });
  world.end('1.0.1', 'infrastructure');
  world.end('1.1.1');
  world.passAlive(30_000, 'ash');
  const only = assignedNow(world);
  expect(only).toHaveLength(1);
  world.end(only[0] as string);
  expect(assignedNow(world)).toHaveLength(2);
});

test('a failure on probation doubles the cool-down', () => {
  const world = new TestFarm();
  world.join('ash', { maxParallel: 1 });
  world.submit(1);
  world.end('1.0.1', 'infrastructure');
  world.passAlive(30_000, 'ash');
  world.end('1.0.2', 'infrastructure');
  world.passAlive(59_000, 'ash');
  expect(statusOf(world, 'ash')).toBe('UNHEALTHY');
  world.passAlive(1_000, 'ash');
  expect(statusOf(world, 'ash')).toBe('BUSY');
});

test('failures of tasks of two different jobs in a row make a node UNHEALTHY', () => {
  const world = new TestFarm();
  world.join('ash');
  world.submit(1);
  world.submit(2);
  world.end('1.0.1', 'exit');
  expect(statusOf(world, 'ash')).toBe('BUSY');
  world.end('2.0.1', 'exit');
  expect(statusOf(world, 'ash')).toBe('UNHEALTHY');
});

test('a completed task between two failures keeps the node well', () => {
  const world = new TestFarm();
  world.join('ash', { maxParallel: 3 });
  for (const id of [1, 2, 3]) world.submit(id, { policy: policy({}, { maxRetries: 0 }) });
  world.end('1.0.1', 'exit');
  world.end('2.0.1');
  world.end('3.0.1', 'exit');
  expect(statusOf(world, 'ash')).toBe('IDLE');
});

test('a job that fails everywhere sickens two nodes at most, and none with failures that are its own', () => {
  for (const [reason, most] of [
    ['exit', 0],
    ['infrastructure', 2],
  ] as const) {
    const world = new TestFarm({ cooldownMs: 900_000 });
    const nodes = ['ash', 'birch', 'cedar', 'elm', 'fir'];
    for (const node of nodes) world.join(node, { maxParallel: 1 });
    world.submit(1, { taskCount: 30, policy: policy({}, { maxRetries: 0 }) });
    for (let round = 0; round < 10; round++) for (const attempt of assignedNow(world)) world.end(attempt, reason);
    expect(nodes.filter((node) => statusOf(world, node) === 'UNHEALTHY')).toHaveLength(most);
  }
});

function assignedNow(world: TestFarm): string[] {
  return [...world.farm.nodes.values()].flatMap((node) => [...node.tasks].map((task) => `${task.job.id}.${task.index}.${task.attempt}`));
}

describe('who is to blame is found out on another node:', () => {
  const pause = (world: TestFarm, node: string, availability: 'paused' | 'available') =>
    world.turn({ type: 'node-admin', node: node as NodeId, availability });
  /** A task fails on ash and completes on birch. */
  const failThenComplete = (world: TestFarm, id: number) => {
    pause(world, 'birch', 'paused');
    world.submit(id);
    pause(world, 'birch', 'available');
    world.end(`${id}.0.1`, 'exit');
    expect(world.assigned()).toEqual([`${id}.0.2@birch`]);
    world.end(`${id}.0.2`);
  };
  const twoNodes = () => {
    const world = new TestFarm();
    for (const node of ['ash', 'birch']) world.join(node, { maxParallel: 1 });
    return world;
  };

  test('the machine, when two tasks that failed on it complete elsewhere, whatever completes on it in between', () => {
    const world = twoNodes();
    failThenComplete(world, 1);
    pause(world, 'birch', 'paused');
    world.submit(2);
    world.end('2.0.1');
    expect(statusOf(world, 'ash')).toBe('IDLE');
    failThenComplete(world, 3);
    expect(nodeSummary(world.farm, 'ash' as NodeId)).toMatchObject({
      status: 'UNHEALTHY',
      reason: 'tasks 1.0 and 3.0 failed here and completed elsewhere, the last on birch',
    });
  });

  test('the machine, also when the coordinator was restarted in between', () => {
    const world = twoNodes();
    failThenComplete(world, 1);
    world.restart();
    for (const node of ['ash', 'birch']) world.join(node, { maxParallel: 1 });
    pause(world, 'birch', 'paused');
    world.submit(2);
    world.end('2.0.1');
    failThenComplete(world, 3);
    expect(statusOf(world, 'ash')).toBe('UNHEALTHY');
    world.pass(10_000);
    world.restart();
    for (const node of ['ash', 'birch']) world.join(node, { maxParallel: 1 });
    expect(nodeSummary(world.farm, 'ash' as NodeId)).toMatchObject({
      status: 'UNHEALTHY',
      reason: 'tasks 1.0 and 3.0 failed here and completed elsewhere, the last on birch',
    });
    // What is left of the 30 s, and then one task at a time.
    world.pass(20_000);
    expect(statusOf(world, 'ash')).toBe('IDLE');
    expect(world.farm.nodes.get('ash' as NodeId)?.probation).toBe(true);
    world.restart();
    expect(world.farm.nodes.get('ash' as NodeId)?.probation).toBe(true);
  });

  test('nobody, when the one failure lies far back', () => {
    const world = twoNodes();
    failThenComplete(world, 1);
    pause(world, 'birch', 'paused');
    for (let id = 2; id < 14; id++) {
      world.submit(id);
      world.end(`${id}.0.1`);
    }
    failThenComplete(world, 20);
    expect(statusOf(world, 'ash')).toBe('IDLE');
  });

  test('the job, when it fails everywhere and nothing of it ever completed: it is stopped, and says why', () => {
    const world = new TestFarm();
    for (const node of ['ash', 'birch', 'cedar']) world.join(node, { maxParallel: 1 });
    world.submit(1, { taskCount: 100, policy: policy({}, { stopAfterFailures: 5, maxRetries: 50 }) });
    for (const node of ['ash', 'birch', 'cedar', 'ash', 'birch']) {
      const [task] = world.farm.nodes.get(node as NodeId)?.tasks ?? [];
      if (task !== undefined) world.end(`1.${task.index}.${task.attempt}`, 'exit');
    }
    expect(world.jobRows.get(1)).toMatchObject({
      state: 'FAILED',
      restState: 'CANCELLED',
      reason: expect.stringMatching(/^stopped: nothing of it completed, and 5 attempts failed on 3 nodes \(.+, .+, .+\); the last: exit$/),
    });
    for (const node of ['ash', 'birch', 'cedar']) expect(nodeSummary(world.farm, node as NodeId)?.status).not.toBe('UNHEALTHY');
  });

  test('nobody yet, while there are nodes that it was not tried on, or something completed, or the person wants it so', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    const stubborn = policy({}, { stopAfterFailures: 0, maxRetries: 50 });
    world.submit(1, { taskCount: 2, policy: stubborn });
    for (let number = 1; number <= 20; number++) world.end(world.assigned()[0]?.split('@')[0] ?? `1.0.${number}`, 'exit');
    expect(world.jobState(1)).not.toBe('FAILED');
    const other = new TestFarm();
    other.join('ash', { maxParallel: 1 });
    other.submit(2, { taskCount: 30, policy: policy({}, { stopAfterFailures: 3, maxRetries: 0 }) });
    other.end('2.0.1');
    for (let index = 1; index < 6; index++) other.end(`2.${index}.1`, 'exit');
    expect(other.jobState(2)).toBe('RUNNING');
  });
});
