import type { AttemptId } from '../../shared/ids.ts';
import type { EndReason } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import type { Availability } from '../../shared/node.ts';
import type { OwnerLevel } from '../../shared/owner.ts';
import { PassingMap } from '../../shared/passing-map.ts';
import type { Assignment, AssignmentGroup, AttemptEnd, Work } from '../../shared/protocol.ts';
import type { Now } from './events.ts';
import type { HeldAttempts, WorkerEffect, WorkerEvent } from './worker-events.ts';

export interface WorkerConfig {
  /** Time between asking an attempt to end and killing it, ms, where the coordinator did not name one. */
  readonly stopGraceMs: number;
  /** The owner's longest run of one attempt, ms; a job's own timeout counts when it is shorter. */
  readonly longestRunMs: number;
  /** What the owner shares of the machine; a coordinator that gives more is refused. */
  readonly shared: WorkerShare;
}

export interface WorkerShare {
  readonly attempts: number;
  /** CPU cores. */
  readonly cpu: number;
  readonly ramMb: number;
}

/** One attempt from its assignment until the coordinator has acknowledged its end. */
export interface WorkerAttempt {
  readonly id: AttemptId;
  readonly timeoutMs: number;
  readonly gpus: readonly string[];
  readonly needs: Pick<Work['requirements'], 'cpu' | 'ramMb'>;
  /** What `run` will say, while attempts that were given up still hold what this one was promised. */
  waiting: { readonly assignment: Assignment; readonly work: Work } | undefined;
  state: 'preparing' | 'running' | 'ended';
  /** Steady-clock ms at which its command has run too long; undefined while no command of it runs. */
  deadlineMs: number | undefined;
  /** What was left of its time when its command was frozen, ms; undefined while it is not. */
  frozenMs: number | undefined;
  /** Why it was asked to end; the first who asks is heard. */
  asked: EndReason | undefined;
  /** The coordinator has given it up: it ends without a report. */
  disowned: boolean;
  /** What is reported, once it is `ended`. */
  end: AttemptEnd | undefined;
}

/** A worker's memory. Its shell reads it only through the functions of this file. */
export interface WorkerState {
  readonly config: WorkerConfig;
  connected: boolean;
  /** Set by `shutdown`: nothing more is taken. */
  closing: EndReason | undefined;
  saidGoodbye: boolean;
  /** What the owner of the machine lets happen. */
  level: Exclude<OwnerLevel, 'return'>;
  availability: Availability;
  /** In the order of their assignment. */
  readonly attempts: PassingMap<AttemptId, WorkerAttempt>;
}

export function createWorkerState(config: WorkerConfig): WorkerState {
  return {
    config,
    connected: false,
    closing: undefined,
    saidGoodbye: false,
    level: 'run',
    availability: 'available',
    attempts: new PassingMap(),
  };
}

/** Tells the worker what happened, and returns what is to be done about it, in this order. */
export function workerStep(state: WorkerState, event: WorkerEvent, now: Now): WorkerEffect[] {
  const effects: WorkerEffect[] = [];
  switch (event.type) {
    case 'connected':
      connect(state, event.stop, effects);
      break;
    case 'disconnected':
      state.connected = false;
      break;
    case 'assigned':
      assignAll(state, event.groups, effects);
      runWaiting(state, effects);
      break;
    case 'stop': {
      const attempt = state.attempts.get(event.attempt);
      if (attempt !== undefined) askToEnd(state, attempt, event.reason, event.graceMs, effects);
      break;
    }
    case 'acknowledged':
      for (const id of event.attempts) if (state.attempts.get(id)?.state === 'ended') forget(state, id, effects);
      break;
    case 'phase':
      notePhase(state, event, effects);
      break;
    case 'started':
      start(state, event.attempt, now, effects);
      break;
    case 'finished':
      finish(state, event.attempt, event.end, effects);
      break;
    case 'time-passed':
      for (const attempt of state.attempts.values())
        if (attempt.deadlineMs !== undefined && attempt.deadlineMs <= now.elapsedMs)
          askToEnd(state, attempt, 'timeout', state.config.stopGraceMs, effects);
      break;
    case 'owner':
      obeyOwner(state, event, now, effects);
      break;
    case 'shutdown':
      state.closing ??= event.reason;
      for (const attempt of state.attempts.values()) askToEnd(state, attempt, event.reason, state.config.stopGraceMs, effects);
      break;
  }
  sayGoodbyeWhenDone(state, effects);
  return effects;
}

