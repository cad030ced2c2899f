import { describe, expect, test } from 'vitest';
import type { CanaryPlan } from '../../shared/canary.ts';
import type { EndReason } from '../../shared/job.ts';
import { explainJob } from './explain.ts';
import { explainTask } from './explain-others.ts';
import { end, keyOf, policy, TestFarm } from './farm.fixture.ts';
import { jobRow, liveCanary } from './queries.ts';

const AUTOMATIC: CanaryPlan = { approval: 'automatic', least: {} };
const BY_HAND: CanaryPlan = { approval: 'by-hand', least: {} };

function farmWith(canary: CanaryPlan, taskCount = 10, more: Parameters<TestFarm['submit']>[1] = {}): TestFarm {
  const world = new TestFarm();
  world.join('ash', { maxParallel: 8, cpu: 8 });
  world.submit(1, { taskCount, canary, policy: policy({ cpu: 2, ramMb: 400 }, { maxRetries: 0 }), ...more });
  return world;
}

/** Ends an attempt with what it has used. */
function finish(world: TestFarm, attempt: string, reason: EndReason = 'completed', peakRamMb = 100) {
  const used = { ...end(reason), ranForMs: 10_000, cpuMs: 5_000, peakRamMb };
  return world.turn({ type: 'attempt-ended', node: world.nodeOf(attempt), ...keyOf(attempt), end: used });
}

