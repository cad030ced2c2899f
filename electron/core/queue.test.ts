import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JobId } from '../../shared/ids.ts';
import { CONFIG, policy } from './farm.fixture.ts';
import { belongsInQueue, firstJobs, goesBefore, headOf, leaveQueue, sharePolicy, unsharePolicy, updateQueue } from './queue.ts';
import { createFarm, type FarmState, Job } from './state.ts';

function queued(farm: FarmState, id: number, priority = 50): Job {
  const job = new Job(id as JobId, sharePolicy(farm, policy()).shared, 1, 0);
  job.state = 'QUEUED';
  job.priority = priority;
  updateQueue(farm, job);
  return job;
}

describe('the queue', () => {
  test('has higher priorities first, and inside one the older job', () => {
    const farm = createFarm(CONFIG);
    const jobs = [queued(farm, 1, 10), queued(farm, 2, 90), queued(farm, 3, 10), queued(farm, 4, 90)];
    const queueClass = (jobs[0] as Job).shared.queueClass;
    expect(firstJobs(queueClass, 10).map(({ id }) => id)).toEqual([2, 4, 1, 3]);
    expect(headOf(queueClass)?.id).toBe(2);
  });

  test('puts a job that comes back where its id belongs', () => {
    const farm = createFarm(CONFIG);
    const jobs = [1, 2, 3].map((id) => queued(farm, id));
    const queueClass = (jobs[0] as Job).shared.queueClass;
    leaveQueue(jobs[0] as Job);
    expect(headOf(queueClass)?.id).toBe(2);
    updateQueue(farm, jobs[0] as Job);
    expect(headOf(queueClass)?.id).toBe(1);
  });

  test('keeps nothing of jobs that left, however many and wherever they stood', () => {
    const farm = createFarm(CONFIG);
    const first = queued(farm, 1);
    const rest = Array.from({ length: 10_000 }, (_, at) => queued(farm, at + 2));
    for (const job of rest) leaveQueue(job);
    expect(first.bucket?.jobs.length).toBeLessThan(200);
    expect(headOf(first.shared.queueClass)).toBe(first);
  });

  test('shares one policy among jobs whose policies say the same, and one class among policies that need the same', () => {
    const farm = createFarm(CONFIG);
    const one = sharePolicy(farm, policy({ labels: ['a', 'b'], limits: { x: 1, y: 2 } })).shared;
    const same = sharePolicy(farm, policy({ labels: ['b', 'a'], limits: { y: 2, x: 1 } })).shared;
    const slower = sharePolicy(farm, policy({ labels: ['a', 'b'], limits: { x: 1, y: 2 } }, { timeoutMs: 1 })).shared;
    const other = sharePolicy(farm, policy({ labels: ['a'] })).shared;
    expect(same).toBe(one);
    expect(slower).not.toBe(one);
    expect(slower.queueClass).toBe(one.queueClass);
    expect(other.queueClass).not.toBe(one.queueClass);
  });

  test('forgets classes without jobs once there are many, and uses their places again', () => {
    const farm = createFarm(CONFIG);
    for (let ramMb = 1; ramMb <= 1_000; ramMb++) unsharePolicy(farm, sharePolicy(farm, policy({ ramMb })).shared);
    expect(farm.classes.size).toBeLessThan(200);
    expect(farm.policies.size).toBeLessThan(200);
    const ordinals = [...farm.classes.values()].map(({ ordinal }) => ordinal);
    expect(new Set(ordinals).size).toBe(ordinals.length);
    expect(Math.max(...ordinals)).toBeLessThan(200);
  });

  test('agrees with a sorted list, whatever is done to it', () => {
    const actions = fc.array(
      fc.record({ kind: fc.constantFrom('add', 'add', 'take', 'hold', 'release', 'priority'), pick: fc.nat(20), priority: fc.nat(2) }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(actions, (list) => {
        const farm = createFarm(CONFIG);
        const jobs: Job[] = [];
        for (const { kind, pick, priority } of list) {
          if (kind === 'add') jobs.push(queued(farm, jobs.length + 1, priority));
          const job = kind === 'take' ? jobs.filter(belongsInQueue).sort((one, other) => (goesBefore(one, other) ? -1 : 1))[0] : jobs[pick];
          if (job === undefined) continue;
          if (kind === 'take') job.cursor = 1;
          if (kind === 'hold') job.held = true;
          if (kind === 'release') job.held = false;
          if (kind === 'priority') job.priority = priority;
          updateQueue(farm, job);
          const expected = jobs.filter(belongsInQueue).sort((one, other) => (goesBefore(one, other) ? -1 : 1));
          const queueClass = job.shared.queueClass;
          expect(headOf(queueClass)).toBe(expected[0]);
          expect(firstJobs(queueClass, 5)).toEqual(expected.slice(0, 5));
        }
      }),
    );
  });
});
