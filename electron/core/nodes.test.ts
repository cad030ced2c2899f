import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../shared/ids.ts';
import { beat, held, TestFarm } from './farm.fixture.ts';
import { nodeSummary, totals } from './queries.ts';
import { nextDeadline } from './step.ts';

const ASH = 'ash' as NodeId;

function statusOf(world: TestFarm, node = ASH): string | undefined {
  return nodeSummary(world.farm, node)?.status;
}

function running(): TestFarm {
  const world = new TestFarm();
  world.join('ash');
  world.submit(1, { taskCount: 2 });
  world.start('1.0.1');
  return world;
}

describe('a silent node', () => {
  test('is OFFLINE after offlineAfterMs without a heartbeat, and its attempts go back to the queue at no cost', () => {
    const world = running();
    world.pass(29_999);
    expect(statusOf(world)).toBe('BUSY');
    world.pass(1);
    expect(statusOf(world)).toBe('OFFLINE');
    expect(world.of('disconnect')).toHaveLength(1);
    expect(world.taskRows.get('1.0')).toMatchObject({ state: 'QUEUED', retriesUsed: 0, requeues: 1, avoid: [] });
    expect(world.of('save-attempt').map(({ row }) => row.reason)).toEqual(['node-lost', 'node-lost']);
  });

  test('lives on with each heartbeat, and heartbeats add no deadlines', () => {
    const world = running();
    for (let second = 0; second < 1_000; second += 10) {
      world.turn(beat('ash'), { type: 'time-passed' });
      world.now = { wallMs: world.now.wallMs, elapsedMs: world.now.elapsedMs + 10_000 };
    }
    expect(statusOf(world)).toBe('BUSY');
    expect(world.farm.deadlines.length).toBeLessThanOrEqual(3);
  });

  test('is told to come back with a hello when it is heard again', () => {
    const world = running();
    world.pass(30_000);
    world.turn(beat('ash'));
    expect(world.effects.map(({ type }) => type)).toEqual(['disconnect']);
  });

  test('that polls is simply there again with its next heartbeat', () => {
    const world = new TestFarm();
    world.join('ash', {}, [], 'poll');
    world.pass(30_000);
    expect(statusOf(world)).toBe('OFFLINE');
    world.submit(1);
    world.turn(beat('ash'));
    expect(world.assigned()).toEqual(['1.0.1@ash']);
  });
});

describe('a node whose connection closed', () => {
  test('keeps its attempts when it is back within the grace', () => {
    const world = running();
    world.turn({ type: 'node-disconnected', node: ASH });
    world.pass(4_999);
    world.join('ash', {}, [held('1.0.1'), held('1.1.1', 'preparing')]);
    expect(world.of('welcome')).toEqual([{ type: 'welcome', node: 'ash', keep: ['1.0.1', '1.1.1'], stop: [] }]);
    expect(world.of('save-attempt')).toEqual([]);
    expect(world.taskState('1.0')).toBe('RUNNING');
  });

  test('gets nothing new meanwhile, and loses its attempts when the grace is over', () => {
    const world = running();
    world.turn({ type: 'node-disconnected', node: ASH });
    world.end('1.1.1');
    world.submit(2);
    expect(world.assigned()).toEqual([]);
    world.pass(5_000);
    expect(statusOf(world)).toBe('OFFLINE');
    expect(world.taskState('1.0')).toBe('QUEUED');
  });

  test('means nothing for a worker that polls', () => {
    const world = new TestFarm();
    world.join('ash', {}, [], 'poll');
    world.turn({ type: 'node-disconnected', node: ASH });
    world.pass(10_000);
    expect(statusOf(world)).toBe('IDLE');
  });
});

