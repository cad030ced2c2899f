import { expect, test } from 'vitest';
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