/** What `hello` names: all attempts that still run here, and those whose end is not acknowledged. */
export function heldAttempts(state: WorkerState): HeldAttempts {
  return [...state.attempts.values()].map(({ id, state, gpus }) => ({
    attempt: id,
    state,
    ...(gpus.length === 0 ? {} : { gpus: [...gpus] }),
  }));
}

/** @returns how an attempt has ended, as it is reported; undefined while it goes on, and when nobody wants to know any more */
export function endOfAttempt(state: WorkerState, attempt: AttemptId): AttemptEnd | undefined {
  return state.attempts.get(attempt)?.end;
}

/** @returns the steady-clock ms at which `time-passed` is due next; undefined when nothing waits for time. */
export function workerDeadline(state: WorkerState): number | undefined {
  let next: number | undefined;
  for (const { deadlineMs } of state.attempts.values())
    if (deadlineMs !== undefined && (next === undefined || deadlineMs < next)) next = deadlineMs;
  return next;
}

/** The coordinator knows again what it lost sight of: `started` and `ended` may have been on their way when the line broke. */
function connect(state: WorkerState, stop: readonly AttemptId[], effects: WorkerEffect[]): void {
  state.connected = true;
  for (const id of stop) disown(state, id, effects);
  for (const attempt of state.attempts.values()) {
    if (attempt.disowned) continue;
    if (attempt.state === 'running') effects.push({ type: 'report', report: { kind: 'started', attempt: attempt.id } });
    if (attempt.frozenMs !== undefined) notePause(state, attempt, 'paused', effects);
    if (attempt.end !== undefined) effects.push({ type: 'report', report: { kind: 'ended', attempt: attempt.id, end: attempt.end } });
  }
}

function disown(state: WorkerState, id: AttemptId, effects: WorkerEffect[]): void {
  const attempt = state.attempts.get(id);
  if (attempt === undefined) return;
  if (attempt.state === 'ended') {
    forget(state, id, effects);
    return;
  }
  attempt.disowned = true;
  askToEnd(state, attempt, 'node-lost', state.config.stopGraceMs, effects);
}

function assignAll(state: WorkerState, groups: readonly AssignmentGroup[], effects: WorkerEffect[]): void {
  const held = heldShare(state);
  for (const { work, attempts } of groups) for (const assignment of attempts) assign(state, assignment, work, held, effects);
}

/** @param held what all attempts hold that were taken before */
function assign(state: WorkerState, assignment: Assignment, work: Work, held: Share, effects: WorkerEffect[]): void {
  const id = assignment.attempt;
  // A held attempt is named again when the coordinator cannot know whether the first message arrived.
  if (state.attempts.has(id)) return;
  // Not refused: a refusal would free its place for the next assignment, over and over until the goodbye.
  if (state.closing !== undefined) return;
  if (state.attempts.size >= LIMITS.unacknowledgedEnds) {
    refuse(id, 'infrastructure', `the worker already holds ${state.attempts.size} attempts that are not acknowledged`, effects);
    return;
  }
  // It was on its way when the owner's word went out; the coordinator has heard of that before it hears of this.
  if (state.availability !== 'available') {
    refuse(id, 'owner-interrupted', `the owner of the machine keeps it (${state.availability})`, effects);
    return;
  }
  const excess = addToShare(held, work.requirements, state.config.shared);
  if (excess !== undefined) {
    refuse(id, 'limit-unavailable', `the owner of the machine shares no more than ${excess}`, effects);
    return;
  }
  state.attempts.set(id, {
    id,
    timeoutMs: Math.min(work.timeoutMs, state.config.longestRunMs),
    gpus: assignment.gpus ?? [],
    needs: work.requirements,
    waiting: { assignment, work },
    state: 'preparing',
    deadlineMs: undefined,
    frozenMs: undefined,
    asked: undefined,
    disowned: false,
    end: undefined,
  });
}