describe('a hello', () => {
  test('that lacks a current attempt gives it back to the queue, and one that names a stranger is told to stop it', () => {
    const world = running();
    world.join('ash', {}, [held('1.0.1'), held('9.9.9'), held('1.0.7')]);
    expect(world.of('welcome')).toEqual([{ type: 'welcome', node: 'ash', keep: ['1.0.1'], stop: ['9.9.9', '1.0.7'] }]);
    expect(world.assigned()).toEqual(['1.1.2@ash']);
  });

  test('that says an attempt runs tells of a start whose report was lost', () => {
    const world = running();
    world.join('ash', {}, [held('1.0.1'), held('1.1.1', 'running')]);
    expect(world.taskState('1.1')).toBe('RUNNING');
  });

  test('frees what was kept for cancelled attempts, which the worker now forgets', () => {
    const world = running();
    world.cancel(1);
    expect(nodeSummary(world.farm, ASH)?.used.slots).toBe(2);
    world.join('ash', {}, [held('1.0.1')]);
    expect(world.of('welcome')[0]?.stop).toEqual(['1.0.1']);
    expect(nodeSummary(world.farm, ASH)?.used.slots).toBe(0);
  });
});

describe('a node', () => {
  test('that says goodbye gives its attempts back at once', () => {
    const world = running();
    world.turn({ type: 'node-goodbye', node: ASH });
    expect(statusOf(world)).toBe('OFFLINE');
    expect(world.farm.taskCounts).toMatchObject({ QUEUED: 2, ASSIGNED: 0, RUNNING: 0 });
  });

  test('that is removed is gone, with its attempts back in the queue', () => {
    const world = running();
    world.turn({ type: 'node-removed', node: ASH });
    expect(world.of('remove-node')).toEqual([{ type: 'remove-node', node: 'ash' }]);
    expect(nodeSummary(world.farm, ASH)).toBeUndefined();
    expect(world.farm.taskCounts.QUEUED).toBe(2);
  });

  test('that is removed leaves its place in the lists of the classes to the next that comes', () => {
    const world = running();
    for (let generation = 0; generation < 100; generation++) {
      world.join(`beech-${generation}`);
      world.turn({ type: 'node-removed', node: `beech-${generation}` as NodeId });
    }
    world.join('cedar');
    expect([...world.farm.nodes.values()].map(({ ordinal }) => ordinal)).toEqual([0, 1]);
  });

  test('that drains finishes what it has', () => {
    const world = running();
    world.turn({ type: 'node-admin', node: ASH, availability: 'draining' });
    expect(nodeSummary(world.farm, ASH)).toMatchObject({ status: 'BUSY', availability: 'draining', running: ['1.0.1', '1.1.1'] });
    world.end('1.0.1');
    expect(world.taskState('1.0')).toBe('COMPLETED');
  });

  test('counts in the totals', () => {
    const world = running();
    world.join('birch');
    expect(totals(world.farm)).toMatchObject({
      nodes: { IDLE: 1, BUSY: 1, UNHEALTHY: 0, OFFLINE: 0 },
      cpu: { used: 2, total: 8 },
      tasks: { RUNNING: 1, ASSIGNED: 1 },
    });
  });
});

test('the next deadline is the earliest thing that time brings, and is gone when nothing waits for time', () => {
  const world = new TestFarm();
  expect(nextDeadline(world.farm)).toBeUndefined();
  world.join('ash');
  expect(nextDeadline(world.farm)).toBe(world.now.elapsedMs + 30_000);
  world.turn({ type: 'node-disconnected', node: ASH });
  expect(nextDeadline(world.farm)).toBe(world.now.elapsedMs + 5_000);
  world.pass(5_000);
  expect(nextDeadline(world.farm)).toBeUndefined();
});

test('a node that was removed and comes again is another, and may take what the first had refused', () => {
  const world = new TestFarm();
  world.join('ash');
  world.submit(1);
  world.end('1.0.1', 'image-unavailable');
  expect(world.assigned()).toEqual([]);
  world.turn({ type: 'node-removed', node: ASH });
  world.join('ash');
  expect(world.assigned()).toEqual(['1.0.2@ash']);
});
