import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sharePolicy } from './classes.ts';
import { CONFIG, description, policy, TestFarm } from './farm.fixture.ts';
import {
  adoptGpus,
  describe as describeNode,
  fitsNow,
  hasLabel,
  limitsAllow,
  misfits,
  release,
  reserve,
  reserveAdopted,
} from './leases.ts';
import { type Demand, FarmNode } from './model.ts';
import { createFarm, type FarmState } from './state.ts';

function nodeWith(more: Parameters<typeof description>[1], carrier: 'link' | 'poll' = 'link'): FarmNode {
  const node = new FarmNode(description('ash', more), carrier, 0);
  describeNode(node, node.description);
  return node;
}

function demandOf(farm: FarmState, needs: Parameters<typeof policy>[0]): Demand {
  return sharePolicy(farm, policy(needs)).shared.queueClass.demand;
}

const GPUS = [
  { id: 'small', model: 'g', ramMb: 4_000 },
  { id: 'large', model: 'g', ramMb: 24_000 },
];

describe('a node', () => {
  test('names everything that keeps a class off it', () => {
    const farm = createFarm(CONFIG);
    const needs = { cpu: 8, ramMb: 9_000, diskMb: 99_000, gpus: 1, labels: ['fast'], zone: 'attic' };
    const { queueClass } = sharePolicy(farm, policy(needs, { image: null })).shared;
    expect(misfits(nodeWith({}), queueClass)).toEqual(['executor', 'zone', 'labels', 'cpu', 'ramMb', 'diskMb', 'gpus']);
    const fitting = {
      cpu: 8,
      ramMb: 9_000,
      diskMb: 99_000,
      gpus: GPUS,
      labels: { fast: 'yes' },
      zone: 'attic',
      executors: ['host' as const],
    };
    expect(misfits(nodeWith(fitting), queueClass)).toEqual([]);
  });

  test('that polls and names no executor is believed to have what it is given; one on a link is not', () => {
    const { queueClass } = sharePolicy(createFarm(CONFIG), policy()).shared;
    expect(misfits(nodeWith({ executors: [] }, 'poll'), queueClass)).toEqual([]);
    expect(misfits(nodeWith({ executors: [] }), queueClass)).toEqual(['executor']);
  });

  test('carries a label by name, or by name and value', () => {
    expect(hasLabel({ gpu: 'a100' }, 'gpu')).toBe(true);
    expect(hasLabel({ gpu: 'a100' }, 'gpu=a100')).toBe(true);
    expect(hasLabel({ gpu: 'a100' }, 'gpu=h100')).toBe(false);
    expect(hasLabel({}, 'toString')).toBe(false);
  });

  test('gives the smallest GPU that suffices, and each only once', () => {
    const farm = createFarm(CONFIG);
    const node = nodeWith({ gpus: GPUS });
    expect(reserve(node, demandOf(farm, { gpus: 1 }))).toEqual(['small']);
    expect(fitsNow(node, demandOf(farm, { gpus: 1, gpuRamMb: 30_000 }))).toBe(false);
    expect(reserve(node, demandOf(farm, { gpus: 1, gpuRamMb: 8_000 }))).toEqual(['large']);
    expect(fitsNow(node, demandOf(farm, { gpus: 1 }))).toBe(false);
  });

  test('gives no GPU away while it has an attempt from before a restart of which nobody knows the GPUs', () => {
    const farm = createFarm(CONFIG);
    const node = nodeWith({ gpus: GPUS });
    const demand = demandOf(farm, { gpus: 1 });
    reserveAdopted(node, demand);
    expect(fitsNow(node, demand)).toBe(false);
    release(farm, node, demand, []);
    expect(fitsNow(node, demand)).toBe(true);
  });

  test('gives GPUs of the model that is asked for, whatever the case of its letters', () => {
    const farm = createFarm(CONFIG);
    const cards = [
      { id: 'a', model: 'NVIDIA GeForce RTX 3060', ramMb: 12_000 },
      { id: 'b', model: 'NVIDIA GeForce RTX 4090', ramMb: 24_000 },
    ];
    const node = nodeWith({ gpus: cards });
    expect(reserve(node, demandOf(farm, { gpus: 1, gpuModel: 'rtx 4090' }))).toEqual(['b']);
    const other = sharePolicy(farm, policy({ gpus: 1, gpuModel: 'A100' })).shared.queueClass;
    expect(misfits(node, other)).toEqual(['gpuModel']);
    expect(misfits(node, sharePolicy(farm, policy({ gpus: 1, gpuModel: '3060', gpuRamMb: 20_000 })).shared.queueClass)).toEqual([
      'gpuRamMb',
    ]);
  });

  test('learns from the worker which GPUs an adopted attempt has, and believes only what can be', () => {
    const farm = createFarm(CONFIG);
    const node = nodeWith({ gpus: GPUS });
    const demand = demandOf(farm, { gpus: 1 });
    reserveAdopted(node, demand);
    for (const claim of [[], ['tiny'], ['small', 'large']]) expect(adoptGpus(node, demand, claim)).toEqual([]);
    expect(adoptGpus(node, demand, ['small'])).toEqual(['small']);
    expect(reserve(node, demand)).toEqual(['large']);
    release(farm, node, demand, ['small']);
    expect(reserve(node, demand)).toEqual(['small']);
    reserveAdopted(node, demand);
    expect(adoptGpus(node, demand, ['small'])).toEqual([]);
  });

  test('refuses to hold more than it has', () => {
    const farm = createFarm(CONFIG);
    expect(() => reserve(nodeWith({ cpu: 1 }), demandOf(farm, { cpu: 1.001 }))).toThrow('no room');
  });

  test('takes nothing new while its description says less than it holds', () => {
    const world = new TestFarm();
    world.join('ash', { cpu: 2 });
    world.submit(1, { taskCount: 3 });
    world.turn({ type: 'node-described', node: description('ash', { cpu: 1 }) });
    world.end('1.0.1');
    expect(world.assigned()).toEqual([]);
    world.end('1.1.1');
    expect(world.assigned()).toEqual(['1.2.1@ash']);
  });
});