describe('a canary', () => {
  test('is the first, the middle and the last task; then the rest goes on by itself with what was learnt', () => {
    const world = farmWith(AUTOMATIC);
    expect(world.assigned()).toEqual(['1.0.1@ash', '1.4.1@ash', '1.9.1@ash']);
    finish(world, '1.0.1');
    finish(world, '1.9.1');
    expect(world.assigned()).toEqual([]);
    finish(world, '1.4.1', 'completed', 150);
    expect(world.decisions.get(1)).toMatchObject({ by: null, decided: { cpu: 0.75, ramMb: 256, timeoutMs: 120_000 } });
    expect(world.assigned()).toHaveLength(7);
    // Of eight cores 0.75 each: at what was asked for four would have had room.
    expect(world.of('save-canary')).toHaveLength(1);
    for (const index of [1, 2, 3, 5, 6, 7, 8]) finish(world, `1.${index}.1`);
    expect(world.jobState(1)).toBe('COMPLETED');
  });

  test('of a job of three tasks holds nothing back', () => {
    const world = farmWith(BY_HAND, 3);
    expect(world.assigned()).toHaveLength(3);
    expect(liveCanary(world.farm, 1 as never)).toBeNull();
  });

  test('waits for approval when that was asked, and a person may change what is proposed', () => {
    const world = farmWith(BY_HAND);
    for (const index of [0, 4, 9]) finish(world, `1.${index}.1`);
    expect(world.assigned()).toEqual([]);
    expect(liveCanary(world.farm, 1 as never)).toMatchObject({ ended: 3, proposal: { needs: { ramMb: 192 } } });
    expect(explainJob(world.farm, 1 as never).summary).toMatch(/waits until somebody approves/);
    expect(explainTask(world.farm, 1 as never, 3)?.obstacles[0]?.help).toContain('lanyard canary 1');
    world.turn({ type: 'approve-canary', job: 1 as never, needs: { ramMb: 4_000, cpu: 1 }, by: 'bea' });
    expect(world.decisions.get(1)).toMatchObject({ by: 'bea', decided: { cpu: 1, ramMb: 4_000, timeoutMs: 120_000 } });
    expect(world.assigned()).toEqual(['1.1.1@ash']);
  });

  test('is not approved before all of it has ended', () => {
    const world = farmWith(BY_HAND);
    finish(world, '1.0.1');
    world.turn({ type: 'approve-canary', job: 1 as never, needs: {}, by: 'bea' });
    expect(world.decisions.has(1)).toBe(false);
    expect(explainTask(world.farm, 1 as never, 3)?.summary).toBe(
      'It waits: it waits for the canary: 1 of 3 of its first tasks have ended.',
    );
  });

  test('that fails ends its job, with the reason, and runs again when the job is retried', () => {
    const world = farmWith(AUTOMATIC);
    finish(world, '1.0.1');
    finish(world, '1.4.1', 'exit');
    expect(world.jobState(1)).toBe('FAILED');
    expect(world.jobRows.get(1)?.reason).toMatch(/its canary, task 1.4, failed, so nothing else of it is run/);
    expect(world.jobRows.get(1)?.counts).toMatchObject({ COMPLETED: 1, FAILED: 1, CANCELLED: 8 });
    world.turn({ type: 'attempt-ended', node: 'ash' as never, ...keyOf('1.9.1'), end: end('cancelled') });
    world.turn({ type: 'retry', job: world.stored(1) });
    expect(world.assigned()).toEqual(['1.4.2@ash', '1.9.2@ash']);
    finish(world, '1.4.2');
    finish(world, '1.9.2');
    expect(world.decisions.has(1)).toBe(true);
    expect(world.assigned()).toHaveLength(7);
  });

  test('goes on after a restart of the coordinator where it was', () => {
    const world = farmWith(BY_HAND);
    finish(world, '1.0.1');
    finish(world, '1.4.1', 'completed', 300);
    const before = liveCanary(world.farm, 1 as never);
    world.restart();
    expect(liveCanary(world.farm, 1 as never)).toEqual(before);
    world.join('ash', { maxParallel: 8, cpu: 8 }, [{ attempt: '1.9.1' as never, state: 'running' }]);
    finish(world, '1.9.1');
    world.restart();
    world.join('ash', { maxParallel: 8, cpu: 8 });
    expect(liveCanary(world.farm, 1 as never)?.proposal?.needs.ramMb).toBe(480);
    world.turn({ type: 'approve-canary', job: 1 as never, needs: {}, by: 'bea' });
    world.restart();
    expect(liveCanary(world.farm, 1 as never)).toBeNull();
    expect(world.farm.jobs.get(1 as never)?.shared.policy.requirements.ramMb).toBe(480);
  });

  test('holds tasks back that a person lets begin anew', () => {
    const world = farmWith(BY_HAND);
    world.cancel(1, 2);
    world.turn({ type: 'retry', job: world.stored(1) });
    expect(world.assigned()).toEqual([]);
    expect(jobRow(world.farm, 1 as never)?.counts).toMatchObject({ QUEUED: 7, CANCELLED: 0 });
    for (const index of [0, 4, 9]) finish(world, `1.${index}.1`);
    world.turn({ type: 'approve-canary', job: 1 as never, needs: {}, by: 'bea' });
    expect(world.assigned()).toContain('1.2.1@ash');
  });

  test('goes on with what was asked when a person has cancelled all of it', () => {
    const world = farmWith(AUTOMATIC);
    for (const index of [0, 4, 9]) world.cancel(1, index);
    expect(world.decisions.get(1)?.decided).toEqual({ cpu: 2, ramMb: 400, timeoutMs: 3_600_000 });
  });

  test('and tasks that follow those of another job one by one: both must let a task go', () => {
    const world = farmWith(AUTOMATIC, 5);
    world.submit(2, { taskCount: 5, canary: AUTOMATIC, after: [{ job: 1 as never, until: 'tasks', ended: null, completed: [] }] });
    expect(world.assigned()).toEqual([]);
    finish(world, '1.2.1');
    expect(world.assigned()).toEqual(['2.2.1@ash']);
    finish(world, '1.0.1');
    finish(world, '1.4.1');
    expect(world.assigned().filter((attempt) => attempt.startsWith('2.'))).toEqual(['2.4.1@ash']);
    finish(world, '1.1.1');
    expect(world.assigned()).not.toContain('2.1.1@ash');
    for (const index of [0, 2, 4]) finish(world, `2.${index}.1`);
    expect(world.assigned()).toEqual(['2.1.1@ash']);
  });

  test('cancelled is a job cancelled', () => {
    const world = farmWith(BY_HAND);
    for (const index of [0, 4, 9]) finish(world, `1.${index}.1`);
    world.cancel(1);
    expect(world.jobRows.get(1)).toMatchObject({ state: 'CANCELLED', counts: { COMPLETED: 3, CANCELLED: 7 } });
  });
});
