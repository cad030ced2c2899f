import { describe, expect, test } from 'vitest';
import type { JobId } from '../../shared/ids.ts';
import { explainJob } from './explain.ts';
import { description, held, policy, TestFarm } from './farm.fixture.ts';
import { jobEta } from './queries.ts';

const nodesOf = (world: TestFarm) => world.of('assign').map(({ node }) => node as string);

describe('a condition on labels', () => {
  test('keeps work on the nodes that meet it, by labels and by what the node says of itself', () => {
    const world = new TestFarm();
    world.join('ash', { labels: { room: '3b' } });
    world.join('birch', { labels: { room: '4' }, os: 'windows' });
    world.join('cedar', { labels: { room: '4' }, maxParallel: 4 });
    world.submit(1, { taskCount: 4, policy: policy({ where: 'os == linux && room != 3b' }) });
    expect(nodesOf(world)).toEqual(['cedar', 'cedar', 'cedar', 'cedar']);
  });

  test('is explained by the part that fails, and by what would help', () => {
    const world = new TestFarm();
    world.join('ash', { labels: { room: '3b' } });
    world.join('birch', { os: 'windows', labels: { room: '3b' } });
    world.submit(1, { policy: policy({ where: 'os == linux && room != "3b"' }) });
    const [obstacle] = explainJob(world.farm, 1 as JobId).obstacles;
    expect(obstacle).toMatchObject({
      constraint: 'where',
      message: '2 nodes do not meet the condition room != 3b, os == linux (ash, birch)',
      help: 'leaving out room != 3b would let it start',
      nodes: 2,
    });
    world.turn({ type: 'node-described', node: { ...description('ash') } });
    expect(nodesOf(world)).toEqual(['ash']);
  });
});

describe('wishes', () => {
  test('are met where they can be, and keep nothing waiting', () => {
    const world = new TestFarm();
    for (let at = 0; at < 30; at++) world.join(`n${at}`, { labels: at === 20 ? { fast: '', gpu: '' } : at === 25 ? { fast: '' } : {} });
    world.submit(1, { taskCount: 5, policy: policy({ prefer: ['fast', 'gpu'] }) });
    expect(nodesOf(world).slice(0, 4)).toEqual(['n20', 'n20', 'n25', 'n25']);
    expect(nodesOf(world)).toHaveLength(5);
  });

  test('keep tasks together in a zone, or spread them over the zones', () => {
    const world = new TestFarm();
    for (const [id, zone] of Object.entries({ ash: 'north', birch: 'north', cedar: 'south', dogwood: 'south' }))
      world.join(id, { zone, maxParallel: 1 });
    const zoneOf = (node: string) => (node === 'ash' || node === 'birch' ? 'north' : 'south');
    world.submit(1, { taskCount: 2, policy: policy({ zones: 'together' }) });
    expect(new Set(nodesOf(world).map(zoneOf)).size).toBe(1);
    for (const attempt of ['1.0.1', '1.1.1']) world.end(attempt);
    world.submit(2, { taskCount: 2, policy: policy({ zones: 'apart' }) });
    expect(new Set(nodesOf(world).map(zoneOf)).size).toBe(2);
    for (const attempt of ['2.0.1', '2.1.1']) world.end(attempt);
    world.submit(3, { taskCount: 4, policy: policy({ zones: 'apart' }) });
    expect(nodesOf(world)).toHaveLength(4);
  });
});

