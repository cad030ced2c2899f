import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createProvisionState,
  type Machine,
  type Need,
  type ProvisionEffect,
  type ProvisionRules,
  phaseOf,
  provisionStep,
} from './provisioning.ts';

const RULES: ProvisionRules = { most: 2, afterMs: 10_000, changeMs: 60_000, backoffMs: 30_000, backoffMostMs: 100_000, repeatMs: 15_000 };

function machine(id: string, more: Partial<Machine> = {}): Machine {
  return { id, kind: 'asked', isUp: false, isIdle: false, idleMs: undefined, slots: 1, serves: new Set(['cpu']), ...more };
}
const up = (one: Machine, isIdle = false): Machine => ({ ...one, isUp: true, isIdle });
const need = (more: Partial<Need> = {}): Need => ({ key: 'cpu', waiting: 1, isServed: false, ...more });

function provisioner(rules: Partial<ProvisionRules> = {}) {
  const state = createProvisionState();
  const look = (nowMs: number, machines: readonly Machine[], needs: readonly Need[] = []) =>
    provisionStep(state, { ...RULES, ...rules }, { machines, needs }, nowMs);
  return { state, look };
}
const bringUp = (id: string, isRepeat = false): ProvisionEffect => ({ type: 'bring-up', machine: id, isRepeat });
const letGo = (id: string): ProvisionEffect => ({ type: 'let-go', machine: id });

describe('provisioning', () => {
  test('work that nobody who is up can do brings a machine up at once; work for busy machines waits a while first', () => {
    const { look } = provisioner();
    expect(look(0, [machine('a')], [need()])).toEqual([bringUp('a')]);
    const second = provisioner();
    expect(second.look(0, [machine('a')], [need({ isServed: true })])).toEqual([]);
    expect(second.look(9_999, [machine('a')], [need({ isServed: true })])).toEqual([]);
    expect(second.look(10_000, [machine('a')], [need({ isServed: true })])).toEqual([bringUp('a')]);
  });

  test('as many as the work needs, no more than the cap, and only those that can do it', () => {
    const machines = [machine('a', { slots: 4 }), machine('b', { slots: 4 }), machine('c'), machine('gpu', { serves: new Set(['gpu']) })];
    expect(provisioner().look(0, machines, [need({ waiting: 4 })])).toEqual([bringUp('a')]);
    expect(provisioner().look(0, machines, [need({ waiting: 5 })])).toEqual([bringUp('a'), bringUp('b')]);
    const { look } = provisioner();
    expect(look(0, machines, [need({ waiting: 90 }), need({ key: 'gpu' })])).toEqual([bringUp('a'), bringUp('b')]);
    expect(look(1, machines, [need({ key: 'gpu' })])).toEqual([]);
  });

  test('a packet is sent again while a machine comes up, a machine that is made is not made twice', () => {
    const { look } = provisioner();
    const both = [machine('a'), machine('vm', { kind: 'made' })];
    look(0, both, [need({ waiting: 2 })]);
    expect(look(14_999, both, [need({ waiting: 2 })])).toEqual([]);
    expect(look(15_000, both, [need({ waiting: 2 })])).toEqual([bringUp('a', true)]);
  });

  test('a machine that does not come up is left alone for a while, longer each time, and what was made of it is cleared away', () => {
    const { look, state } = provisioner();
    const vm = [machine('vm', { kind: 'made' })];
    const starts: number[] = [];
    for (let nowMs = 0; nowMs <= 580_000; nowMs += 5_000)
      for (const effect of look(nowMs, vm, [need()])) {
        if (effect.type === 'bring-up') starts.push(nowMs);
        else expect(nowMs - (starts.at(-1) ?? 0)).toBe(60_000);
      }
    expect(starts).toEqual([0, 90_000, 210_000, 370_000, 530_000]);
    expect(phaseOf(state, 'vm')).toEqual({ phase: 'coming', failures: 4 });
    // Another that has not failed goes first.
    expect(look(700_000, [...vm, machine('z')], [need()])).toEqual([letGo('vm'), bringUp('z')]);
  });

  test('an idle machine is let go when its owner allows it and no work for it waits', () => {
    const { look } = provisioner();
    const willing = machine('a', { idleMs: 60_000 });
    look(0, [up(willing, true)]);
    expect(look(59_999, [up(willing, true)])).toEqual([]);
    expect(look(59_999, [up(willing, true)], [need()])).toEqual([]);
    look(60_000, [up(willing, true)]);
    expect(look(119_999, [up(willing, true)])).toEqual([]);
    expect(look(120_000, [up(willing, true)])).toEqual([letGo('a')]);
    expect(look(125_000, [up(willing, true)])).toEqual([]);
    expect(look(130_000, [willing])).toEqual([]);
    expect(look(131_000, [willing], [need()])).toEqual([bringUp('a')]);
    expect(provisioner().look(1e9, [up(machine('b'), true)])).toEqual([]);
  });

  test('one that was let go and stays is taken for up again', () => {
    const { look, state } = provisioner();
    const willing = up(machine('a', { idleMs: 0 }), true);
    expect(look(0, [willing])).toEqual([letGo('a')]);
    look(60_000, [{ ...willing, isIdle: false }]);
    expect(phaseOf(state, 'a')).toEqual({ phase: 'up', failures: 0 });
  });
});

