import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JobId, NodeId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import { explainJob } from './explain.ts';
import { held, policy, TestFarm } from './farm.fixture.ts';
import { findTask } from './live-tasks.ts';
import { assignedTo, jobIds } from './queries.ts';

const LOW = { priority: 10, policy: policy({}, { preemptible: true }) };
const HIGH = { priority: 90 };

/** Attempts that this turn asked to make room. */
const asked = (world: TestFarm) =>
  world
    .of('stop')
    .filter(({ reason }) => reason === 'preempted')
    .map(({ attempt }) => attempt as string);

describe('a higher priority', () => {
  test('takes the place of preemptible work when that has ended, which is queued again at no cost', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, LOW);
    world.start('1.0.1');
    world.pass(5_000);
    world.submit(2, HIGH);
    expect(world.of('stop')).toEqual([{ type: 'stop', node: 'ash', attempt: '1.0.1', reason: 'preempted', graceMs: 30_000 }]);
    expect(world.taskState('1.0')).toBe('RUNNING');
    expect(explainJob(world.farm, 2 as JobId).summary).toBe('Room is being made for it: work of lower priority is ending on ash.');
    world.end('1.0.1', 'preempted');
    expect(world.assigned()).toEqual(['2.0.1@ash']);
    expect(world.taskRows.get('1.0')).toMatchObject({
      state: 'QUEUED',
      retriesUsed: 0,
      requeues: 0,
      message: 'made room for job 2, which has a higher priority',
    });
    world.end('2.0.1');
    expect(world.assigned()).toEqual(['1.0.2@ash']);
  });

  test.each(['exit', 'timeout', 'out-of-memory'] as const)(
    'costs nothing either when the command ends as %s after it was asked',
    (reason) => {
      const world = new TestFarm();
      world.join('ash', { maxParallel: 1 });
      world.submit(1, { ...LOW, policy: policy({}, { preemptible: true, maxRetries: 0 }) });
      world.pass(1);
      world.submit(2, HIGH);
      world.end('1.0.1', reason);
      expect(world.taskRows.get('1.0')).toMatchObject({ state: 'QUEUED', reason: 'preempted', retriesUsed: 0 });
    },
  );

  test('takes a result that comes in time', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, LOW);
    world.pass(1);
    world.submit(2, HIGH);
    world.end('1.0.1');
    expect(world.jobState(1)).toBe('COMPLETED');
    expect(world.assigned()).toEqual(['2.0.1@ash']);
  });

  test.each([
    ['of equal priority', { priority: 10 }, LOW],
    ['that may not be interrupted', HIGH, { priority: 10 }],
  ])('leaves work alone %s', (_, second, first) => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, first);
    world.pass(1);
    world.submit(2, second);
    expect(asked(world)).toEqual([]);
  });

  test('leaves work alone while there is room elsewhere, or when its end would not help', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.join('birch', { maxParallel: 1 });
    world.submit(1, LOW);
    world.pass(1);
    world.submit(2, HIGH);
    expect(asked(world)).toEqual([]);
    world.submit(3, { priority: 90, policy: policy({ ramMb: 99_000 }) });
    world.submit(4, { priority: 90, policy: policy({ limits: { licence: 3 } }) });
    expect(asked(world)).toEqual([]);
  });

  test('asks for the least loss: what has run least, no more than is needed, and never the same place twice', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 4 });
    world.submit(1, { ...LOW, taskCount: 2 });
    for (const attempt of ['1.0.1', '1.1.1']) world.start(attempt);
    world.pass(10_000);
    world.submit(2, { ...LOW, taskCount: 2 });
    for (const attempt of ['2.0.1', '2.1.1']) world.start(attempt);
    world.pass(5_000);
    world.submit(3, { ...HIGH, policy: policy({ cpu: 2 }) });
    expect(asked(world).sort()).toEqual(['2.0.1', '2.1.1']);
    world.submit(4, { ...HIGH, priority: 95, policy: policy({ ramMb: 200 }) });
    expect(asked(world)).toEqual([]);
    world.end('2.0.1', 'preempted');
    expect(world.assigned()).toEqual([]);
    world.end('2.1.1', 'preempted');
    expect(world.assigned()).toEqual(['3.0.1@ash']);
  });

  test('asks again when the worker may not have heard, and takes the place when it does not answer', () => {
    const world = new TestFarm({ offlineAfterMs: 1_000_000 });
    world.join('ash', { maxParallel: 1 });
    world.submit(1, LOW);
    world.start('1.0.1');
    world.pass(1);
    world.submit(2, HIGH);
    world.join('ash', { maxParallel: 1 }, [held('1.0.1')]);
    expect(asked(world)).toEqual(['1.0.1']);
    world.pass(30_000 + 60_000);
    expect(world.taskRows.get('1.0')).toMatchObject({ state: 'QUEUED', reason: 'preempted' });
    expect(world.of('stop')).toMatchObject([{ attempt: '1.0.1' }]);
    // What was stopped holds its place until its worker says that it is gone.
    expect(world.assigned()).toEqual([]);
    world.turn({
      type: 'attempt-ended',
      node: 'ash' as NodeId,
      job: 1 as JobId,
      index: 0,
      number: 1,
      end: {
        reason: 'cancelled',
        exitCode: null,
        message: null,
        outputs: [],
        started: false,
        ranForMs: 0,
        cpuMs: null,
        peakRamMb: null,
        logBytes: 0,
      },
    });
    expect(world.assigned()).toEqual(['2.0.1@ash']);
  });

  test('gives the place free again when it is cancelled before', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, LOW);
    world.pass(1);
    world.submit(2, HIGH);
    world.cancel(2);
    world.end('1.0.1', 'preempted');
    expect(world.assigned()).toEqual(['1.0.2@ash']);
  });
});

