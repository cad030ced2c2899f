import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../shared/ids.ts';
import type { CoordinatorEvent } from './events.ts';
import { CONFIG, end, held, keyOf, policy, TestFarm } from './farm.fixture.ts';
import { attemptPhase, holds, stoppingOn } from './queries.ts';

const ASH = 'ash' as NodeId;

describe('a word about an attempt that is not current', () => {
  function requeued(): TestFarm {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1);
    world.start('1.0.1');
    world.turn({ type: 'node-goodbye', node: ASH });
    world.join('ash', { maxParallel: 1 });
    expect(world.assigned()).toEqual(['1.0.2@ash']);
    return world;
  }

  test('of its end is refused and changes nothing', () => {
    const world = requeued();
    world.end('1.0.1', 'completed', ASH);
    expect(world.effects).toEqual([{ type: 'acknowledge', node: 'ash', attempt: '1.0.1', accepted: false }]);
    expect(world.taskState('1.0')).toBe('ASSIGNED');
  });

  test('of its start is answered with a stop', () => {
    const world = requeued();
    world.start('1.0.1', ASH);
    expect(world.effects).toEqual([{ type: 'stop', node: 'ash', attempt: '1.0.1', reason: 'cancelled' }]);
  });

  test('is refused too when it names the right number and comes from another node', () => {
    const world = requeued();
    world.join('birch');
    world.end('1.0.2', 'completed', 'birch' as NodeId);
    expect(world.of('acknowledge')).toEqual([{ type: 'acknowledge', node: 'birch', attempt: '1.0.2', accepted: false }]);
    expect(world.jobState(1)).toBe('ASSIGNED');
  });

  test('of a job that nobody knows is refused', () => {
    const world = new TestFarm();
    world.join('ash');
    world.end('77.0.1', 'completed', ASH);
    expect(world.of('acknowledge')).toEqual([{ type: 'acknowledge', node: 'ash', attempt: '77.0.1', accepted: false }]);
  });

  test('that repeats an end already taken is refused, and the outputs stay as they were committed', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1, { taskCount: 2 });
    world.end('1.0.1');
    world.end('1.0.1', 'exit', ASH);
    expect(world.of('acknowledge')[0]?.accepted).toBe(false);
    expect(world.of('save-attempt')).toEqual([]);
    expect(world.taskState('1.0')).toBe('COMPLETED');
  });
});

