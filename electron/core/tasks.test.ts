import { describe, expect, test } from 'vitest';
import { TASK_STATES, type TaskState } from '../../shared/job.ts';
import { policy, TestFarm } from './farm.fixture.ts';
import { checkTransition } from './tasks.ts';

/** The table written out a second time, by hand: a change of the first must be meant. */
const ALLOWED = new Set([
  'SUBMITTED QUEUED',
  'SUBMITTED FAILED',
  'SUBMITTED CANCELLED',
  'QUEUED ASSIGNED',
  'QUEUED FAILED',
  'QUEUED CANCELLED',
  'ASSIGNED RUNNING',
  'ASSIGNED COMPLETED',
  'ASSIGNED QUEUED',
  'ASSIGNED FAILED',
  'ASSIGNED TIMED_OUT',
  'ASSIGNED CANCELLED',
  'RUNNING COMPLETED',
  'RUNNING QUEUED',
  'RUNNING FAILED',
  'RUNNING TIMED_OUT',
  'RUNNING CANCELLED',
]);

const pairs = TASK_STATES.flatMap((from) => TASK_STATES.map((to): [TaskState, TaskState] => [from, to]));

describe('a transition', () => {
  test.each(pairs.filter(([from, to]) => ALLOWED.has(`${from} ${to}`)))('from %s to %s is allowed', (from, to) => {
    expect(() => checkTransition(from, to)).not.toThrow();
  });

  test.each(pairs.filter(([from, to]) => !ALLOWED.has(`${from} ${to}`)))('from %s to %s is refused', (from, to) => {
    expect(() => checkTransition(from, to)).toThrow(`${from} to ${to}`);
  });
});

describe("a job's state follows from its tasks", () => {
  test('it is QUEUED, ASSIGNED, RUNNING and COMPLETED in turn, and each change is stored', () => {
    const world = new TestFarm();
    world.submit(1);
    expect(world.jobState(1)).toBe('QUEUED');
    world.join('ash');
    expect(world.jobState(1)).toBe('ASSIGNED');
    world.start('1.0.1');
    expect(world.jobState(1)).toBe('RUNNING');
    world.end('1.0.1');
    expect(world.jobRows.get(1)).toMatchObject({ state: 'COMPLETED', counts: { COMPLETED: 1, RUNNING: 0 }, finishedAt: world.now.wallMs });
  });

  test('it stays RUNNING while some tasks have ended and others wait', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, { taskCount: 2 });
    world.end('1.0.1');
    expect(world.jobState(1)).toBe('RUNNING');
  });

  test('it goes back to QUEUED when its only attempt is lost', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1);
    world.start('1.0.1');
    world.turn({ type: 'node-goodbye', node: world.nodeOf('1.0.1') });
    expect(world.jobState(1)).toBe('QUEUED');
    expect(world.taskRows.get('1.0')).toMatchObject({ state: 'QUEUED', node: null, requeues: 1, retriesUsed: 0, reason: 'node-lost' });
  });

  test('of several ends CANCELLED goes before FAILED, and FAILED before TIMED_OUT', () => {
    const ends = (...reasons: ('timeout' | 'exit' | 'cancel' | 'completed')[]) => {
      const world = new TestFarm();
      world.join('ash', { maxParallel: 4 });
      world.submit(1, { taskCount: reasons.length, policy: policy({}, { maxRetries: 0 }) });
      reasons.forEach((reason, index) => {
        if (reason === 'cancel') world.cancel(1, index);
        else world.end(`1.${index}.1`, reason);
      });
      return world.jobState(1);
    };
    expect(ends('completed', 'completed')).toBe('COMPLETED');
    expect(ends('completed', 'timeout')).toBe('TIMED_OUT');
    expect(ends('exit', 'timeout')).toBe('FAILED');
    expect(ends('exit', 'cancel', 'timeout')).toBe('CANCELLED');
  });

  test('an ended job leaves the memory', () => {
    const world = new TestFarm();
    world.join('ash');
    world.submit(1);
    world.end('1.0.1');
    expect(world.farm.jobs.size).toBe(0);
    expect(world.farm.taskCounts.COMPLETED).toBe(0);
  });
});
