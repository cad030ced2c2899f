import { describe, expect, test } from 'vitest';
import type { JobId, NodeId } from '../../shared/ids.ts';
import { explainJob } from './explain.ts';
import { costOf, ownerOf, usageOf } from './fairness.ts';
import { held, policy, TestFarm } from './farm.fixture.ts';
import { assignedTo, ownerViews } from './queries.ts';

const OWNERS = ['ann', 'bea', 'cid'] as const;
const DAY_MS = 86_400_000;

/** Whose the attempts of this turn are, in their order. */
function served(world: TestFarm): string[] {
  return world.of('assign').map(({ job }) => world.farm.jobs.get(job)?.owner.name ?? '');
}

/** Lets attempts end one after the other, each when it has run as long as its owner's do. @returns whose were placed, in order */
function work(world: TestFarm, ends: number, msOf: (owner: string) => number): string[] {
  const placed: string[] = [];
  for (let end = 0; end < ends; end++) {
    const [next] = [...world.farm.nodes.values()]
      .flatMap(({ tasks }) => [...tasks])
      .map(({ job, index, attempt, sinceMs }) => ({ attempt: `${job.id}.${index}.${attempt}`, atMs: sinceMs + msOf(job.owner.name) }))
      .sort((one, other) => one.atMs - other.atMs);
    if (next === undefined) break;
    const ms = next.atMs - world.now.elapsedMs;
    world.now = { wallMs: world.now.wallMs + ms, elapsedMs: world.now.elapsedMs + ms };
    world.end(next.attempt);
    placed.push(...served(world));
  }
  return placed;
}

describe('owners of one priority', () => {
  test('get one slot after the other, however many jobs the first has queued before', () => {
    const world = new TestFarm();
    world.submit(1, { owner: 'ann', taskCount: 100 });
    world.submit(2, { owner: 'bea', taskCount: 100 });
    world.join('ash', { maxParallel: 4 });
    expect(served(world)).toEqual(['ann', 'bea', 'ann', 'bea']);
  });

  test('wait behind a higher priority, whoever has had more', () => {
    const world = new TestFarm();
    world.submit(1, { owner: 'ann', taskCount: 100, priority: 60 });
    world.submit(2, { owner: 'bea', taskCount: 100 });
    world.join('ash', { maxParallel: 4 });
    expect(served(world)).toEqual(['ann', 'ann', 'ann', 'ann']);
    expect(explainJob(world.farm, 2 as JobId).ahead).toBe(96);
  });

  test('are told from each other across classes', () => {
    const world = new TestFarm();
    world.submit(1, { owner: 'ann', taskCount: 100 });
    world.submit(2, { owner: 'bea', taskCount: 100, policy: policy({ ramMb: 200 }) });
    world.submit(3, { owner: 'cid', taskCount: 100, policy: policy({ ramMb: 200 }) });
    world.join('ash', { cpu: 6, maxParallel: 6 });
    expect(served(world).sort()).toEqual(['ann', 'ann', 'bea', 'bea', 'cid', 'cid']);
  });

  test('forget half of what they had after the half-life, also while the coordinator was off', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1);
    world.start('1.0.1');
    world.passAlive(60_000, 'ash');
    world.end('1.0.1');
    const had = usageOf(world.farm, ownerOf(world.farm, 'ann'));
    expect(had).toBeGreaterThan(59_000);
    expect(had).toBeLessThan(60_001);
    world.pass(DAY_MS);
    expect(usageOf(world.farm, ownerOf(world.farm, 'ann'))).toBeCloseTo(had / 2);
    world.now = { wallMs: world.now.wallMs + DAY_MS, elapsedMs: 5 };
    world.restart();
    expect(usageOf(world.farm, ownerOf(world.farm, 'ann'))).toBeCloseTo(had / 4);
    expect(ownerViews(world.farm)).toMatchObject([{ owner: 'ann', weight: 1, running: 0, jobs: 0, maxTasks: null }]);
  });

  test('keep their order when the sums are scaled down, after years', () => {
    const world = new TestFarm({ fairShareHalfLifeMs: 1_000 });
    world.join('ash', { maxParallel: 1 });
    for (const [at, owner] of OWNERS.entries()) world.submit(at + 1, { owner, taskCount: 50 });
    const placed = work(world, 60, () => 15_000);
    for (const owner of OWNERS) expect(placed.filter((one) => one === owner).length).toBeGreaterThanOrEqual(19);
    expect(Number.isFinite(ownerOf(world.farm, 'ann').share)).toBe(true);
  });
});

