import { describe, expect, test } from 'vitest';
import type { AttemptId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import type { Assignment, AttemptEnd, Report, Work } from '../../shared/protocol.ts';
import type { WorkerEffect, WorkerEvent } from './worker-events.ts';
import { workerViolations } from './worker-invariants.ts';
import { createWorkerState, heldAttempts, workerDeadline, workerStep } from './worker-step.ts';

const FIRST = '7.0.1' as AttemptId;
const SECOND = '7.1.1' as AttemptId;

const work: Work = {
  name: 'render',
  owner: 'ana',
  command: 'true',
  image: null,
  input: null,
  files: [],
  env: {},
  workdir: '.',
  outputs: [],
  requirements: { cpu: 1, ramMb: 64, gpus: 0, gpuRamMb: 0, diskMb: 0, labels: [], limits: {} },
  timeoutMs: 60_000,
  network: false,
};
const completed: AttemptEnd = {
  reason: 'completed',
  exitCode: 0,
  message: null,
  outputs: [{ path: 'a.png', bytes: 1, blob: 'a'.repeat(64) as never }],
  started: true,
  ranForMs: 5,
  cpuMs: null,
  peakRamMb: null,
  logBytes: 12,
};
const failed: AttemptEnd = { ...completed, reason: 'exit', exitCode: 3, outputs: [] };

const assignment = (attempt: AttemptId): Assignment => ({ attempt, parameters: {}, gpus: [], files: [] });
const assigned = (...attempts: AttemptId[]): WorkerEvent => ({ type: 'assigned', groups: [{ work, attempts: attempts.map(assignment) }] });
const ended = (attempt: AttemptId, end: AttemptEnd): WorkerEffect => report({ kind: 'ended', attempt, end });
const report = (value: Report): WorkerEffect => ({ type: 'report', report: value });

const SHARED = { attempts: 20_000, cpu: 20_000, ramMb: 2_000_000 };

/** A worker whose invariants are checked after every event. */
function worker(longestRunMs: number = LIMITS.timeoutMs, shared = SHARED) {
  const state = createWorkerState({ stopGraceMs: 5_000, longestRunMs, shared });
  const at = (elapsedMs: number, event: WorkerEvent) => {
    const effects = workerStep(state, event, { wallMs: 0, elapsedMs });
    expect(workerViolations(state)).toEqual([]);
    return effects;
  };
  const send = (event: WorkerEvent) => at(0, event);
  return { state, at, send };
}

function connectedWorker() {
  const made = worker();
  made.send({ type: 'connected', stop: [] });
  return made;
}

describe('an attempt', () => {
  test('runs, is reported as it goes, and is kept until its end is acknowledged', () => {
    const { state, send } = connectedWorker();
    expect(send(assigned(FIRST))).toEqual([{ type: 'run', assignment: assignment(FIRST), work }]);
    expect(heldAttempts(state)).toEqual([{ attempt: FIRST, state: 'preparing' }]);
    const phase = { phase: 'fetching', done: 1, total: 2 } as const;
    expect(send({ type: 'phase', attempt: FIRST, phase })).toEqual([report({ kind: 'phase', attempt: FIRST, phase })]);
    expect(send({ type: 'started', attempt: FIRST })).toEqual([report({ kind: 'started', attempt: FIRST })]);
    expect(heldAttempts(state)).toEqual([{ attempt: FIRST, state: 'running' }]);
    expect(send({ type: 'finished', attempt: FIRST, end: completed })).toEqual([ended(FIRST, completed)]);
    expect(heldAttempts(state)).toEqual([{ attempt: FIRST, state: 'ended' }]);
    expect(send({ type: 'acknowledged', attempts: [FIRST] })).toEqual([{ type: 'forget', attempt: FIRST }]);
    expect(heldAttempts(state)).toEqual([]);
  });

  test('is started once however often it is assigned', () => {
    const { send } = connectedWorker();
    send(assigned(FIRST));
    expect(send(assigned(FIRST))).toEqual([]);
    send({ type: 'finished', attempt: FIRST, end: completed });
    expect(send(assigned(FIRST))).toEqual([]);
  });

  test('ends once: what comes after its end changes nothing', () => {
    const { send } = connectedWorker();
    send(assigned(FIRST));
    send({ type: 'finished', attempt: FIRST, end: completed });
    expect(send({ type: 'finished', attempt: FIRST, end: failed })).toEqual([]);
    expect(send({ type: 'started', attempt: FIRST })).toEqual([]);
    expect(send({ type: 'phase', attempt: FIRST, phase: { phase: 'running', done: 0, total: 0 } })).toEqual([]);
    expect(send({ type: 'connected', stop: [] })).toEqual([ended(FIRST, completed)]);
  });

  test('that runs is not forgotten by an acknowledgement', () => {
    const { state, send } = connectedWorker();
    send(assigned(FIRST));
    expect(send({ type: 'acknowledged', attempts: [FIRST, SECOND] })).toEqual([]);
    expect(heldAttempts(state)).toHaveLength(1);
  });

  test('that did not complete has no outputs', () => {
    const { send } = connectedWorker();
    send(assigned(FIRST));
    const end = { ...failed, outputs: completed.outputs };
    expect(send({ type: 'finished', attempt: FIRST, end })).toEqual([ended(FIRST, failed)]);
  });
});

describe('a stop', () => {
  test('ends the attempt once, and its reason wins over what the executor says', () => {
    const { send } = connectedWorker();
    send(assigned(FIRST));
    send({ type: 'started', attempt: FIRST });
    const stop: WorkerEvent = { type: 'stop', attempt: FIRST, reason: 'cancelled', graceMs: 100 };
    expect(send(stop)).toEqual([{ type: 'end', attempt: FIRST, reason: 'cancelled', graceMs: 100 }]);
    expect(send(stop)).toEqual([]);
    expect(send({ ...stop, reason: 'preempted' })).toEqual([]);
    const end: AttemptEnd = { ...completed, reason: 'cancelled', outputs: [] };
    expect(send({ type: 'finished', attempt: FIRST, end: completed })).toEqual([ended(FIRST, end)]);
  });

  test('that comes after the end leaves the end as it was', () => {
    const { send } = connectedWorker();
    send(assigned(FIRST));
    send({ type: 'finished', attempt: FIRST, end: completed });
    expect(send({ type: 'stop', attempt: FIRST, reason: 'cancelled', graceMs: 0 })).toEqual([]);
    expect(send({ type: 'connected', stop: [] })).toEqual([ended(FIRST, completed)]);
  });

  test('of an unknown attempt does nothing', () => {
    const { send } = connectedWorker();
    expect(send({ type: 'stop', attempt: FIRST, reason: 'cancelled', graceMs: 0 })).toEqual([]);
  });
});

describe('the timeout', () => {
  test('counts from the start of the command', () => {
    const { state, at } = connectedWorker();
    at(0, assigned(FIRST));
    expect(workerDeadline(state)).toBeUndefined();
    at(10_000, { type: 'started', attempt: FIRST });
    expect(workerDeadline(state)).toBe(70_000);
    expect(at(69_999, { type: 'time-passed' })).toEqual([]);
    expect(at(70_000, { type: 'time-passed' })).toEqual([{ type: 'end', attempt: FIRST, reason: 'timeout', graceMs: 5_000 }]);
    expect(workerDeadline(state)).toBeUndefined();
    expect(at(80_000, { type: 'time-passed' })).toEqual([]);
    const end: AttemptEnd = { ...failed, reason: 'timeout', message: 'ran longer than its 60000 ms' };
    expect(at(81_000, { type: 'finished', attempt: FIRST, end: failed })).toEqual([ended(FIRST, end)]);
  });

  test('is the earliest of several, and the shorter of job and owner', () => {
    const { state, at } = worker(20_000);
    at(0, assigned(FIRST, SECOND));
    at(5_000, { type: 'started', attempt: SECOND });
    at(6_000, { type: 'started', attempt: FIRST });
    expect(workerDeadline(state)).toBe(25_000);
  });

  test('does not count while outputs travel', () => {
    const { state, at } = connectedWorker();
    at(0, assigned(FIRST));
    at(0, { type: 'started', attempt: FIRST });
    at(1, { type: 'phase', attempt: FIRST, phase: { phase: 'collecting', done: 0, total: 0 } });
    expect(workerDeadline(state)).toBeUndefined();
    expect(at(90_000, { type: 'time-passed' })).toEqual([]);
  });
});

describe('without a connection', () => {
  test('attempts go on, and what happened is told at the next one', () => {
    const { send } = connectedWorker();
    send(assigned(FIRST, SECOND));
    send({ type: 'disconnected' });
    expect(send({ type: 'started', attempt: FIRST })).toEqual([]);
    expect(send({ type: 'started', attempt: SECOND })).toEqual([]);
    expect(send({ type: 'phase', attempt: FIRST, phase: { phase: 'running', done: 0, total: 0 } })).toEqual([]);
    expect(send({ type: 'finished', attempt: FIRST, end: failed })).toEqual([]);
    expect(send({ type: 'connected', stop: [] })).toEqual([ended(FIRST, failed), report({ kind: 'started', attempt: SECOND })]);
  });

  test('an end that was sent and not acknowledged is sent again', () => {
    const { send } = connectedWorker();
    send(assigned(FIRST));
    expect(send({ type: 'finished', attempt: FIRST, end: failed })).toEqual([ended(FIRST, failed)]);
    send({ type: 'disconnected' });
    expect(send({ type: 'connected', stop: [] })).toEqual([ended(FIRST, failed)]);
  });

  test('attempts that the coordinator gave up end and are forgotten without a report', () => {
    const { state, send } = connectedWorker();
    send(assigned(FIRST, SECOND));
    send({ type: 'finished', attempt: SECOND, end: failed });
    send({ type: 'disconnected' });
    expect(send({ type: 'connected', stop: [FIRST, SECOND, '9.9.9' as AttemptId] })).toEqual([
      { type: 'end', attempt: FIRST, reason: 'node-lost', graceMs: 5_000 },
      { type: 'forget', attempt: SECOND },
    ]);
    expect(heldAttempts(state)).toEqual([{ attempt: FIRST, state: 'preparing' }]);
    expect(send({ type: 'started', attempt: FIRST })).toEqual([]);
    expect(send({ type: 'finished', attempt: FIRST, end: completed })).toEqual([{ type: 'forget', attempt: FIRST }]);
    expect(heldAttempts(state)).toEqual([]);
  });
});

describe('while attempts that were given up are ending', () => {
  function returnedWorker() {
    const made = connectedWorker();
    made.send(assigned(FIRST));
    made.send({ type: 'disconnected' });
    made.send({ type: 'connected', stop: [FIRST] });
    return made;
  }

  test('new ones wait for what those hold', () => {
    const { state, send } = returnedWorker();
    expect(send(assigned(SECOND))).toEqual([]);
    expect(heldAttempts(state)).toContainEqual({ attempt: SECOND, state: 'preparing' });
    expect(send({ type: 'finished', attempt: FIRST, end: failed })).toEqual([
      { type: 'forget', attempt: FIRST },
      { type: 'run', assignment: assignment(SECOND), work },
    ]);
  });

  test('a new one that is stopped ends at once', () => {
    const { send } = returnedWorker();
    send(assigned(SECOND));
    expect(send({ type: 'stop', attempt: SECOND, reason: 'cancelled', graceMs: 100 })).toMatchObject([
      { type: 'report', report: { kind: 'ended', attempt: SECOND, end: { reason: 'cancelled' } } },
    ]);
    expect(send({ type: 'finished', attempt: FIRST, end: failed })).toEqual([{ type: 'forget', attempt: FIRST }]);
  });
});

describe('shutdown', () => {
  test('ends everything and says goodbye after the last report', () => {
    const { send } = connectedWorker();
    send(assigned(FIRST, SECOND));
    expect(send({ type: 'shutdown', reason: 'owner-interrupted' })).toEqual([
      { type: 'end', attempt: FIRST, reason: 'owner-interrupted', graceMs: 5_000 },
      { type: 'end', attempt: SECOND, reason: 'owner-interrupted', graceMs: 5_000 },
    ]);
    const end: AttemptEnd = { ...failed, reason: 'owner-interrupted' };
    expect(send({ type: 'finished', attempt: FIRST, end: failed })).toEqual([ended(FIRST, end)]);
    expect(send({ type: 'finished', attempt: SECOND, end: failed })).toEqual([ended(SECOND, end), { type: 'say-goodbye' }]);
    expect(send({ type: 'shutdown', reason: 'owner-interrupted' })).toEqual([]);
  });

  test('with nothing to end says goodbye at once, and takes nothing more', () => {
    const { state, send } = connectedWorker();
    expect(send({ type: 'shutdown', reason: 'owner-interrupted' })).toEqual([{ type: 'say-goodbye' }]);
    expect(send(assigned(FIRST))).toEqual([]);
    expect(heldAttempts(state)).toEqual([]);
  });
});

test('a worker that holds as many attempts as it may refuses more', () => {
  const { state, send } = connectedWorker();
  const ids = Array.from({ length: LIMITS.unacknowledgedEnds }, (_, index) => `7.${index}.1` as AttemptId);
  send(assigned(...ids));
  const more = '7.99999.1' as AttemptId;
  expect(send(assigned(more))).toMatchObject([{ type: 'report', report: { attempt: more, end: { reason: 'infrastructure' } } }]);
  expect(heldAttempts(state)).toHaveLength(LIMITS.unacknowledgedEnds);
});

test('invariants name what is wrong', () => {
  const { state, send } = connectedWorker();
  send(assigned(FIRST));
  const attempt = state.attempts.get(FIRST);
  if (attempt === undefined) throw new Error('the attempt is not held');
  attempt.deadlineMs = 1;
  attempt.end = completed;
  expect(workerViolations(state)).toEqual([
    `attempt ${FIRST} is preparing with an end`,
    `attempt ${FIRST} is preparing and has a deadline`,
  ]);
});

describe('the owner of the machine', () => {
  const owner = (level: 'run' | 'slow' | 'pause' | 'return'): WorkerEvent => ({
    type: 'owner',
    level,
    availability: level === 'run' ? 'available' : 'owner-active',
  });

  function running() {
    const made = connectedWorker();
    made.send(assigned(FIRST));
    made.send({ type: 'started', attempt: FIRST });
    return made;
  }

  test('slows, freezes and frees what runs, and a frozen command loses none of its time', () => {
    const { state, at } = running();
    expect(workerDeadline(state)).toBe(60_000);
    expect(at(10_000, owner('slow'))).toEqual([{ type: 'throttle', attempt: FIRST, level: 'slow' }]);
    expect(at(15_000, owner('slow'))).toEqual([]);
    expect(at(20_000, owner('pause'))).toEqual([
      { type: 'throttle', attempt: FIRST, level: 'pause' },
      report({ kind: 'phase', attempt: FIRST, phase: { phase: 'paused', done: 0, total: 0 } }),
    ]);
    expect(workerDeadline(state)).toBeUndefined();
    expect(at(500_000, { type: 'time-passed' })).toEqual([]);
    expect(at(500_000, owner('run'))).toEqual([
      { type: 'throttle', attempt: FIRST, level: 'run' },
      report({ kind: 'phase', attempt: FIRST, phase: { phase: 'running', done: 0, total: 0 } }),
    ]);
    expect(workerDeadline(state)).toBe(540_000);
  });

  test('has it handed back, which is no fault of anybody', () => {
    const { at } = running();
    at(0, owner('pause'));
    expect(at(1, owner('return'))).toEqual([{ type: 'end', attempt: FIRST, reason: 'owner-interrupted', graceMs: 5_000 }]);
    expect(at(2, { type: 'finished', attempt: FIRST, end: { ...completed, reason: 'exit' } })).toEqual([
      ended(FIRST, { ...completed, reason: 'owner-interrupted', message: null, outputs: [] }),
    ]);
  });

  test('sends back at once what has not begun, and takes nothing new', () => {
    const { send } = connectedWorker();
    send(assigned(FIRST));
    expect(send(owner('slow'))).toEqual([{ type: 'end', attempt: FIRST, reason: 'owner-interrupted', graceMs: 5_000 }]);
    expect(send(assigned(SECOND))).toEqual([
      report({ kind: 'ended', attempt: SECOND, end: expect.objectContaining({ reason: 'owner-interrupted' }) }),
    ]);
    send(owner('run'));
    expect(send(assigned(SECOND))).toEqual([expect.objectContaining({ type: 'run' })]);
  });

  test('is not asked again by a coordinator that comes back: it hears what is frozen', () => {
    const { send } = running();
    send({ type: 'disconnected' });
    expect(send(owner('pause'))).toEqual([{ type: 'throttle', attempt: FIRST, level: 'pause' }]);
    expect(send({ type: 'connected', stop: [] })).toEqual([
      report({ kind: 'started', attempt: FIRST }),
      report({ kind: 'phase', attempt: FIRST, phase: { phase: 'paused', done: 0, total: 0 } }),
    ]);
  });

  test('shares so much and no more, whatever the coordinator believes', () => {
    const { send } = worker(LIMITS.timeoutMs, { attempts: 2, cpu: 2.5, ramMb: 160 });
    send({ type: 'connected', stop: [] });
    const refusalOf = (effects: readonly WorkerEffect[]) =>
      effects.flatMap((effect) => (effect.type === 'report' && effect.report.kind === 'ended' ? [effect.report.end.message] : []));
    expect(refusalOf(send(assigned(FIRST, SECOND)))).toEqual([]);
    const third = '7.2.1' as AttemptId;
    expect(refusalOf(send(assigned(third)))).toEqual(['the owner of the machine shares no more than 2 tasks at once']);
    send({ type: 'finished', attempt: SECOND, end: completed });
    expect(refusalOf(send(assigned(third)))).toEqual([]);
    send({ type: 'finished', attempt: third, end: completed });
    // Those of one message count too.
    expect(refusalOf(send(assigned('7.3.1' as AttemptId, '7.4.1' as AttemptId)))).toEqual([
      'the owner of the machine shares no more than 2 tasks at once',
    ]);
    const one = worker(LIMITS.timeoutMs, { attempts: 9, cpu: 2.5, ramMb: 160 });
    one.send({ type: 'connected', stop: [] });
    const large = (requirements: Partial<Work['requirements']>): WorkerEvent => ({
      type: 'assigned',
      groups: [{ work: { ...work, requirements: { ...work.requirements, ...requirements } }, attempts: [assignment(FIRST)] }],
    });
    expect(refusalOf(one.send(large({ cpu: 2.6 })))).toEqual(['the owner of the machine shares no more than 2.5 CPU cores']);
    expect(refusalOf(one.send(large({ ramMb: 161 })))).toEqual(['the owner of the machine shares no more than 160 MiB of memory']);
  });
});
