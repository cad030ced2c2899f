import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CanaryPlan, canaryTasks } from '../../shared/canary.ts';
import type { JobId, NodeId } from '../../shared/ids.ts';
import { END_REASONS, type EndReason } from '../../shared/job.ts';
import type { CoordinatorEvent, Until } from './events.ts';
import { beat, description, end, held, keyOf, newJob, policy, TestFarm } from './farm.fixture.ts';
import { assignedTo, jobIds, jobRow, liveCanary, stoppingOn } from './queries.ts';

const NODES = ['ash', 'birch', 'cedar'];
const REASONS = Object.keys(END_REASONS) as EndReason[];
const number = (max: number) => fc.integer({ min: 0, max });

type Action =
  | { do: 'submit'; tasks: number; needs: number; priority: number; after: number; ready: boolean; canary: number }
  | { do: 'join' | 'leave' | 'beat' | 'goodbye' | 'remove' | 'drain' | 'shrink'; node: number }
  | { do: 'start' | 'cancel' | 'hold' | 'priority' | 'input' | 'approve'; pick: number; value: number }
  | { do: 'end'; pick: number; reason: EndReason }
  | { do: 'late'; pick: number }
  | { do: 'pass'; ms: number }
  | { do: 'restart' };

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    do: fc.constant('submit' as const),
    tasks: fc.integer({ min: 1, max: 6 }),
    needs: number(4),
    priority: number(2),
    after: number(8),
    ready: fc.boolean(),
    canary: number(2),
  }),
  fc.record({ do: fc.constantFrom('join', 'join', 'leave', 'beat', 'goodbye', 'remove', 'drain', 'shrink'), node: number(2) }),
  fc.record({ do: fc.constantFrom('start', 'start', 'cancel', 'hold', 'priority', 'input', 'approve'), pick: number(9), value: number(6) }),
  fc.record({ do: fc.constant('end' as const), pick: number(9), reason: fc.constantFrom('completed' as const, ...REASONS) }),
  fc.record({ do: fc.constant('late' as const), pick: number(9) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 5_000, 31_000, 700_000, 4_000_000) }),
  fc.record({ do: fc.constant('restart' as const) }),
);

const NEEDS = [
  policy(),
  policy({ cpu: 2.5 }),
  policy({ ramMb: 1_500, limits: { licence: 1 } }),
  policy({ gpus: 1 }, { maxRetries: 0 }),
  policy({ labels: ['fast'] }, { image: null }),
];

const CANARIES: readonly (CanaryPlan | null)[] = [
  null,
  { approval: 'automatic', least: {} },
  { approval: 'by-hand', least: { ramMb: 200 } },
];
const UNTIL: readonly Until[] = ['complete', 'ended', 'tasks'];

/** Turns an action into events that the farm could meet; attempts are chosen among those that live, or are long gone. */
function eventsOf(world: TestFarm, chosen: Action, nextJob: () => number, ended: string[]): CoordinatorEvent[] {
  const live = NODES.flatMap((node) => assignedTo(world.farm, node as NodeId));
  const jobs = jobIds(world.farm);
  switch (chosen.do) {
    case 'submit': {
      const dependency = jobs[chosen.after];
      const until = UNTIL[chosen.after % 3] ?? 'complete';
      const completed = dependency === undefined ? [] : world.completedOf(dependency);
      const after = dependency === undefined ? [] : [{ job: dependency, until, ended: null, completed }];
      const needs = NEEDS[chosen.needs] ?? policy();
      const inputReady = chosen.ready || chosen.priority > 0;
      return [
        {
          type: 'job-submitted',
          job: newJob(nextJob(), {
            ...{ taskCount: chosen.tasks, policy: needs, priority: chosen.priority, after, inputReady },
            canary: CANARIES[chosen.canary] ?? null,
          }),
        },
      ];
    }
    case 'join':
    case 'shrink': {
      const node = description(NODES[chosen.node] ?? 'ash', {
        cpu: chosen.do === 'join' ? 4 : 1,
        maxParallel: 3,
        gpus: [{ id: '0', model: 'g', ramMb: 8_000 }],
        labels: chosen.node === 0 ? { fast: '' } : {},
        executors: ['docker', 'host'],
      });
      const known = assignedTo(world.farm, node.id);
      const attempts = known.filter((_, at) => at % 2 === 0).map(({ attempt }) => held(attempt));
      if (chosen.do === 'shrink') return [{ type: 'node-described', node }];
      return [{ type: 'node-registered', node, carrier: chosen.node === 2 ? 'poll' : 'link', attempts, cached: [] }];
    }
    case 'beat':
      return [beat(NODES[chosen.node] ?? 'ash')];
    case 'leave':
      return [{ type: 'node-disconnected', node: NODES[chosen.node] as NodeId }];
    case 'goodbye':
      return [{ type: 'node-goodbye', node: NODES[chosen.node] as NodeId }];
    case 'remove':
      return [{ type: 'node-removed', node: NODES[chosen.node] as NodeId }];
    case 'drain':
      return [
        { type: 'node-admin', node: NODES[chosen.node] as NodeId, availability: world.now.wallMs % 2 === 0 ? 'draining' : 'available' },
      ];
    case 'start': {
      const attempt = live[chosen.pick];
      return attempt === undefined ? [] : [{ type: 'attempt-started', ...attempt }];
    }
    case 'end': {
      const attempt = live[chosen.pick];
      if (attempt === undefined) return [];
      ended.push(`${attempt.attempt}@${attempt.node}`);
      return [
        {
          type: 'attempt-ended',
          node: attempt.node,
          job: attempt.job,
          index: attempt.index,
          number: attempt.number,
          end: end(chosen.reason),
        },
      ];
    }
    case 'late': {
      const stopping = NODES.flatMap((node) => stoppingOn(world.farm, node as NodeId).map((attempt) => `${attempt}@${node}`));
      const [attempt, node] = ([...stopping, ...ended][chosen.pick] ?? '').split('@');
      if (attempt === undefined || node === undefined) return [];
      return [{ type: 'attempt-ended', node: node as NodeId, ...keyOf(attempt), end: end('completed') }];
    }
    case 'cancel': {
      const job = jobs[chosen.pick];
      if (job === undefined) return [];
      return [{ type: 'cancel', job, by: 'ann', ...(chosen.value === 6 ? {} : { index: chosen.value }) }];
    }
    case 'hold':
      return [{ type: 'hold', job: (jobs[chosen.pick] ?? 0) as JobId, held: chosen.value % 2 === 0 }];
    case 'approve':
      return [{ type: 'approve-canary', job: (jobs[chosen.pick] ?? 0) as JobId, needs: chosen.value > 3 ? { cpu: 2 } : {}, by: 'ann' }];
    case 'priority':
      return [{ type: 'set-priority', job: (jobs[chosen.pick] ?? 0) as JobId, priority: chosen.value }];
    case 'input': {
      const job = (jobs[chosen.pick] ?? 0) as JobId;
      if (chosen.value > 0) return [{ type: 'input-ready', job, input: 'f'.repeat(64) as never }];
      return [{ type: 'input-failed', job, message: 'no such host' }];
    }
    case 'restart':
      return [];
    case 'pass':
      world.now = { wallMs: world.now.wallMs + chosen.ms, elapsedMs: world.now.elapsedMs + chosen.ms };
      return [{ type: 'time-passed' }];
  }
}