describe('work that wants a node for itself', () => {
  test('gets one that is empty, and nothing is put beside it', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1, { policy: policy({ exclusive: true }) });
    world.submit(2);
    expect(world.farm.nodes.values().next().value?.usedSlots).toBe(1);
    expect(explainJob(world.farm, 2 as JobId).summary).toContain('busy');
    world.end('1.0.1');
    expect(world.assigned()).toEqual(['2.0.1@ash']);
    world.submit(3, { policy: policy({ exclusive: true }) });
    expect(explainJob(world.farm, 3 as JobId).obstacles[0]?.message).toBe(
      '1 node that can serve it is in use, and it wants one for itself',
    );
  });

  test('does not wait for ever on a farm that is busy with small work: a node is kept free for it', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 2 });
    world.submit(1, { taskCount: 2 });
    world.submit(2, { policy: policy({ exclusive: true }) });
    world.submit(3, { taskCount: 1_000 });
    let next = 0;
    // Without it one of the two slots would always be taken again.
    for (let round = 0; round < 20 && world.jobState(2) !== 'ASSIGNED'; round++) {
      world.passAlive(10_000, 'ash');
      const live = [...(world.farm.nodes.values().next().value?.tasks ?? [])];
      const task = live[next++ % live.length];
      if (task !== undefined) world.end(`${task.job.id}.${task.index}.1`);
      if (world.farm.earmarked.size > 0 && world.jobState(2) !== 'ASSIGNED')
        expect(explainJob(world.farm, 3 as JobId).obstacles[0]?.message).toBe(
          '1 node that can serve it is kept free for work that has waited long',
        );
    }
    expect(world.jobState(2)).toBe('ASSIGNED');
    world.end('2.0.1');
    expect(world.assigned()).toHaveLength(2);
  });

  test('has no node kept free while it is not next, however long it waits', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 2 });
    world.submit(1, { taskCount: 9 });
    world.submit(2, { policy: policy({ exclusive: true }) });
    world.passAlive(100_000, 'ash');
    world.end('1.0.1');
    expect(world.assigned()).toEqual(['1.2.1@ash']);
    expect(world.farm.earmarked.size).toBe(0);
  });

  test('gives the node free again when it is cancelled, and never takes one from a higher priority', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 2 });
    world.submit(1, { taskCount: 2, priority: 60 });
    world.submit(2, { policy: policy({ exclusive: true }) });
    world.submit(3, { taskCount: 9, priority: 60 });
    world.passAlive(100_000, 'ash');
    world.end('1.0.1');
    expect(world.farm.earmarked.size).toBe(0);
    world.turn({ type: 'set-priority', job: 2 as JobId, priority: 60 });
    world.passAlive(100_000, 'ash');
    world.end('1.1.1');
    expect(world.assigned()).toEqual([]);
    world.cancel(2);
    expect(world.assigned()).toHaveLength(1);
    expect(world.farm.earmarked.size).toBe(0);
  });
});

describe('when a job will be done', () => {
  test('is not said before there is something to tell it from', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: 10 });
    expect(jobEta(world.farm, 1 as JobId)).toBeNull();
    for (let index = 0; index < 3; index++) run(world, `1.${index}.1`, 60_000);
    expect(jobEta(world.farm, 1 as JobId)).not.toBeNull();
    world.turn({ type: 'hold', job: 1 as JobId, held: true });
    expect(jobEta(world.farm, 1 as JobId)).toBeNull();
  });

  test('is known after a restart of the coordinator as it was before', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: 10 });
    for (const [index, ranForMs] of [60_000, 50_000, 90_000].entries()) run(world, `1.${index}.1`, ranForMs);
    const attempt = world.assigned()[0]?.split('@')[0] as string;
    world.start(attempt);
    const before = jobEta(world.farm, 1 as JobId);
    expect(before).not.toBeNull();
    world.restart();
    world.join('ash', { maxParallel: 1 }, [held(attempt, 'running')]);
    expect(jobEta(world.farm, 1 as JobId)).toEqual(before);
  });

  test('is a range about what the measured runs add up to, wide when they differ', () => {
    const even = farmWith([60_000, 60_000, 60_000, 60_000]);
    const uneven = farmWith([5_000, 120_000, 20_000, 95_000]);
    // Six are left, one at a time.
    for (const { earliest, latest } of [even, uneven]) {
      expect(earliest).toBeLessThan(360_000);
      expect(latest).toBeGreaterThan(360_000);
    }
    expect(even.latest - even.earliest).toBeLessThan(uneven.latest - uneven.earliest);
  });

  test('is sooner with more nodes at work, and later on slow ones', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: 100 });
    for (let index = 0; index < 3; index++) run(world, `1.${index}.1`, 60_000);
    const alone = jobEta(world.farm, 1 as JobId)?.latest ?? 0;
    world.join('birch', { maxParallel: 1 });
    expect(jobEta(world.farm, 1 as JobId)?.latest).toBeLessThan(alone);
  });

  function run(world: TestFarm, attempt: string, ranForMs: number): void {
    const [job, index, number] = attempt.split('.').map(Number);
    const node = world.nodeOf(attempt);
    world.start(attempt);
    world.turn({
      type: 'attempt-ended',
      node,
      job: job as JobId,
      index: index ?? 0,
      number: number ?? 1,
      end: {
        reason: 'completed',
        exitCode: 0,
        message: null,
        outputs: [],
        started: false,
        ranForMs,
        cpuMs: null,
        peakRamMb: null,
        logBytes: 0,
      },
    });
  }

  function farmWith(runs: readonly number[]): { earliest: number; latest: number } {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: runs.length + 6 });
    for (const [index, ms] of runs.entries()) run(world, `1.${index}.1`, ms);
    const eta = jobEta(world.farm, 1 as JobId);
    return { earliest: (eta?.earliest ?? 0) - world.now.wallMs, latest: (eta?.latest ?? 0) - world.now.wallMs };
  }
});
