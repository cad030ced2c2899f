import { describe, expect, test } from 'vitest';
import { provisionStep } from '../../electron/core/provisioning.ts';
import { taskRow } from '../../electron/core/queries.ts';
import { step } from '../../electron/core/step.ts';
import { simulate } from './simulation.ts';

type Step = typeof step;
type Provision = typeof provisionStep;

/** @returns what is found in the first of some seeds in which anything is */
function firstViolation(faulty: Step, faultyProvision: Provision = provisionStep): string | undefined {
  for (let seed = 1; seed <= 100; seed++) {
    const { violation } = simulate(seed, { step: faulty, provisionStep: faultyProvision });
    if (violation !== undefined) return violation.message;
  }
  return undefined;
}

/** `npm run sim` runs thousands more. */
test('a hundred farms keep their promises through all weather', () => {
  const counts = new Map<string, number>();
  for (let seed = 1; seed <= 100; seed++) {
    const result = simulate(seed);
    expect(result.violation?.message, `seed ${seed}`).toBeUndefined();
    for (const [kind, times] of result.counts) counts.set(kind, (counts.get(kind) ?? 0) + times);
  }
  // A storm that misses the farm proves nothing.
  const kinds = [
    'ends accepted',
    'ends refused',
    'stops',
    'attempt ended: preempted',
    'bring up a machine that is made',
    'bring up a machine that sleeps',
    'let go a machine that is made',
    'machine comes late',
    'machine comes never',
    'machine comes twice',
    'canary went on',
    'canary approved',
    'disconnects',
    'crash: after a commit',
    'crash: before a commit',
    'crash: disk full',
  ];
  for (const kind of kinds) expect(counts.get(kind), kind).toBeGreaterThan(0);
});

test('the same seed is the same run, another seed another', () => {
  const first = simulate(7);
  expect(simulate(7)).toEqual(first);
  expect(simulate(8).digest).not.toBe(first.digest);
});

describe('a fault in the core is found:', () => {
  test('an end that is not fenced', () => {
    const faulty: Step = (farm, event, now) => {
      if (event.type !== 'attempt-ended') return step(farm, event, now);
      const current = taskRow(farm, event.job, event.index);
      return step(
        farm,
        current?.node === null || current === undefined ? event : { ...event, number: current.attempt, node: current.node },
        now,
      );
    };
    expect(firstViolation(faulty)).toBeDefined();
  });

  test('a row that is not written', () => {
    const faulty: Step = (farm, event, now) =>
      step(farm, event, now).filter((effect) => !(effect.type === 'save-task' && effect.row.state === 'COMPLETED'));
    expect(firstViolation(faulty)).toMatch(/has ended and its task is still/);
  });

  test('a decision after a canary that is not written', () => {
    const faulty: Step = (farm, event, now) => step(farm, event, now).filter((effect) => effect.type !== 'save-canary');
    expect(firstViolation(faulty)).toMatch(/its canary on the disk, and not in memory|before its canary is decided on/);
  });

  test('a canary that holds nothing back', () => {
    const faulty: Step = (farm, event, now) =>
      step(farm, event.type === 'job-submitted' ? { ...event, job: { ...event.job, canary: null } } : event, now);
    expect(firstViolation(faulty)).toMatch(/canary/);
  });

  test('more machines brought up than may be', () => {
    const faulty: Provision = (state, rules, view, nowMs) => provisionStep(state, { ...rules, most: 100 }, view, nowMs);
    expect(firstViolation(step, faulty)).toMatch(/machines are brought up, and \d may be/);
  });

  test('a machine that does not come up and is not left alone', () => {
    const faulty: Provision = (state, rules, view, nowMs) => provisionStep(state, { ...rules, backoffMs: 0 }, view, nowMs);
    expect(firstViolation(step, faulty)).toMatch(/before its back-off is over/);
  });

  test('a machine that is let go although it has work', () => {
    const faulty: Provision = (state, rules, { machines, needs }, nowMs) =>
      provisionStep(state, rules, { needs, machines: machines.map((machine) => ({ ...machine, isIdle: machine.isUp })) }, nowMs);
    expect(firstViolation(step, faulty)).toMatch(/is let go, and has work/);
  });

  test('a machine that nobody brings up', () => {
    expect(firstViolation(step, () => [])).toMatch(/does not come to its end/);
  });

  test('an end that is not acknowledged', () => {
    const faulty: Step = (farm, event, now) => step(farm, event, now).filter((effect) => effect.type !== 'acknowledge' || effect.accepted);
    expect(firstViolation(faulty)).toMatch(/does not come to its end/);
  });

  test('a worker that is not told to stop', () => {
    const faulty: Step = (farm, event, now) => step(farm, event, now).filter((effect) => effect.type !== 'stop');
    expect(firstViolation(faulty)).toMatch(/was not stopped/);
  });

  test('a reservation that is given back twice', () => {
    const faulty: Step = (farm, event, now) => {
      const effects = step(farm, event, now);
      if (event.type === 'attempt-ended') {
        const node = farm.nodes.get(event.node);
        if (node !== undefined && node.usedSlots > 0) node.usedSlots--;
      }
      return effects;
    };
    expect(firstViolation(faulty)).toBeDefined();
  });
});