/** Everything is well again, and every attempt completes: what can end ends. */
function letAllEnd(world: TestFarm): void {
  for (const job of jobIds(world.farm)) {
    world.turn({ type: 'hold', job, held: false }, { type: 'input-ready', job, input: 'f'.repeat(64) as never });
  }
  for (let round = 0; round < 200 && jobIds(world.farm).length > 0; round++) {
    world.now = { wallMs: world.now.wallMs + 1_000_000, elapsedMs: world.now.elapsedMs + 1_000_000 };
    world.turn({ type: 'time-passed' });
    world.join('ash', { labels: { fast: '' }, executors: ['docker', 'host'], gpus: [{ id: '0', model: 'g', ramMb: 8_000 }] });
    world.turn({ type: 'node-admin', node: 'ash' as NodeId, availability: 'available' });
    for (const { attempt } of assignedTo(world.farm, 'ash' as NodeId)) world.end(attempt);
    for (const job of jobIds(world.farm)) world.turn({ type: 'approve-canary', job, needs: {}, by: 'ann' });
  }
}

/** A restart loses nothing: every job has the state and the counts that it had. */
function restart(world: TestFarm): void {
  const canaries = jobIds(world.farm).map((job) => [job, liveCanary(world.farm, job)]);
  const before = jobIds(world.farm).map((job) => jobRow(world.farm, job));
  world.restart();
  for (const [job, canary] of canaries) expect(liveCanary(world.farm, job as JobId)).toEqual(canary);
  for (const row of before) {
    if (row === undefined) continue;
    const { state, counts, held: isHeld, priority, retries } = row;
    expect(jobRow(world.farm, row.id)).toMatchObject({ state, counts, held: isHeld, priority, retries });
  }
}

/** Remembers how attempts ended, and complains of what must not be. */
function referee(world: TestFarm, ends: Map<string, string>, completed: Set<string>): void {
  for (const { row } of world.of('save-attempt')) {
    const name = `${row.job}.${row.index}.${row.number}`;
    if (ends.has(name)) throw new Error(`attempt ${name} ended twice: ${ends.get(name)}, ${row.reason}`);
    ends.set(name, row.reason);
  }
  for (const { job, index } of world.of('assign')) {
    // Of a job with a canary nothing but its first tasks is placed before it is decided how the rest is to run.
    const isHeld = world.planOf(job) !== null && !world.decisions.has(job);
    const first = isHeld ? canaryTasks(world.jobRows.get(job)?.taskCount ?? 0) : [];
    if (first.length > 0 && !first.includes(index)) throw new Error(`task ${job}.${index} was placed before its canary was decided on`);
  }
  for (const { row } of world.of('save-task')) {
    const name = `${row.job}.${row.index}`;
    if (completed.has(name)) throw new Error(`task ${name} was complete and is ${row.state}`);
    if (row.state === 'COMPLETED') completed.add(name);
  }
}

test('whatever happens to a farm, in whatever order, its invariants hold, no attempt ends twice, and what can end ends', () => {
  fc.assert(
    fc.property(fc.array(action, { minLength: 20, maxLength: 150 }), (actions) => {
      const world = new TestFarm();
      const ended: string[] = [];
      const ends = new Map<string, string>();
      const completed = new Set<string>();
      let job = 0;
      world.join('ash', { labels: { fast: '' }, executors: ['docker', 'host'], maxParallel: 3 });
      for (const chosen of actions) {
        if (chosen.do === 'restart') restart(world);
        else world.turn(...eventsOf(world, chosen, () => ++job, ended));
        referee(world, ends, completed);
      }
      letAllEnd(world);
      expect(jobIds(world.farm)).toEqual([]);
    }),
    { numRuns: 100 },
  );
});