describe('reservations', () => {
  test('never exceed the node or the farm limits, and what was reserved is free again after its release', () => {
    const needs = fc.record({
      cpu: fc.double({ min: 0.01, max: 3, noNaN: true }),
      ramMb: fc.integer({ min: 1, max: 2_000 }),
      diskMb: fc.nat(5_000),
      gpus: fc.nat(2),
      gpuRamMb: fc.constantFrom(0, 8_000),
      limits: fc.constantFrom({}, { licence: 1 }, { licence: 2 }),
    });
    fc.assert(
      fc.property(fc.array(fc.record({ needs, back: fc.nat(5) }), { maxLength: 60 }), (actions) => {
        const farm = createFarm(CONFIG);
        const node = nodeWith({ gpus: GPUS, maxParallel: 5 });
        const live: { demand: Demand; gpus: readonly string[] }[] = [];
        for (const action of actions) {
          const demand = demandOf(farm, action.needs);
          if (fitsNow(node, demand) && limitsAllow(demand)) live.push({ demand, gpus: reserve(node, demand) });
          else expect(() => reserve(node, demand)).toThrow();
          for (const { demand: held, gpus } of live.splice(action.back)) release(farm, node, held, gpus);
          const gpuIds = live.flatMap(({ gpus }) => gpus);
          expect(new Set(gpuIds).size).toBe(gpuIds.length);
          expect(node.usedCpuMilli).toBe(live.reduce((sum, { demand: held }) => sum + held.cpuMilli, 0));
          expect(node.usedCpuMilli).toBeLessThanOrEqual(4_000);
          expect(node.usedRamMb).toBeLessThanOrEqual(4_000);
          expect(node.usedDiskMb).toBeLessThanOrEqual(10_000);
          expect(farm.limits.get('licence')?.used).toBeLessThanOrEqual(2);
        }
        for (const { demand, gpus } of live) release(farm, node, demand, gpus);
        expect([node.usedCpuMilli, node.usedRamMb, node.usedDiskMb, node.usedSlots]).toEqual([0, 0, 0, 0]);
        expect(node.gpus.some(({ busy }) => busy)).toBe(false);
      }),
    );
  });
});
