import type { Availability } from '../../shared/node.ts';
import {
  isWithin,
  type Ladder,
  OWNER_CONDITIONS,
  OWNER_LEVELS,
  type OwnerCondition,
  type OwnerLevel,
  type Schedule,
} from '../../shared/owner.ts';

/**
 * The owner of a machine goes before the farm. From what the machine senses this decides whether new work may come and what happens
 * to work that runs. Nothing that a coordinator says has a part in it.
 */
export interface OwnerRules {
  readonly schedule: Schedule;
  readonly ladders: Readonly<Record<OwnerCondition, Ladder>>;
  /** Nobody is at the machine when its last input is so long ago, ms. */
  readonly idleAfterMs: number;
  /** CPU that others than the farm's tasks use above which the machine is busy, percent of all cores. */
  readonly busyPercent: number;
  /** How long battery and load must be over before they count as over, ms. */
  readonly clearMs: number;
}

export interface OwnerSignals {
  /** By the machine's own wall clock, from Monday 00:00. */
  readonly minuteOfWeek: number;
  /** Since the last input of a person, ms; undefined: nobody can tell, and then somebody may be there. */
  readonly userIdleMs: number | undefined;
  /** Undefined: not known, as on machines without a battery. */
  readonly onBattery: boolean | undefined;
  /** CPU that others than the farm's tasks use, percent of all cores. */
  readonly othersPercent: number | undefined;
  /** The owner said so by hand. */
  readonly paused: boolean;
}

/** What the decision remembers: conditions that are in force. */
export type OwnerState = Map<OwnerCondition, { readonly sinceMs: number; clearSinceMs: number | undefined }>;

export interface OwnerDecision {
  readonly level: OwnerLevel;
  /** `available` only while no condition is in force. */
  readonly availability: Availability;
  /** Steady-clock ms at which time alone changes the decision next; undefined: only a signal can. */
  readonly nextMs: number | undefined;
}

const AVAILABILITY: Readonly<Record<OwnerCondition, Availability>> = {
  schedule: 'outside-schedule',
  active: 'owner-active',
  battery: 'on-battery',
  busy: 'owner-active',
  paused: 'owner-paused',
};
/** These come and go by themselves; the others are over when they are over. */
const SETTLES: ReadonlySet<OwnerCondition> = new Set(['battery', 'busy']);
/** A load that is in force is over only clearly below its bound, or a load at the bound would come and go. */
const BUSY_CLEAR_SHARE = 0.8;

/** Looks at the machine; to be called again when a signal changes, and at `nextMs`. */
export function ownerStep(state: OwnerState, rules: OwnerRules, signals: OwnerSignals, nowMs: number): OwnerDecision {
  for (const condition of OWNER_CONDITIONS) {
    if (rules.ladders[condition].length === 0) state.delete(condition);
    else note(state, condition, holds(condition, rules, signals, state.has(condition)), rules.clearMs, nowMs);
  }
  let level: OwnerLevel = 'run';
  let worst: OwnerCondition | undefined;
  let nextMs: number | undefined;
  const wake = (atMs: number) => {
    nextMs = Math.min(nextMs ?? atMs, atMs);
  };
  for (const [condition, { sinceMs, clearSinceMs }] of state) {
    if (clearSinceMs !== undefined) wake(clearSinceMs + rules.clearMs);
    for (const rung of rules.ladders[condition]) {
      if (sinceMs + rung.afterMs > nowMs) {
        wake(sinceMs + rung.afterMs);
        break;
      }
      if (worst !== undefined && OWNER_LEVELS.indexOf(rung.level) <= OWNER_LEVELS.indexOf(level)) continue;
      level = rung.level;
      worst = condition;
    }
  }
  return { level, availability: worst === undefined ? 'available' : AVAILABILITY[worst], nextMs };
}

function holds(condition: OwnerCondition, rules: OwnerRules, signals: OwnerSignals, inForce: boolean): boolean {
  switch (condition) {
    case 'schedule':
      return !isWithin(rules.schedule, signals.minuteOfWeek);
    case 'active':
      return signals.userIdleMs === undefined || signals.userIdleMs < rules.idleAfterMs;
    case 'battery':
      return signals.onBattery === true;
    case 'busy':
      return signals.othersPercent !== undefined && signals.othersPercent > rules.busyPercent * (inForce ? BUSY_CLEAR_SHARE : 1);
    case 'paused':
      return signals.paused;
  }
}

function note(state: OwnerState, condition: OwnerCondition, holdsNow: boolean, clearMs: number, nowMs: number): void {
  const known = state.get(condition);
  if (known === undefined) {
    if (holdsNow) state.set(condition, { sinceMs: nowMs, clearSinceMs: undefined });
    return;
  }
  if (holdsNow) {
    known.clearSinceMs = undefined;
    return;
  }
  known.clearSinceMs ??= nowMs;
  if (!SETTLES.has(condition) || nowMs - known.clearSinceMs >= clearMs) state.delete(condition);
}
