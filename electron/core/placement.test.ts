import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { blob, description, METRICS, newJob, policy, TestFarm } from './farm.fixture.ts';
import { hasToPlace, type Suitability, score } from './placement.ts';

const NEUTRAL: Suitability = {
  freeShare: 0.5,
  idleCpu: 0.5,
  freeSlots: 0.5,
  inputCached: 0,
  imageThere: 0,
  sameZone: 0,
  preferred: 0,
  zoneWish: 0,
  speed: 0.5,
};

describe('the score of a node', () => {
  test.each(Object.keys(NEUTRAL) as (keyof Suitability)[])('grows with %s', (key) => {
    expect(score({ ...NEUTRAL, [key]: 1 })).toBeGreaterThan(score({ ...NEUTRAL, [key]: 0 }));
  });

  test('is 0 at worst and 1 at best', () => {
    const all = (value: number) => score(Object.fromEntries(Object.keys(NEUTRAL).map((key) => [key, value])) as unknown as Suitability);
    expect(all(0)).toBe(0);
    expect(all(1)).toBeCloseTo(1);
  });
});

describe('placement', () => {
  test('gives a freed node the oldest job of the highest priority, across classes', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1);
    world.submit(2, { policy: policy({ ramMb: 200 }), priority: 10 });
    world.submit(3, { policy: policy({ ramMb: 300 }), priority: 90 });
    world.submit(4, { policy: policy({ ramMb: 400 }), priority: 90 });
    world.submit(5, { priority: 90 });
    const order: string[] = [];
    for (let attempt: string | undefined = '1.0.1'; attempt !== undefined; attempt = world.assigned()[0]?.split('@')[0]) {
      world.end(attempt);
      order.push(attempt);
    }
    expect(order).toEqual(['1.0.1', '3.0.1', '4.0.1', '5.0.1', '2.0.1']);
  });

  test('places only on the nodes that fit, and all that fits', () => {
    const world = new TestFarm();
    world.join('small', { cpu: 2, maxParallel: 8 });
    world.join('large', { cpu: 8, maxParallel: 8 });
    world.submit(1, { taskCount: 5, policy: policy({ cpu: 3 }) });
    expect(world.assigned()).toEqual(['1.0.1@large', '1.1.1@large']);
  });

  test('places small tasks past a large one that fits nowhere', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1, { policy: policy({ ramMb: 99_000 }) });
    world.submit(2);
    expect(world.assigned()).toEqual(['2.0.1@ash']);
  });

  test('finds the one node that fits among many that do not', () => {
    const world = new TestFarm();
    const joins = Array.from({ length: 200 }, (_, at) => description(`n${at}`, { labels: at === 77 ? { special: '' } : {} }));
    world.turn(...joins.map((node) => ({ type: 'node-registered' as const, node, carrier: 'link' as const, attempts: [], cached: [] })));
    world.submit(1, { policy: policy({ labels: ['special'] }) });
    expect(world.assigned()).toEqual(['1.0.1@n77']);
  });

  test('spreads the tasks of one turn over the nodes', () => {
    const world = new TestFarm();
    for (const node of ['ash', 'birch', 'cedar']) world.join(node, { maxParallel: 4 });
    world.submit(1, { taskCount: 3 });
    expect(new Set(world.assigned().map((text) => text.split('@')[1])).size).toBe(3);
  });

  test('prefers a node that has the input, even among more nodes than are looked at', () => {
    const world = new TestFarm();
    for (let at = 0; at < LIMITS.placementCandidates * 3; at++) world.join(`n${at}`);
    world.join('holder');
    world.turn({ type: 'heartbeat', node: 'holder' as NodeId, metrics: METRICS, availability: 'available', cached: [blob('a')] });
    world.submit(1, { input: blob('a') });
    expect(world.assigned()).toEqual(['1.0.1@holder']);
  });

  test('prefers the node with less load', () => {
    const world = new TestFarm();
    world.join('ash');
    world.join('birch');
    world.turn({ type: 'heartbeat', node: 'ash' as NodeId, metrics: { ...METRICS, cpuPercent: 90 }, availability: 'available' });
    world.submit(1);
    expect(world.assigned()).toEqual(['1.0.1@birch']);
  });

  test('never gives out more of a farm limit than there is, and goes on when some comes back', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 4 });
    world.submit(1, { taskCount: 3, policy: policy({ limits: { licence: 1 } }) });
    expect(world.assigned()).toHaveLength(2);
    world.end('1.0.1');
    expect(world.assigned()).toEqual(['1.2.1@ash']);
  });

  test('a farm limit that is used up costs those that wait for it no retry, nor an attempt', () => {
    const world = new TestFarm({ limits: { licence: 1 } });
    world.join('ash', { maxParallel: 4 });
    world.submit(1, { taskCount: 3, policy: policy({ limits: { licence: 1 } }, { maxRetries: 0 }) });
    for (const index of [0, 1, 2]) {
      expect(world.assigned()).toEqual([`1.${index}.1@ash`]);
      world.passAlive(100_000, 'ash');
      world.end(`1.${index}.1`);
    }
    expect(world.jobRows.get(1)).toMatchObject({ state: 'COMPLETED', retries: 0 });
  });

  test('wakes jobs on other nodes when a farm limit comes back', () => {
    const world = new TestFarm();
    world.join('ash', { labels: { a: '' } });
    world.join('birch', { labels: { b: '' } });
    world.submit(1, { policy: policy({ labels: ['a'], limits: { licence: 2 } }) });
    world.submit(2, { policy: policy({ labels: ['b'], limits: { licence: 1 } }) });
    expect(world.assigned()).toEqual([]);
    world.end('1.0.1');
    expect(world.assigned()).toEqual(['2.0.1@birch']);
  });

  test.each(['draining', 'paused'] as const)('places nothing on a node that an administrator set %s', (availability) => {
    const world = new TestFarm();
    world.join('ash');
    world.turn({ type: 'node-admin', node: 'ash' as NodeId, availability });
    world.submit(1);
    expect(world.assigned()).toEqual([]);
    world.turn({ type: 'node-admin', node: 'ash' as NodeId, availability: 'available' });
    expect(world.assigned()).toEqual(['1.0.1@ash']);
  });

  test('places nothing on a node whose owner is active, until a heartbeat says otherwise', () => {
    const world = new TestFarm();
    world.join('ash', { availability: 'owner-active' });
    world.submit(1);
    expect(world.assigned()).toEqual([]);
    world.turn({ type: 'heartbeat', node: 'ash' as NodeId, metrics: METRICS, availability: 'available' });
    expect(world.assigned()).toEqual(['1.0.1@ash']);
  });

  test('looks past a few jobs that the free node cannot serve while another could', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.join('birch', { maxParallel: 1 });
    world.submit(1, { taskCount: 2 });
    const other = world.nodeOf('1.1.1');
    world.submit(2, { priority: 60 });
    world.end('1.0.1', 'image-unavailable');
    expect(world.assigned().map((text) => text.split('@')[0])).toEqual(['2.0.1']);
    world.end('1.1.1');
    expect(world.assigned()).toEqual([`1.0.2@${other}`]);
  });

  test('places no more than so many in one turn, the first of all that waits first, and says that there is more', () => {
    const world = new TestFarm({ turnPlacements: 3 });
    world.submit(1, { taskCount: 4 });
    world.submit(2, { taskCount: 4, priority: 60, policy: policy({ ramMb: 200 }) });
    world.effects = [];
    const placed = () => world.assigned().map((attempt) => attempt.split('@')[0]);
    for (const id of ['ash', 'beech', 'cedar'])
      world.happen({ type: 'node-registered', node: description(id), carrier: 'link', attempts: [], cached: [] });
    world.happen({ type: 'turn-ended' });
    expect(placed()).toEqual(['2.0.1', '2.1.1', '2.2.1']);
    expect(hasToPlace(world.farm)).toBe(true);
    world.happen({ type: 'turn-ended' });
    expect(placed().slice(3)).toEqual(['2.3.1', '1.0.1', '1.1.1']);
    world.happen({ type: 'turn-ended' });
    expect(placed()).toHaveLength(6);
    expect(hasToPlace(world.farm)).toBe(false);
  });

  test('fills one node over several turns as it would in one', () => {
    const world = new TestFarm({ turnPlacements: 1 });
    world.submit(1, { taskCount: 4 });
    world.submit(2, { taskCount: 4, policy: policy({ ramMb: 200 }) });
    world.join('ash', { maxParallel: 6, cpu: 6 });
    expect(world.assigned().map((attempt) => attempt.split('@')[0])).toEqual(['1.0.1', '1.1.1', '1.2.1', '1.3.1', '2.0.1', '2.1.1']);
  });

  test('makes no object for a task before it is placed', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1, { taskCount: 1_000_000 });
    expect(world.farm.jobs.get(newJob(1).id)?.activity?.tasks.size).toBe(2);
    expect(world.farm.taskCounts).toMatchObject({ QUEUED: 999_998, ASSIGNED: 2 });
  });
});