/** What attempts hold of the machine. */
interface Share {
  attempts: number;
  cpu: number;
  ramMb: number;
}

/** Attempts that the coordinator has given up do not count: what comes after them waits for them. */
function heldShare({ attempts }: WorkerState): Share {
  const share = { attempts: 0, cpu: 0, ramMb: 0 };
  for (const held of attempts.values()) {
    if (held.state === 'ended' || held.disowned) continue;
    share.attempts++;
    share.cpu += held.needs.cpu;
    share.ramMb += held.needs.ramMb;
  }
  return share;
}

/**
 * Adds one attempt, if there is room for it.
 * @returns what would be exceeded; undefined when it is added
 */
function addToShare(held: Share, needs: WorkerAttempt['needs'], shared: Readonly<Share>): string | undefined {
  const [attempts, cpu, ramMb] = [held.attempts + 1, held.cpu + needs.cpu, held.ramMb + needs.ramMb];
  if (attempts > shared.attempts) return `${shared.attempts} tasks at once`;
  // The coordinator counts thousandths of a core, and rounds up.
  if (cpu > shared.cpu + 1e-3) return `${shared.cpu} CPU cores`;
  if (ramMb > shared.ramMb) return `${shared.ramMb} MiB of memory`;
  Object.assign(held, { attempts, cpu, ramMb });
  return undefined;
}

/** The coordinator counts nothing for attempts it has given up, so what comes after them waits until they are gone. */
function runWaiting(state: WorkerState, effects: WorkerEffect[]): void {
  for (const { disowned } of state.attempts.values()) if (disowned) return;
  for (const attempt of state.attempts.values()) {
    if (attempt.waiting !== undefined) effects.push({ type: 'run', ...attempt.waiting });
    attempt.waiting = undefined;
  }
}

/** Reported once and not kept: should the report be lost, the next `hello` does not name the attempt, which says the same. */
function refuse(attempt: AttemptId, reason: EndReason, message: string, effects: WorkerEffect[]): void {
  const end = endWithoutRun(reason, message);
  effects.push({ type: 'report', report: { kind: 'ended', attempt, end } });
}

function endWithoutRun(reason: EndReason, message: string | null): AttemptEnd {
  return { reason, exitCode: null, message, outputs: [], started: false, ranForMs: 0, cpuMs: null, peakRamMb: null, logBytes: 0 };
}

/** Asks once; whoever comes later finds it ending already. */
function askToEnd(state: WorkerState, attempt: WorkerAttempt, reason: EndReason, graceMs: number, effects: WorkerEffect[]): void {
  if (attempt.state === 'ended' || attempt.asked !== undefined) return;
  attempt.asked = reason;
  forgetTime(attempt);
  if (attempt.waiting === undefined) effects.push({ type: 'end', attempt: attempt.id, reason, graceMs });
  else finish(state, attempt.id, endWithoutRun(reason, null), effects);
}

function notePhase(state: WorkerState, event: Extract<WorkerEvent, { type: 'phase' }>, effects: WorkerEffect[]): void {
  const attempt = state.attempts.get(event.attempt);
  if (attempt === undefined || attempt.state === 'ended') return;
  // The command is over; a slow network must not turn a finished render into a timeout.
  if (event.phase.phase === 'collecting' || event.phase.phase === 'uploading') forgetTime(attempt);
  if (state.connected && !attempt.disowned)
    effects.push({ type: 'report', report: { kind: 'phase', attempt: attempt.id, phase: event.phase } });
}

