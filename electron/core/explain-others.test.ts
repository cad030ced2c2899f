import { describe, expect, test } from 'vitest';
import type { JobId, NodeId } from '../../shared/ids.ts';
import { explainJob } from './explain.ts';
import { explainNode, explainTask } from './explain-others.ts';
import { policy, TestFarm } from './farm.fixture.ts';
import { limitViews } from './queries.ts';

const job = (id: number) => id as JobId;
const explained = (world: TestFarm, node: string) => explainNode(world.farm, node as NodeId);

describe('the smallest change that would help', () => {
  test('names the most that is free, where, and how many tasks it would start', () => {
    const world = new TestFarm();
    world.join('ash', { ramMb: 8_192, maxParallel: 4 });
    world.join('mira', { ramMb: 12_288, maxParallel: 4 });
    world.submit(1, { taskCount: 9, policy: policy({ ramMb: 16_384 }) });
    expect(explainJob(world.farm, job(1)).obstacles[0]).toEqual({
      constraint: 'ramMb',
      message: 'it needs 16 GB of memory, the largest free is 12 GB on mira',
      help: '12 GB would start 1 task now',
      nodes: 2,
    });
    world.submit(2, { taskCount: 9, policy: policy({ ramMb: 3_000 }) });
    world.submit(3, { taskCount: 9, policy: policy({ ramMb: 4_000 }) });
    const [relief] = explainJob(world.farm, job(3)).obstacles;
    expect(relief).toMatchObject({ constraint: 'ramMb', help: '2192 MB would start 1 task now' });
  });

  test('counts tasks over all nodes, and says nothing when something else is in the way too', () => {
    const world = new TestFarm();
    for (const node of ['ash', 'birch', 'cedar']) world.join(node, { cpu: 2, maxParallel: 2 });
    world.submit(1, { taskCount: 9, policy: policy({ cpu: 3 }) });
    expect(explainJob(world.farm, job(1)).obstacles[0]).toMatchObject({ constraint: 'cpu', help: '2 cores would start 3 tasks now' });
    world.submit(2, { policy: policy({ cpu: 3, labels: ['gpu'] }) });
    expect(
      explainJob(world.farm, job(2))
        .obstacles.map(({ help }) => help)
        .join(),
    ).not.toContain('now');
  });
});

describe('a task', () => {
  test('says what it waits for itself', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: 2 });
    world.submit(2, { taskCount: 2, after: [{ job: job(1), until: 'tasks', ended: null, completed: [] }] });
    expect(explainTask(world.farm, job(2), 1)).toMatchObject({
      state: 'QUEUED',
      summary: 'It waits: it begins when task 1.1 is complete, which is QUEUED.',
    });
    expect(explainTask(world.farm, job(2), 0)?.summary).toBe('It waits: it begins when task 1.0 is complete, which is ASSIGNED.');
    expect(explainTask(world.farm, job(2), 7)).toBeUndefined();
  });

  test('says where it runs, or where it failed', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1);
    expect(explainTask(world.farm, job(1), 0)?.summary).toBe('It is being prepared on ash (sent).');
    world.start('1.0.1');
    world.pass(5_000);
    expect(explainTask(world.farm, job(1), 0)?.summary).toBe('It has run on ash for 5 s.');
    world.join('birch', { maxParallel: 1 });
    world.submit(2, { priority: 60 });
    world.end('1.0.1', 'exit');
    world.submit(3, { priority: 70 });
    expect(explainTask(world.farm, job(1), 0)?.obstacles[0]?.message).toBe(
      'it failed on ash, and goes elsewhere while another node can serve it',
    );
  });
});

describe('a node', () => {
  test('says what about itself keeps work away', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    expect(explained(world, 'ash')?.summary).toBe('It would take more: nothing waits.');
    world.submit(1, { taskCount: 2 });
    expect(explained(world, 'ash')?.summary).toBe('It takes no more: 1 of 1 slots are in use.');
    world.turn({ type: 'node-admin', node: 'ash' as NodeId, availability: 'paused' });
    expect(explained(world, 'ash')?.summary).toBe('It takes nothing: it is paused.');
    world.turn({ type: 'node-goodbye', node: 'ash' as NodeId });
    expect(explained(world, 'ash')?.summary).toBe('It takes nothing: it is not connected, or has fallen silent.');
    expect(explained(world, 'nowhere')).toBeUndefined();
  });

  test('names a limit of the farm that is used up', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 4 });
    world.submit(1, { taskCount: 3, policy: policy({ limits: { licence: 1 } }) });
    expect(explained(world, 'ash')?.summary).toMatch(/^Of the work that waits nothing fits: .*licence is used up: 2 of 2/);
    expect(limitViews(world.farm)).toEqual([{ name: 'licence', used: 2, capacity: 2, isWanted: true }]);
  });

  test('says why the work that waits does not go there, the commonest reason first', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1, { policy: policy({ labels: ['gpu'] }) });
    world.submit(2, { policy: policy({ labels: ['gpu'], ramMb: 200 }) });
    world.submit(3, { policy: policy({ cpu: 9 }) });
    const about = explained(world, 'ash');
    expect(about?.summary).toMatch(/^Of the work that waits nothing fits: .*gpu/);
    expect(about?.obstacles.map(({ constraint, nodes }) => [constraint, nodes])).toEqual([
      ['labels', 2],
      ['cpu', 1],
    ]);
  });
});
