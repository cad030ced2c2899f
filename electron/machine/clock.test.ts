import { expect, test } from 'vitest';
import { createManualClock } from '../../tests/fakes/clock.ts';
import { type ClockSources, createClock } from './clock.ts';

/** A computer that can sleep: the steady clock and the timers stand still then, the boot clock and the wall clock do not. */
function createComputer() {
  const awake = createManualClock();
  let sleptMs = 0;
  let bootErrorMs = 0;
  const sources: ClockSources = {
    wallMs: () => awake.wallMs() + sleptMs,
    steadyMs: () => awake.elapsedMs(),
    bootMs: () => 5_000_000 + awake.elapsedMs() + sleptMs + bootErrorMs,
    setTimer: (ms, callback) => {
      expect(ms).toBeLessThan(2 ** 31);
      return awake.after(ms, callback);
    },
  };
  return {
    clock: createClock(sources),
    awake,
    sleep(ms: number) {
      sleptMs += ms;
    },
    disturbBoot(ms: number) {
      bootErrorMs = ms;
    },
  };
}

test('elapsedMs goes on while the machine sleeps, once it has been awake for a second', () => {
  const { clock, awake, sleep } = createComputer();
  awake.advance(60_000);
  expect(clock.elapsedMs()).toBe(60_000);
  sleep(3_600_000);
  awake.advance(1_000);
  expect(clock.elapsedMs()).toBe(3_661_000);
  awake.advance(500);
  expect(clock.elapsedMs()).toBe(3_661_500);
});

test('elapsedMs does not notice the wall clock being set', () => {
  const { clock, awake } = createComputer();
  const wallBefore = clock.wallMs();
  awake.jumpWall(-86_400_000);
  awake.advance(2_000);
  expect(clock.wallMs()).toBe(wallBefore - 86_400_000 + 2_000);
  expect(clock.elapsedMs()).toBe(2_000);
});

test('a coarse or drifting boot clock adds nothing, and one that goes back takes nothing away', () => {
  const { clock, awake, disturbBoot } = createComputer();
  for (let second = 1; second <= 1_000; second++) {
    disturbBoot(second % 3 === 0 ? -999 : second);
    awake.advance(1_000);
    expect(clock.elapsedMs()).toBe(second * 1_000);
  }
  disturbBoot(-1_000_000);
  awake.advance(1_000);
  expect(clock.elapsedMs()).toBe(1_001_000);
});

test('a callback comes soon after waking when its time passed in sleep', () => {
  const { clock, awake, sleep } = createComputer();
  let calledAt: number | undefined;
  clock.after(3_600_000, () => {
    calledAt = clock.elapsedMs();
  });
  awake.advance(60_000);
  sleep(7_200_000);
  awake.advance(10_000);
  expect(calledAt).toBeGreaterThanOrEqual(7_260_000);
  expect(calledAt).toBeLessThanOrEqual(7_270_000);
});

test('waits longer than the runtime can count end on time', () => {
  const { clock, awake } = createComputer();
  const dayMs = 24 * 3_600_000;
  let calledAt: number | undefined;
  clock.after(30 * dayMs, () => {
    calledAt = clock.elapsedMs();
  });
  awake.advance(30 * dayMs - 1);
  expect(calledAt).toBeUndefined();
  awake.advance(1);
  expect(calledAt).toBe(30 * dayMs);
});

test('a timer of the runtime that fires early is set again', () => {
  const awake = createManualClock();
  let early = 0;
  const clock = createClock({
    wallMs: awake.wallMs,
    steadyMs: awake.elapsedMs,
    bootMs: awake.elapsedMs,
    setTimer: (ms, callback) => awake.after(early++ === 0 ? ms - 0.5 : ms, callback),
  });
  let calledAt: number | undefined;
  clock.after(100, () => {
    calledAt = clock.elapsedMs();
  });
  awake.advance(200);
  expect(calledAt).toBeGreaterThanOrEqual(100);
  expect(early).toBe(2);
});
