import { uptime } from 'node:os';
import type { Clock, Dispose } from '../ports/system.ts';

/** Where a clock's times come from; tests give their own. */
export interface ClockSources {
  /** Wall clock, ms since 1970. */
  wallMs(): number;
  /** Never goes back; may stand still while the machine sleeps. Finer than a millisecond. */
  steadyMs(): number;
  /** Goes on while the machine sleeps; may be as coarse as a second. */
  bootMs(): number;
  /** Calls back once after `ms`, at most `TIMER_STEP_MS`, of the steady time. */
  setTimer(ms: number, callback: () => void): Dispose;
}

/** How often, at most, the boot clock is looked at; reading it costs a system call or two. */
const SAMPLE_MS = 1_000;
/** A smaller lead of the boot clock is its coarseness and drift, and not sleep. */
const LEAST_SLEEP_MS = 2_000;
/**
 * The longest that one timer of the runtime is set for. Those stand still while the machine sleeps, so this is how late a
 * callback can be after waking; and it keeps clear of the 24.8 days at which `setTimeout` overflows.
 */
const TIMER_STEP_MS = 10_000;

const SYSTEM: ClockSources = {
  wallMs: Date.now,
  steadyMs: () => performance.now(),
  bootMs: () => uptime() * 1_000,
  setTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/**
 * The machine's clocks. `performance.now()` is fine and steady but stands still while Linux or macOS sleep; `os.uptime()`
 * goes on but is coarse. `elapsedMs` is the first, and whenever the second has moved ahead of it by more than two
 * seconds since it was last looked at, the difference was sleep and is added. Sleep shows within a second of waking.
 */
export function createClock(sources: ClockSources = SYSTEM): Clock {
  let sampledSteadyMs = sources.steadyMs();
  let sampledBootMs = sources.bootMs();
  let sleptMs = 0;

  const elapsedMs = (): number => {
    const steadyMs = sources.steadyMs();
    if (steadyMs - sampledSteadyMs >= SAMPLE_MS) {
      const bootMs = sources.bootMs();
      const leadMs = bootMs - sampledBootMs - (steadyMs - sampledSteadyMs);
      if (leadMs > LEAST_SLEEP_MS) sleptMs += leadMs;
      sampledSteadyMs = steadyMs;
      sampledBootMs = bootMs;
    }
    return steadyMs + sleptMs;
  };

  return {
    wallMs: () => sources.wallMs(),
    elapsedMs,
    after(ms, callback) {
      if (Number.isNaN(ms)) throw new Error('after: ms is not a number');
      const deadlineMs = elapsedMs() + ms;
      let dispose: Dispose = () => {};
      const arm = (): void => {
        const restMs = Math.ceil(Math.max(0, deadlineMs - elapsedMs()));
        dispose = sources.setTimer(Math.min(restMs, TIMER_STEP_MS), () => (elapsedMs() < deadlineMs ? arm() : callback()));
      };
      arm();
      return () => dispose();
    },
  };
}