function start(state: WorkerState, id: AttemptId, now: Now, effects: WorkerEffect[]): void {
  const attempt = state.attempts.get(id);
  if (attempt?.state !== 'preparing') return;
  attempt.state = 'running';
  if (attempt.asked === undefined) attempt.deadlineMs = now.elapsedMs + attempt.timeoutMs;
  if (state.connected && !attempt.disowned) effects.push({ type: 'report', report: { kind: 'started', attempt: id } });
}

/**
 * The owner's word goes before all others: no coordinator is asked. What has not begun to run goes back at once, for nothing of it
 * is lost.
 */
function obeyOwner(
  state: WorkerState,
  { level, availability }: Extract<WorkerEvent, { type: 'owner' }>,
  now: Now,
  effects: WorkerEffect[],
): void {
  state.availability = availability;
  const before = state.level;
  // What is handed back gets its last seconds at the share that it has.
  if (level !== 'return') state.level = level;
  for (const attempt of state.attempts.values()) {
    if (level === 'return' || (availability !== 'available' && attempt.state === 'preparing'))
      askToEnd(state, attempt, 'owner-interrupted', state.config.stopGraceMs, effects);
    else if (level !== before && attempt.state === 'running') throttle(state, attempt, now, effects);
  }
}

/** The time in which a command is frozen is not its own. */
function throttle(state: WorkerState, attempt: WorkerAttempt, now: Now, effects: WorkerEffect[]): void {
  if (attempt.asked !== undefined) return;
  effects.push({ type: 'throttle', attempt: attempt.id, level: state.level });
  if (state.level === 'pause' && attempt.deadlineMs !== undefined) {
    attempt.frozenMs = Math.max(0, attempt.deadlineMs - now.elapsedMs);
    attempt.deadlineMs = undefined;
    notePause(state, attempt, 'paused', effects);
  } else if (state.level !== 'pause' && attempt.frozenMs !== undefined) {
    attempt.deadlineMs = now.elapsedMs + attempt.frozenMs;
    attempt.frozenMs = undefined;
    notePause(state, attempt, 'running', effects);
  }
}

function notePause(state: WorkerState, attempt: WorkerAttempt, phase: 'paused' | 'running', effects: WorkerEffect[]): void {
  if (!state.connected || attempt.disowned) return;
  effects.push({ type: 'report', report: { kind: 'phase', attempt: attempt.id, phase: { phase, done: 0, total: 0 } } });
}

function forgetTime(attempt: WorkerAttempt): void {
  attempt.deadlineMs = undefined;
  attempt.frozenMs = undefined;
}

function finish(state: WorkerState, id: AttemptId, said: AttemptEnd, effects: WorkerEffect[]): void {
  const attempt = state.attempts.get(id);
  if (attempt === undefined || attempt.state === 'ended') return;
  attempt.state = 'ended';
  forgetTime(attempt);
  attempt.waiting = undefined;
  if (attempt.disowned) {
    forget(state, id, effects);
    runWaiting(state, effects);
    return;
  }
  if (attempt.asked !== undefined) attempt.end = endAsAsked(attempt, attempt.asked, said);
  else attempt.end = said.reason === 'completed' ? said : { ...said, outputs: [] };
  if (state.connected) effects.push({ type: 'report', report: { kind: 'ended', attempt: id, end: attempt.end } });
}

/** A command that is told to end can end in any way, even with 0: who asked says why it ended, and there is no result. */
function endAsAsked(attempt: WorkerAttempt, reason: EndReason, said: AttemptEnd): AttemptEnd {
  const message = reason === 'timeout' ? `ran longer than its ${attempt.timeoutMs} ms` : said.reason === reason ? said.message : null;
  return { ...said, reason, message, outputs: [] };
}

function forget(state: WorkerState, id: AttemptId, effects: WorkerEffect[]): void {
  state.attempts.delete(id);
  effects.push({ type: 'forget', attempt: id });
}

function sayGoodbyeWhenDone(state: WorkerState, effects: WorkerEffect[]): void {
  if (state.closing === undefined || state.saidGoodbye) return;
  for (const attempt of state.attempts.values()) if (attempt.state !== 'ended') return;
  state.saidGoodbye = true;
  effects.push({ type: 'say-goodbye' });
}