test('in every run: never more than the cap, nothing brought up too early or twice, nothing let go that is needed, and work gets its machine', () => {
  const machines = fc.array(
    fc.record({
      kind: fc.constantFrom('asked' as const, 'made' as const),
      idleMs: fc.constantFrom(undefined, 0, 30_000),
      slots: fc.integer({ min: 1, max: 3 }),
      serves: fc.subarray(['cpu', 'gpu']).map((keys) => new Set(keys)),
      /** How long it takes to come up; longer than is waited for: it never does. */
      bootMs: fc.constantFrom(0, 20_000, 59_000, 1e12),
    }),
    { minLength: 1, maxLength: 5 },
  );
  const ticks = fc.array(
    fc.record({ cpu: fc.integer({ min: 0, max: 4 }), gpu: fc.integer({ min: 0, max: 2 }), busy: fc.nat(31), falls: fc.nat(4) }),
    { minLength: 10, maxLength: 120 },
  );
  fc.assert(
    fc.property(machines, ticks, (drawn, run) => {
      const { look, state } = provisioner();
      const world = drawn.map((one, index) => ({ ...one, id: `m${index}`, upAt: Number.POSITIVE_INFINITY, startedAt: -1, failures: 0 }));
      let nowMs = 0;
      for (const tick of run) {
        nowMs += 5_000;
        const fallen = world[tick.falls];
        if (fallen !== undefined && tick.busy % 7 === 0 && fallen.upAt <= nowMs) fallen.upAt = Number.POSITIVE_INFINITY;
        const seen = world.map((one, index): Machine => {
          const isUp = one.upAt <= nowMs;
          return { ...one, isUp, isIdle: isUp && ((tick.busy >> index) & 1) === 0 };
        });
        const needs = (['cpu', 'gpu'] as const)
          .filter((key) => tick[key] > 0)
          .map((key) => need({ key, waiting: tick[key], isServed: seen.some((one) => one.isUp && one.serves.has(key)) }));
        const before = new Map(seen.map(({ id }) => [id, phaseOf(state, id)?.phase]));
        const effects = look(nowMs, seen, needs);
        for (const effect of effects) {
          const one = world.find(({ id }) => id === effect.machine);
          const now = seen.find(({ id }) => id === effect.machine);
          if (one === undefined || now === undefined) throw new Error('an unknown machine');
          if (effect.type === 'bring-up') {
            expect(now.isUp).toBe(false);
            if (effect.isRepeat) expect(one.kind).toBe('asked');
            else {
              expect(needs.some(({ key }) => one.serves.has(key))).toBe(true);
              one.startedAt = nowMs;
              one.upAt = nowMs + one.bootMs;
            }
          } else if (now.isUp) {
            expect(now.isIdle).toBe(true);
            expect(needs.some(({ key }) => one.serves.has(key))).toBe(false);
            one.upAt = Number.POSITIVE_INFINITY;
          } else {
            expect(one.kind).toBe('made');
            expect(before.get(one.id)).toBe('coming');
          }
        }
        const ours = [...state.machines.values()].filter(({ isOurs, phase }) => isOurs && phase !== 'down');
        expect(ours.length).toBeLessThanOrEqual(RULES.most);
      }
      // In the end only this work is left, every machine comes up quickly, and nothing else holds the cap.
      for (const one of world) Object.assign(one, { upAt: Number.POSITIVE_INFINITY, bootMs: 0 });
      for (let wait = 0; wait < 60; wait++) {
        nowMs += 5_000;
        const seen = world.map((one): Machine => ({ ...one, isUp: one.upAt <= nowMs, isIdle: false }));
        const served = seen.some((one) => one.isUp && one.serves.has('cpu'));
        if (served || !world.some((one) => one.serves.has('cpu'))) return;
        for (const effect of look(nowMs, seen, [need()])) {
          const one = world.find(({ id }) => id === effect.machine);
          if (one !== undefined && effect.type === 'bring-up') one.upAt = nowMs;
        }
      }
      throw new Error('work waits for ever');
    }),
  );
});
