import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JobId } from '../../shared/ids.ts';
import { sharePolicy, unsharePolicy } from './classes.ts';
import { ownerOf } from './fairness.ts';
import { CONFIG, policy } from './farm.fixture.ts';
import { Job } from './model.ts';
import { belongsInQueue, goesBefore, leaveQueue, moveInQueue, updateQueue } from './queue.ts';
import { firstJobs, headOf } from './ranking.ts';
import { createFarm, type FarmState } from './state.ts';

function queued(farm: FarmState, id: number, priority = 50, owner = 'ann'): Job {
  const job = new Job(id as JobId, ownerOf(farm, owner), sharePolicy(farm, policy()).shared, 1, 0);
  job.state = 'QUEUED';
  job.priority = priority;
  updateQueue(farm, job);
  return job;
}

const OWNERS = ['ann', 'bea', 'cid'];

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
    expect(first.lane?.jobs.length).toBeLessThan(200);
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

  test('forgets classes without jobs once there are many', () => {
    const farm = createFarm(CONFIG);
    for (let ramMb = 1; ramMb <= 1_000; ramMb++) unsharePolicy(farm, sharePolicy(farm, policy({ ramMb })).shared);
    expect(farm.classes.size).toBeLessThan(200);
    expect(farm.policies.size).toBeLessThan(200);
  });

  test('agrees with a sorted list, whatever is done to it', () => {
    const actions = fc.array(
      fc.record({
        kind: fc.constantFrom('add', 'add', 'take', 'hold', 'release', 'priority', 'move', 'serve'),
        pick: fc.nat(20),
        priority: fc.nat(2),
      }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(actions, (list) => {
        const farm = createFarm(CONFIG);
        // Never equal: between equals the age of a lane decides, which a sorted list does not know.
        for (const [at, owner] of OWNERS.entries()) ownerOf(farm, owner).share = at / 10;
        const jobs: Job[] = [];
        for (const { kind, pick, priority } of list) {
          if (kind === 'add') jobs.push(queued(farm, jobs.length + 1, priority, OWNERS[pick % 3]));
          const job = kind === 'take' ? jobs.filter(belongsInQueue).sort((one, other) => (goesBefore(one, other) ? -1 : 1))[0] : jobs[pick];
          if (job === undefined) continue;
          if (kind === 'take') job.cursor = 1;
          if (kind === 'hold') job.held = true;
          if (kind === 'release') job.held = false;
          if (kind === 'priority') job.priority = priority;
          if (kind === 'serve') ownerOf(farm, OWNERS[pick % 3] ?? '').share += 1 + pick;
          if (kind === 'move') moveInQueue(farm, job, pick + priority / 4 - 0.1);
          updateQueue(farm, job);
          const expected = jobs.filter(belongsInQueue).sort((one, other) => (goesBefore(one, other) ? -1 : 1));
          const queueClass = job.shared.queueClass;
          expect(headOf(queueClass)).toBe(expected[0]);
          expect(firstJobs(queueClass, 1)).toEqual(expected.slice(0, 1));
          expect(firstJobs(queueClass, 99).sort((one, other) => (goesBefore(one, other) ? -1 : 1))).toEqual(expected);
        }
      }),
    );
  });
});
