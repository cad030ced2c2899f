import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../shared/ids.ts';
import { END_REASONS, type EndReason } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import type { CoordinatorEvent } from './events.ts';
import { end, keyOf, policy, TestFarm } from './farm.fixture.ts';
import { outcomeOf } from './retries.ts';

const reasons = Object.keys(END_REASONS) as EndReason[];
const costly = reasons.filter((reason) => END_REASONS[reason].usesRetry && reason !== 'input-refused');
const free = reasons.filter((reason) => !END_REASONS[reason].usesRetry && reason !== 'completed' && reason !== 'preempted');

describe('the end of an attempt', () => {
  test.each(costly)('%s uses up a retry, and without one left ends the task', (reason) => {
    expect(outcomeOf(reason, 1, 5, 2)).toEqual({ state: 'QUEUED', retriesUsed: 2, requeues: 5 });
    expect(outcomeOf(reason, 2, 5, 2).state).toBe(reason === 'timeout' ? 'TIMED_OUT' : 'FAILED');
  });

  test('preempted costs nothing at all: how often a task makes room is bounded by itself', () => {
    expect(outcomeOf('preempted', 1, LIMITS.freeRequeues, 1)).toEqual({ state: 'QUEUED', retriesUsed: 1, requeues: LIMITS.freeRequeues });
  });

  test.each(free)('%s costs no retry, and is bounded', (reason) => {
    expect(outcomeOf(reason, 0, 0, 0)).toEqual({ state: 'QUEUED', retriesUsed: 0, requeues: 1 });
    expect(outcomeOf(reason, 0, LIMITS.freeRequeues, 3).state).toBe('FAILED');
  });

  test('a refused input ends the task at once, whatever retries are left', () => {
    expect(outcomeOf('input-refused', 0, 0, 3).state).toBe('FAILED');
  });

  test('a completed task is COMPLETED', () => {
    expect(outcomeOf('completed', 3, 0, 3).state).toBe('COMPLETED');
  });
});

describe('a task that failed', () => {
  test('is tried maxRetries times more and then FAILED, with the reason on the job', () => {
    const world = new TestFarm({ cooldownMs: 1 });
    world.join('ash');
    world.submit(1, { policy: policy({}, { maxRetries: 2 }) });
    world.end('1.0.1', 'exit');
    world.end('1.0.2', 'exit');
    expect(world.jobState(1)).toBe('ASSIGNED');
    world.end('1.0.3', 'exit');
    expect(world.jobRows.get(1)).toMatchObject({ state: 'FAILED', retries: 2, reason: 'exit code 1' });
    expect(world.taskRows.get('1.0')).toMatchObject({ state: 'FAILED', attempt: 3, retriesUsed: 2, exitCode: 1, node: 'ash' });
  });

  test('avoids the node it failed on while another can serve it, even a busy one', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.join('birch', { maxParallel: 1 });
    world.submit(1, { taskCount: 2 });
    const failed = world.nodeOf('1.0.1');
    world.end('1.0.1', 'exit');
    expect(world.assigned()).toEqual([]);
    const other = world.nodeOf('1.1.1');
    expect(other).not.toBe(failed);
    world.end('1.1.1');
    expect(world.assigned()).toEqual([`1.0.2@${other}`]);
  });

  test.each<[string, (node: NodeId) => CoordinatorEvent]>([
    ['paused', (node) => ({ type: 'node-admin', node, availability: 'paused' })],
    ['draining', (node) => ({ type: 'node-admin', node, availability: 'draining' })],
    ['lost', (node) => ({ type: 'node-goodbye', node })],
  ])('goes back to its node when the other that could serve it, and was busy, is %s', (_, change) => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.join('birch', { maxParallel: 1 });
    world.submit(1);
    world.submit(2, { policy: policy({ ramMb: 200 }) });
    const failed = world.nodeOf('1.0.1');
    world.end('1.0.1', 'exit');
    expect(world.assigned()).toEqual([]);
    world.turn(change(world.nodeOf('2.0.1')));
    expect(world.assigned()).toEqual([`1.0.2@${failed}`]);
  });

  test('goes back to its node when no other could serve it', () => {
    const world = new TestFarm();
    world.join('ash', { ramMb: 4_000 });
    world.join('birch', { ramMb: 50 });
    world.submit(1);
    world.end('1.0.1', 'exit');
    expect(world.assigned()).toEqual(['1.0.2@ash']);
  });

  test('ends TIMED_OUT when the last end that is allowed is a timeout', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1, { policy: policy({}, { maxRetries: 1 }) });
    world.end('1.0.1', 'exit');
    world.end('1.0.2', 'timeout');
    expect(world.jobState(1)).toBe('TIMED_OUT');
  });

  test('does not hold up the tasks behind it', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.join('birch', { maxParallel: 1 });
    world.submit(1, { taskCount: 3 });
    const node = world.nodeOf('1.0.1');
    world.end('1.0.1', 'exit');
    expect(world.assigned()).toEqual([`1.2.1@${node}`]);
  });
});

describe('a node that cannot have the image', () => {
  test('is not asked again for this job, is not sickened, and serves others', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1);
    world.end('1.0.1', 'image-unavailable');
    expect(world.assigned()).toEqual([]);
    expect(world.taskRows.get('1.0')).toMatchObject({ state: 'QUEUED', retriesUsed: 0, avoid: [] });
    world.submit(2);
    expect(world.assigned()).toEqual(['2.0.1@ash']);
    world.join('birch');
    expect(world.assigned()).toEqual(['1.0.2@birch']);
  });

  test('is asked again when it changes, or after the longest cool-down', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1);
    world.end('1.0.1', 'image-unavailable');
    world.join('ash', { version: '2' });
    expect(world.assigned()).toEqual(['1.0.2@ash']);
    world.end('1.0.2', 'image-unavailable');
    const later = world.passAlive(world.farm.config.cooldownMaxMs, 'ash').filter(({ type }) => type === 'assign');
    expect(later).toHaveLength(1);
  });

  test('does not let many such jobs block the jobs behind them', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 16, cpu: 16 });
    for (let id = 1; id <= 16; id++) world.submit(id);
    world.submit(17, { priority: 10 });
    const ends = Array.from({ length: 16 }, (_, at): CoordinatorEvent => {
      return { type: 'attempt-ended', node: 'ash' as NodeId, ...keyOf(`${at + 1}.0.1`), end: end('image-unavailable') };
    });
    world.turn(...ends);
    expect(world.assigned()).toEqual(['17.0.1@ash']);
  });
});