describe('there is no ping-pong:', () => {
  test('a task that made room often enough is left alone', () => {
    const world = new TestFarm();
    world.join('ash', { maxParallel: 1 });
    world.submit(1, LOW);
    for (let round = 0; round < LIMITS.preemptions; round++) {
      world.pass(1);
      world.submit(2 + round, HIGH);
      expect(asked(world)).toHaveLength(1);
      world.end(`1.0.${round + 1}`, 'preempted');
      world.end(`${2 + round}.0.1`);
    }
    world.pass(1);
    world.submit(99, HIGH);
    expect(asked(world)).toEqual([]);
  });

  test('room is made only for a higher priority, no task does so too often, and all jobs end (any jobs and times)', () => {
    const job = fc.record({
      priority: fc.integer({ min: 0, max: 3 }),
      tasks: fc.integer({ min: 1, max: 4 }),
      cpu: fc.integer({ min: 1, max: 4 }),
      preemptible: fc.boolean(),
    });
    const action = fc.oneof(
      job.map((value) => ({ submit: value })),
      fc.record({ end: fc.nat(9) }),
      fc.record({ pass: fc.integer({ min: 1, max: 20_000 }) }),
      fc.constant('restart' as const),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const world = new TestFarm();
        const priorities = new Map<number, number>();
        const times = new Map<string, number>();
        const judge = () => {
          for (const { row } of world.of('save-attempt')) {
            if (row.reason !== 'preempted') continue;
            const winner = Number(/job (\d+)/.exec(row.message ?? '')?.[1]);
            expect(priorities.get(winner)).toBeGreaterThan(priorities.get(row.job) ?? 99);
            const task = `${row.job}.${row.index}`;
            times.set(task, (times.get(task) ?? 0) + 1);
            expect(times.get(task)).toBeLessThanOrEqual(LIMITS.preemptions);
          }
        };
        const endOne = (pick: number) => {
          const live = ['ash', 'birch'].flatMap((node) => assignedTo(world.farm, node as NodeId));
          const chosen = live[pick % live.length];
          if (chosen === undefined) return;
          const task = findTask(world.farm, chosen.job, chosen.index);
          world.end(chosen.attempt, task?.makesRoomFor === null ? 'completed' : 'preempted');
          judge();
        };
        const joinAll = () => {
          for (const node of ['ash', 'birch'])
            world.join(
              node,
              { maxParallel: 3 },
              assignedTo(world.farm, node as NodeId).map(({ attempt }) => held(attempt)),
            );
        };
        joinAll();
        let id = 0;
        for (const one of actions) {
          if (one === 'restart') {
            world.restart();
            joinAll();
          } else if ('submit' in one) {
            const { priority, tasks, cpu, preemptible } = one.submit;
            priorities.set(++id, priority);
            world.submit(id, { priority, taskCount: tasks, policy: policy({ cpu }, { preemptible }) });
          } else if ('end' in one) {
            endOne(one.end);
          } else {
            world.passAlive(one.pass, 'ash', 'birch');
          }
          judge();
        }
        for (let round = 0; round < 5_000 && jobIds(world.farm).length > 0; round++) endOne(0);
        expect(jobIds(world.farm)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});
