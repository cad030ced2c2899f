import { describe, expect, test } from 'vitest';
import type { JobId, NodeId } from '../../shared/ids.ts';
import { description, policy, TestFarm } from './farm.fixture.ts';
import { MACHINE_LABEL, type MadeMachines, machinesFor, provisionView } from './provision-view.ts';

const POWER = { power: { macs: ['02:00:00:00:00:01'], sleepAfterMs: 60_000 } };
const { id: _, ...template } = description('made', { cpu: 8, labels: { vm: '' } });
const MADE: MadeMachines = { ids: ['machine-1', 'machine-2'], description: template, idleMs: 5_000 };

/** A farm with a node that sleeps and a small one that is up. */
function farm(sleeper: Parameters<typeof description>[1] = {}) {
  const world = new TestFarm();
  world.join('sleeper', { cpu: 8, ...POWER, ...sleeper });
  world.turn({ type: 'node-goodbye', node: 'sleeper' as NodeId });
  world.join('small', { cpu: 1, maxParallel: 1 });
  return world;
}
const machineOf = (world: TestFarm, id: string, made?: MadeMachines) =>
  provisionView(world.farm, made).machines.find((machine) => machine.id === id);

describe('what provisioning sees', () => {
  test('only nodes whose owners let it, and machines that are not made yet', () => {
    const world = farm();
    const { machines, needs } = provisionView(world.farm, MADE);
    expect(needs).toEqual([]);
    expect(machines.map(({ id, kind, isUp, idleMs }) => ({ id, kind, isUp, idleMs }))).toEqual([
      { id: 'sleeper', kind: 'asked', isUp: false, idleMs: 60_000 },
      { id: 'machine-1', kind: 'made', isUp: false, idleMs: 5_000 },
      { id: 'machine-2', kind: 'made', isUp: false, idleMs: 5_000 },
    ]);
  });

  test('which machines on their way a job may hope for, by name', () => {
    const world = farm();
    world.submit(1, { policy: policy({ cpu: 4 }) });
    world.submit(2, { policy: policy({ cpu: 4, labels: ['vm'] }) });
    const coming = ['sleeper', 'machine-2'];
    expect(machinesFor(world.farm, MADE, coming, 1 as JobId)).toEqual(['sleeper', 'machine-2']);
    expect(machinesFor(world.farm, MADE, coming, 2 as JobId)).toEqual(['machine-2']);
    expect(machinesFor(world.farm, undefined, coming, 2 as JobId)).toEqual([]);
  });

  test('work that nobody who is up can do, and who could', () => {
    const world = farm();
    world.submit(1, { taskCount: 7, policy: policy({ cpu: 4 }) });
    world.submit(2, { policy: policy({ cpu: 4, labels: ['vm'] }) });
    const { needs } = provisionView(world.farm, MADE);
    expect(needs).toMatchObject([
      { waiting: 7, isServed: false },
      { waiting: 1, isServed: false },
    ]);
    const [large, vm] = needs.map(({ key }) => key) as [string, string];
    expect([...(machineOf(world, 'sleeper', MADE)?.serves ?? [])]).toEqual([large]);
    expect([...(machineOf(world, 'machine-1', MADE)?.serves ?? [])]).toEqual([large, vm]);
  });

  test('work that waits for busy machines, and none while one has room or for what no machine can give', () => {
    const world = farm();
    world.submit(1, { taskCount: 1 });
    expect(provisionView(world.farm, undefined).needs).toEqual([]);
    world.submit(2, { taskCount: 3 });
    expect(provisionView(world.farm, undefined).needs).toMatchObject([{ waiting: 3, isServed: true }]);
    const limited = farm();
    limited.submit(1, { policy: policy({ limits: { licence: 1 } }) });
    expect(provisionView(limited.farm, undefined).needs).toEqual([]);
    limited.submit(2, { policy: policy({ cpu: 4 }) });
    limited.turn({ type: 'hold', job: 2 as never, held: true });
    expect(provisionView(limited.farm, undefined).needs).toEqual([]);
  });

  test('a node that cannot hear, that is paused, or that its owner keeps, is not woken', () => {
    const serves = (world: TestFarm) => {
      world.submit(1, { policy: policy({ cpu: 4 }) });
      return machineOf(world, 'sleeper')?.serves.size;
    };
    expect(serves(farm())).toBe(1);
    expect(serves(farm({ power: { macs: [], sleepAfterMs: 1 } }))).toBe(0);
    const paused = farm();
    paused.turn({ type: 'node-admin', node: 'sleeper' as NodeId, availability: 'paused' });
    expect(serves(paused)).toBe(0);
    const kept = farm({ availability: 'outside-schedule' });
    expect(serves(kept)).toBe(0);
    // An hour later its owner may think otherwise.
    kept.passAlive(3_600_001, 'small');
    expect(machineOf(kept, 'sleeper')?.serves.size).toBe(1);
  });

  test('a made machine is the node that carries its name', () => {
    const world = farm();
    world.join('vm-7', { cpu: 8, labels: { vm: '', [MACHINE_LABEL]: 'machine-2' } });
    expect(machineOf(world, 'machine-1', MADE)).toMatchObject({ isUp: false, isIdle: false });
    expect(machineOf(world, 'machine-2', MADE)).toMatchObject({ isUp: true, isIdle: true });
    world.submit(1, { policy: policy({ labels: ['vm'] }) });
    expect(world.assigned()).toEqual(['1.0.1@vm-7']);
    expect(machineOf(world, 'machine-2', MADE)).toMatchObject({ isUp: true, isIdle: false });
  });
});