describe('caps', () => {
  test('hold an owner to so many tasks at once, in all classes, and let go on when one ends', () => {
    const world = new TestFarm({ ownerTasks: { ann: 2, '*': 1 } });
    world.join('ash', { maxParallel: 4 });
    world.submit(1, { owner: 'ann', taskCount: 3 });
    world.submit(2, { owner: 'ann', taskCount: 3, policy: policy({ ramMb: 200 }) });
    world.submit(3, { owner: 'bea', taskCount: 3 });
    expect(world.farm.owners.get('ann')?.live).toBe(2);
    expect(world.farm.owners.get('bea')?.live).toBe(1);
    expect(explainJob(world.farm, 1 as JobId).summary).toBe('It waits: ann has 2 tasks at once, and may have 2.');
    world.end('1.0.1');
    expect(served(world)).toEqual(['ann']);
  });

  test('hold a job to so many tasks at once, and let others pass', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 4 });
    world.submit(1, { taskCount: 5, policy: policy({}, { maxTasks: 2 }) });
    world.submit(2, { taskCount: 5 });
    expect(world.of('assign').length).toBe(2);
    expect(explainJob(world.farm, 1 as JobId).summary).toBe('It waits: 2 of its tasks run, and no more than 2 may at once.');
    world.end('1.1.1');
    expect(world.assigned()).toEqual(['1.2.1@ash']);
    world.end('1.0.1', 'node-lost');
    expect(world.assigned()).toEqual(['1.0.2@ash']);
  });
});

describe('a job that is moved', () => {
  const order = (world: TestFarm) => {
    world.join('ash', { maxParallel: 9, cpu: 9 });
    return world.of('assign').map(({ job }) => job);
  };
  const move = (world: TestFarm, job: number, to: 'first' | 'last' | number) =>
    world.turn({ type: 'move', job: job as JobId, to: typeof to === 'number' ? { before: to as JobId } : to });

  test('goes where it was moved, and stays there over a restart and behind later jobs', () => {
    const world = new TestFarm();
    for (const id of [1, 2, 3, 4]) world.submit(id);
    move(world, 3, 'first');
    move(world, 1, 'last');
    move(world, 4, 2);
    world.submit(5);
    world.restart();
    expect(order(world)).toEqual([3, 4, 2, 1, 5]);
  });

  test('finds room between two others any number of times', () => {
    const world = new TestFarm();
    for (const id of [1, 2, 3, 4]) world.submit(id);
    for (let round = 0; round < 200; round++) move(world, round % 2 === 0 ? 3 : 4, 2);
    expect(order(world)).toEqual([1, 3, 4, 2]);
  });

  test('cannot be moved among those of others, or of another priority', () => {
    const world = new TestFarm();
    world.submit(1, { owner: 'bea' });
    world.submit(2, { priority: 60 });
    world.submit(3);
    move(world, 3, 1);
    move(world, 3, 2);
    expect(world.jobRows.get(3)?.position).toBe(3);
  });
});

test('what a task takes is the scarcest of what it keeps from others, in cores', () => {
  expect(costOf({ cpu: 2, ramMb: 512, gpus: 0 })).toBe(2);
  expect(costOf({ cpu: 1, ramMb: 16_384, gpus: 0 })).toBe(4);
  expect(costOf({ cpu: 1, ramMb: 512, gpus: 1 })).toBe(8);
});

test('what runs when a restart brings a lower cap goes on, and nothing is added until it has room', () => {
  const world = new TestFarm({ ownerTasks: { ann: 3 } });
  world.join('ash', { maxParallel: 4 });
  world.submit(1, { owner: 'ann', taskCount: 5 });
  for (const index of [0, 1, 2]) world.start(`1.${index}.1`);
  world.restart({ ownerTasks: { ann: 1 } });
  world.join(
    'ash',
    { maxParallel: 4 },
    [0, 1, 2].map((index) => held(`1.${index}.1`)),
  );
  expect(assignedTo(world.farm, 'ash' as NodeId)).toHaveLength(3);
  for (const index of [0, 1]) {
    world.end(`1.${index}.1`);
    expect(world.assigned()).toEqual([]);
  }
  world.end('1.2.1');
  expect(world.assigned()).toEqual(['1.3.1@ash']);
});
