import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OWNER_CONDITIONS, OWNER_LEVELS, type OwnerCondition, type OwnerLevel, parseLadder, parseSchedule } from '../../shared/owner.ts';
import { type OwnerDecision, type OwnerRules, type OwnerSignals, type OwnerState, ownerStep } from './owner.ts';

function ladder(text: string) {
  const parsed = parseLadder(text);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

const IGNORE_ALL = { schedule: [], active: [], battery: [], busy: [], paused: [] };
const CALM: OwnerSignals = { minuteOfWeek: 0, userIdleMs: 3_600_000, onBattery: false, othersPercent: 0, paused: false };

function machine(changes: Partial<Record<OwnerCondition, string>>, more: Partial<OwnerRules> = {}) {
  const ladders = Object.fromEntries(Object.entries(changes).map(([condition, text]) => [condition, ladder(text)]));
  const rules: OwnerRules = {
    schedule: parseSchedule('mo-su 18:00-08:00') as OwnerRules['schedule'],
    ladders: { ...IGNORE_ALL, ...ladders },
    idleAfterMs: 300_000,
    busyPercent: 50,
    clearMs: 30_000,
    ...more,
  };
  const state: OwnerState = new Map();
  return (nowMs: number, signals: Partial<OwnerSignals> = {}): OwnerDecision => ownerStep(state, rules, { ...CALM, ...signals }, nowMs);
}

describe('the owner goes first', () => {
  test('somebody comes, and the work climbs the ladder until it is handed back; when nobody is there it may come again', () => {
    const look = machine({ active: 'slow 1m pause 10m return' });
    expect(look(0)).toEqual({ level: 'run', availability: 'available', nextMs: undefined });
    expect(look(1_000, { userIdleMs: 0 })).toEqual({ level: 'slow', availability: 'owner-active', nextMs: 61_000 });
    expect(look(60_999, { userIdleMs: 100 }).level).toBe('slow');
    expect(look(61_000, { userIdleMs: 100 })).toMatchObject({ level: 'pause', nextMs: 661_000 });
    expect(look(661_000, { userIdleMs: 100 })).toEqual({ level: 'return', availability: 'owner-active', nextMs: undefined });
    expect(look(961_000, { userIdleMs: 299_999 }).level).toBe('return');
    expect(look(961_001, { userIdleMs: 300_000 })).toMatchObject({ level: 'run', availability: 'available' });
    // Another visit begins at the foot of the ladder.
    expect(look(961_002, { userIdleMs: 0 }).level).toBe('slow');
  });

  test('where nobody can tell whether somebody is there, somebody may be', () => {
    expect(machine({ active: 'pause' })(0, { userIdleMs: undefined }).availability).toBe('owner-active');
    expect(machine({})(0, { userIdleMs: undefined }).availability).toBe('available');
  });

  test('outside the hours work is handed back, and at their beginning it may come at once', () => {
    const look = machine({ schedule: 'return' });
    expect(look(0, { minuteOfWeek: 12 * 60 })).toMatchObject({ level: 'return', availability: 'outside-schedule' });
    expect(look(1, { minuteOfWeek: 18 * 60 })).toMatchObject({ level: 'run', availability: 'available' });
  });

  test('a battery and a load must be over for a while; a load at its bound does not come and go', () => {
    const battery = machine({ battery: 'pause 5m return' });
    expect(battery(0, { onBattery: true }).level).toBe('pause');
    expect(battery(10_000)).toMatchObject({ level: 'pause', availability: 'on-battery', nextMs: 40_000 });
    expect(battery(20_000, { onBattery: true }).level).toBe('pause');
    expect(battery(30_000).level).toBe('pause');
    expect(battery(60_000)).toMatchObject({ level: 'run', nextMs: undefined });

    const busy = machine({ busy: 'slow' });
    expect(busy(0, { othersPercent: 50 }).level).toBe('run');
    expect(busy(1, { othersPercent: 51 })).toMatchObject({ level: 'slow', availability: 'owner-active' });
    expect(busy(100_000, { othersPercent: 41 }).level).toBe('slow');
    expect(busy(200_000, { othersPercent: 39 }).level).toBe('slow');
    expect(busy(230_000, { othersPercent: 39 }).level).toBe('run');
  });

  test('of several conditions the one that asks for most counts, and names the reason', () => {
    const look = machine({ active: 'slow 1m pause', battery: 'return', paused: 'pause' });
    expect(look(0, { userIdleMs: 0, paused: true })).toMatchObject({ level: 'pause', availability: 'owner-paused' });
    expect(look(1, { userIdleMs: 0, paused: true, onBattery: true })).toMatchObject({ level: 'return', availability: 'on-battery' });
    expect(look(40_000, { userIdleMs: 0 })).toMatchObject({ level: 'return' });
    expect(look(70_001, { userIdleMs: 0 })).toMatchObject({ level: 'pause', availability: 'owner-active' });
  });
});

describe('properties of every run', () => {
  const steps = fc.array(fc.constantFrom('30s', '1m', '10m'), { minLength: 2, maxLength: 2 });
  const ladderText = fc
    .tuple(fc.subarray(['slow', 'pause', 'return']), steps)
    .map(([levels, durations]) =>
      levels.length === 0
        ? 'ignore'
        : levels.map((level, at) => (at === levels.length - 1 ? level : `${level} ${durations[at]}`)).join(' '),
    );
  const rules = fc.record({ schedule: ladderText, active: ladderText, battery: ladderText, busy: ladderText, paused: ladderText });
  const signals = fc.record({
    minuteOfWeek: fc.constantFrom(0, 12 * 60, 20 * 60),
    userIdleMs: fc.constantFrom(undefined, 0, 299_999, 300_000),
    onBattery: fc.constantFrom(undefined, false, true),
    othersPercent: fc.constantFrom(undefined, 0, 45, 50, 80),
    paused: fc.boolean(),
  });
  const looks = fc.array(fc.tuple(fc.integer({ min: 1, max: 120_000 }), signals), { minLength: 1, maxLength: 40 });
  const rank = (level: OwnerLevel) => OWNER_LEVELS.indexOf(level);
  const plainly = (condition: OwnerCondition, signal: OwnerSignals): boolean =>
    ({
      schedule: signal.minuteOfWeek === 12 * 60,
      active: signal.userIdleMs === undefined || signal.userIdleMs < 300_000,
      battery: signal.onBattery === true,
      busy: (signal.othersPercent ?? 0) > 50,
      paused: signal.paused,
    })[condition];

  test('no condition that holds is overlooked, however long it has held, and none that does not count has a say', () => {
    fc.assert(
      fc.property(rules, looks, (texts, run) => {
        const look = machine(texts);
        const since = new Map<OwnerCondition, number>();
        let nowMs = 0;
        for (const [waitMs, signal] of run) {
          nowMs += waitMs;
          const decision = look(nowMs, signal);
          let least = 0;
          for (const condition of OWNER_CONDITIONS) {
            const steps = ladder(texts[condition]);
            if (!plainly(condition, signal)) since.delete(condition);
            else if (!since.has(condition)) since.set(condition, nowMs);
            const heldMs = nowMs - (since.get(condition) ?? nowMs);
            if (!since.has(condition) || steps.length === 0) continue;
            least = Math.max(least, ...steps.filter(({ afterMs }) => afterMs <= heldMs).map(({ level }) => rank(level)));
          }
          expect(rank(decision.level)).toBeGreaterThanOrEqual(least);
          expect(decision.availability === 'available').toBe(decision.level === 'run');
          if (decision.nextMs !== undefined) expect(decision.nextMs).toBeGreaterThan(nowMs);
        }
      }),
    );
  });

  test('the level falls only when a condition is over, and all is free again once the machine was left alone for long enough', () => {
    fc.assert(
      fc.property(rules, looks, (texts, run) => {
        const look = machine(texts);
        let nowMs = 0;
        let before: { readonly level: OwnerLevel; readonly signal: OwnerSignals } | undefined;
        for (const [waitMs, signal] of run) {
          nowMs += waitMs;
          const { level } = look(nowMs, signal);
          if (before !== undefined && rank(level) < rank(before.level)) {
            const { signal: earlier } = before;
            const ended = OWNER_CONDITIONS.filter((condition) => !plainly(condition, signal));
            expect(ended.length, JSON.stringify(earlier)).toBeGreaterThan(0);
          }
          before = { level, signal };
        }
        look(nowMs + 1, CALM);
        expect(look(nowMs + 30_001, CALM)).toEqual({ level: 'run', availability: 'available', nextMs: undefined });
      }),
    );
  });

  test('asking again at the same moment changes nothing, and at `nextMs` it does', () => {
    fc.assert(
      fc.property(rules, looks, (texts, run) => {
        const look = machine(texts);
        let nowMs = 0;
        for (const [waitMs, signal] of run) {
          nowMs += waitMs;
          const decision = look(nowMs, signal);
          expect(look(nowMs, signal)).toEqual(decision);
          if (decision.nextMs === undefined || decision.nextMs > nowMs + 60_000) continue;
          // Until then time alone changes nothing.
          expect(look(decision.nextMs - 1, signal)).toEqual(decision);
          nowMs = decision.nextMs;
          expect(look(nowMs, signal)).not.toEqual(decision);
        }
      }),
    );
  });
});
