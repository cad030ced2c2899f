import { describe, expect, test } from 'vitest';
import type { JobId, NodeId } from '../../shared/ids.ts';
import type { Explanation } from '../../shared/view.ts';
import { explainJob } from './explain.ts';
import { policy, TestFarm } from './farm.fixture.ts';

function explained(world: TestFarm, job = 1): Explanation {
  return explainJob(world.farm, job as JobId);
}

/** What explain says of one job on these nodes. */
function ofNeeds(needs: Parameters<typeof policy>[0], ...nodes: Parameters<TestFarm['join']>[1][]): Explanation {
  const world = new TestFarm();
  nodes.forEach((node, at) => {
    world.join(['ash', 'birch', 'mira'][at] ?? `n${at}`, node);
  });
  world.submit(1, { policy: policy(needs) });
  return explained(world);
}

describe('explain says of a job', () => {
  test('that needs more memory than any node has: what there is, where, and what would help', () => {
    const { summary, obstacles } = ofNeeds({ ramMb: 16_384 }, { ramMb: 8_000 }, { ramMb: 4_000 }, { ramMb: 12_288 });
    expect(summary).toBe('No node can take it: it needs 16 GB of memory, the largest free is 12 GB on mira.');
    expect(obstacles[0]).toEqual({
      constraint: 'ramMb',
      message: 'it needs 16 GB of memory, the largest free is 12 GB on mira',
      help: '12 GB would start 1 task now',
      nodes: 3,
    });
  });

  test('that a smaller wish helps only where nothing else is in the way', () => {
    const { obstacles } = ofNeeds({ ramMb: 16_384, labels: ['fast'] }, { ramMb: 12_000 }, { ramMb: 8_000, labels: { fast: '' } });
    expect(obstacles.find(({ constraint }) => constraint === 'ramMb')).toMatchObject({
      message: 'it needs 16 GB of memory, the largest free is 8000 MB on birch',
      help: '8000 MB would start 1 task now',
    });
  });

  test.each([
    ['cpu', { cpu: 16 }, 'it needs 16 cores of CPU, the largest free is 4 cores on ash', '4 cores would start 1 task now'],
    ['diskMb', { diskMb: 20_000 }, 'it needs 20000 MB of disk, the largest free is 10000 MB on ash', '10000 MB would start 1 task now'],
    ['gpus', { gpus: 1 }, 'needs 1 GPUs, the largest node has 0 GPUs (ash)', null],
    [
      'labels',
      { labels: ['fast'] },
      'needs the label "fast", which 1 node lacks',
      'giving a node "fast", or not asking for it, would help',
    ],
    ['zone', { zone: 'attic' }, 'only zone attic may run it, and 1 node stands elsewhere', 'naming zone cellar would let it start'],
  ] as const)('that lacks %s, with the figures', (constraint, needs, message, help) => {
    const { obstacles } = ofNeeds(needs as Parameters<typeof policy>[0], { zone: 'cellar' });
    expect(obstacles).toEqual([{ constraint, message, help, nodes: 1 }]);
  });

  test('that needs GPUs with more memory than there is', () => {
    const { obstacles } = ofNeeds({ gpus: 1, gpuRamMb: 24_000 }, { gpus: [{ id: '0', model: 'g', ramMb: 8_000 }] });
    expect(obstacles[0]).toMatchObject({ constraint: 'gpuRamMb', help: 'asking for 8000 MB would let it start' });
  });

  test('that needs GPUs of a model that is nowhere', () => {
    const { obstacles } = ofNeeds({ gpus: 1, gpuModel: 'A100' }, { gpus: [{ id: '0', model: 'RTX 4090', ramMb: 24_000 }] });
    expect(obstacles[0]).toMatchObject({
      constraint: 'gpuModel',
      message: 'needs 1 GPUs of the model "A100", and 1 node has others (RTX 4090)',
      help: 'naming no model would let it start',
    });
  });

  test('that there are no nodes', () => {
    expect(ofNeeds({})).toMatchObject({ obstacles: [{ constraint: 'nodes', help: 'start a worker' }] });
  });

  test('that every node is OFFLINE, not available or UNHEALTHY, naming them', () => {
    const world = new TestFarm();
    for (const node of ['ash', 'birch', 'cedar']) world.join(node, { maxParallel: 1 });
    world.submit(7, { taskCount: 3, policy: policy({}, { maxRetries: 0 }) });
    const [sick, gone, paused] = ['7.0.1', '7.1.1', '7.2.1'].map((attempt) => world.nodeOf(attempt)) as [NodeId, NodeId, NodeId];
    world.end('7.0.1', 'infrastructure');
    world.turn({ type: 'node-goodbye', node: gone });
    world.turn({ type: 'node-admin', node: paused, availability: 'paused' });
    world.submit(1);
    const { obstacles, summary } = explained(world);
    expect(summary).toContain('No node can take it');
    expect(obstacles.map(({ constraint, message }) => [constraint, message]).sort()).toEqual([
      ['availability', `1 node is not available (${paused}: paused)`],
      ['health', `1 node is UNHEALTHY for a while (${sick})`],
      ['offline', `1 node is OFFLINE (${gone})`],
    ]);
  });

  test('that it waits for other jobs, its input, or a person', () => {
    const world = new TestFarm();
    world.submit(1, { inputReady: false });
    world.submit(2, { after: [{ job: 1 as JobId, until: 'complete' as const, ended: null }] });
    world.submit(3);
    world.turn({ type: 'hold', job: 3 as JobId, held: true });
    expect(explained(world, 1).summary).toBe('It waits: its input is still on its way.');
    expect(explained(world, 2).summary).toBe('It waits: it begins when job 1 is complete.');
    expect(explained(world, 3)).toMatchObject({ summary: 'It waits: it is held back by a person.', obstacles: [{ help: 'release it' }] });
  });

  test('how many tasks stand before it when all that can serve it are busy', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: 5 });
    world.submit(2);
    world.submit(3, { taskCount: 2, priority: 60 });
    expect(explained(world, 2)).toMatchObject({
      ahead: 6,
      summary: 'The node that can serve it is busy; 6 tasks of higher priority or of earlier jobs go before it.',
    });
    expect(explained(world, 3)).toMatchObject({ ahead: 0 });
  });

  test('that a farm limit is used up, smaller than the wish, or not there', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 4 });
    world.submit(1, { taskCount: 3, policy: policy({ limits: { licence: 1 } }) });
    world.submit(2, { policy: policy({ limits: { licence: 3 } }) });
    world.submit(3, { policy: policy({ limits: { dongle: 1 } }) });
    expect(explained(world, 1).summary).toBe("It waits: the farm's limit licence is used up: 2 of 2 in use, 1 needed.");
    expect(explained(world, 2).obstacles[0]).toMatchObject({ constraint: 'licence', help: 'asking for 2 would let it start' });
    expect(explained(world, 3).summary).toBe('It waits: the farm has no limit called dongle.');
  });

  test('that its image is not to be had on any node', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1);
    world.end('1.0.1', 'image-unavailable');
    expect(explained(world)).toMatchObject({
      summary: 'No node can take it: the image image cannot be had on 1 node (ash).',
      obstacles: [{ constraint: 'image', help: 'check its name, or bring it to a node' }],
    });
  });

  test('that the host executor is switched on nowhere', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1, { policy: policy({}, { image: null }) });
    expect(explained(world).obstacles[0]).toMatchObject({
      constraint: 'executor',
      help: 'turn the host executor on where its owner agrees, or name an image',
    });
  });

  test('that nothing of it waits', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1, { taskCount: 2 });
    world.start('1.0.1');
    expect(explained(world).summary).toBe('Nothing of it waits: 1 running, 1 being prepared.');
  });
});