describe('an attempt', () => {
  test('is stored once, at its end, with its outputs only when it completed', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1);
    const outputs = [{ path: 'a.png', bytes: 3, blob: 'a'.repeat(64) as never }];
    const base = { exitCode: 1, message: 'broke', outputs, started: false, ranForMs: 1, cpuMs: null, peakRamMb: null, logBytes: 0 };
    world.turn({ type: 'attempt-ended', node: ASH, ...keyOf('1.0.1'), end: { ...base, reason: 'exit' } });
    expect(world.of('save-attempt')[0]?.row).toMatchObject({ number: 1, reason: 'exit', exitCode: 1, message: 'broke', outputs: [] });
    world.turn({ type: 'attempt-ended', node: ASH, ...keyOf('1.0.2'), end: { ...base, reason: 'completed', exitCode: 0 } });
    expect(world.of('save-attempt')[0]?.row).toMatchObject({ number: 2, reason: 'completed', outputs });
  });

  test('may complete without ever having said that it started', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1);
    world.end('1.0.1');
    expect(world.jobState(1)).toBe('COMPLETED');
  });

  test('that says only in its end that it had started, has run for as long as it says, and not from before it was assigned', () => {
    const world = new TestFarm();
    world.join('ash');
    const run = (attempt: string, ranForMs: number) =>
      world.turn({ type: 'attempt-ended', node: ASH, ...keyOf(attempt), end: { ...end('completed'), started: true, ranForMs } });
    world.submit(1);
    world.passAlive(5_000, 'ash');
    run('1.0.1', 1_000);
    const [first] = world.of('save-attempt').map(({ row }) => row);
    expect(first?.startedAt).toBe((first?.finishedAt ?? 0) - 1_000);
    world.submit(2);
    world.passAlive(5_000, 'ash');
    run('2.0.1', 60_000);
    const [second] = world.of('save-attempt').map(({ row }) => row);
    expect(second?.startedAt).toBe(second?.assignedAt);
  });

  test('shows its phase, and a phase counts as progress', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1);
    world.passAlive(590_000, 'ash');
    world.turn({ type: 'attempt-phase', node: ASH, ...keyOf('1.0.1'), phase: { phase: 'pulling', done: 1, total: 2 } });
    expect(attemptPhase(world.farm, keyOf('1.0.1').job, 0)).toEqual({ phase: 'pulling', done: 1, total: 2 });
    world.passAlive(590_000, 'ash');
    expect(holds(world.farm, ASH, '1.0.1' as never)).toBe(true);
  });

  test('without a sign of progress is queued again at no cost, and its worker is told to stop', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 2 });
    world.submit(1);
    const effects = world.passAlive(600_000, 'ash');
    expect(effects).toContainEqual({ type: 'stop', node: 'ash', attempt: '1.0.1', reason: 'infrastructure' });
    expect(world.taskRows.get('1.0')).toMatchObject({ retriesUsed: 0, requeues: 1 });
    expect(stoppingOn(world.farm, ASH)).toEqual(['1.0.1']);
  });

  test('that runs past its timeout and the slack is ended as a timeout, and stopped', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1, { policy: policy({}, { timeoutMs: 10_000, maxRetries: 0 }) });
    world.start('1.0.1');
    world.passAlive(69_999, 'ash');
    expect(world.jobState(1)).toBe('RUNNING');
    world.pass(1);
    expect(world.jobState(1)).toBe('TIMED_OUT');
    expect(world.of('stop')).toEqual([{ type: 'stop', node: 'ash', attempt: '1.0.1', reason: 'timeout' }]);
    world.end('1.0.1', 'completed', ASH);
    expect(world.of('acknowledge')[0]?.accepted).toBe(false);
    expect(world.jobState(1)).toBe('TIMED_OUT');
  });

  test('that was cancelled while it ran keeps its resources until its worker says that it has ended', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1);
    world.start('1.0.1');
    world.submit(2);
    world.cancel(1);
    expect(world.jobState(1)).toBe('CANCELLED');
    expect(world.of('stop')).toEqual([{ type: 'stop', node: 'ash', attempt: '1.0.1', reason: 'cancelled' }]);
    expect(world.assigned()).toEqual([]);
    world.end('1.0.1', 'cancelled', ASH);
    expect(world.of('acknowledge')[0]?.accepted).toBe(false);
    expect(world.assigned()).toEqual(['2.0.1@ash']);
  });

  test('on a worker that polls gives its resources back at once when it was not fetched, and else after the slack', () => {
    const world = new TestFarm({ offlineAfterMs: 1_000_000 });
    world.join('ash', { maxParallel: 1 }, [], 'poll');
    world.submit(1);
    world.submit(2);
    world.cancel(1);
    expect(world.assigned()).toEqual(['2.0.1@ash']);
    world.start('2.0.1');
    world.submit(3);
    world.cancel(2);
    world.pass(59_999);
    expect(world.assigned()).toEqual([]);
    world.pass(1);
    expect(world.assigned()).toEqual(['3.0.1@ash']);
  });
});

describe('a frozen command', () => {
  const phase = (name: 'paused' | 'running'): CoordinatorEvent => ({
    type: 'attempt-phase',
    node: 'ash' as NodeId,
    ...keyOf('1.0.1'),
    phase: { phase: name, done: 0, total: 0 },
  });

  test('is not timed out while it is frozen, and has the rest of its time afterwards', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1, { policy: policy({}, { timeoutMs: 10_000 }) });
    world.start('1.0.1');
    world.turn(phase('paused'));
    world.passAlive(3_600_000, 'ash');
    expect(world.taskState('1.0')).toBe('RUNNING');
    world.turn(phase('running'));
    world.passAlive(10_000, 'ash');
    expect(world.taskState('1.0')).toBe('RUNNING');
    world.passAlive(CONFIG.timeoutSlackMs + 1, 'ash');
    expect(world.taskState('1.0')).not.toBe('RUNNING');
  });

  test('runs on for all that the coordinator knows when its worker comes back, until that says otherwise', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1, { policy: policy({}, { timeoutMs: 10_000 }) });
    world.start('1.0.1');
    world.turn(phase('paused'));
    world.join('ash', {}, [held('1.0.1')]);
    world.passAlive(10_000 + CONFIG.timeoutSlackMs + 1, 'ash');
    expect(world.taskState('1.0')).not.toBe('RUNNING');
  });
});
