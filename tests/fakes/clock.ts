import type { Clock } from '../../electron/ports/system.ts';

/** A clock that stands still until it is told to go on. */
export interface ManualClock extends Clock {
  /** Both clocks go on by `ms`; what falls due is called on the way, at its own time and in order. */
  advance(ms: number): void;
  /** Somebody sets the wall clock; the steady one does not notice. */
  jumpWall(ms: number): void;
  /** Callbacks that wait. */
  readonly pending: number;
}

interface Waiting {
  readonly deadlineMs: number;
  readonly callback: () => void;
}

export function createManualClock(start: { readonly wallMs?: number; readonly elapsedMs?: number } = {}): ManualClock {
  let wallMs = start.wallMs ?? 1_700_000_000_000;
  let elapsedMs = start.elapsedMs ?? 0;
  const waiting = new Set<Waiting>();

  const goOnTo = (deadlineMs: number): void => {
    const step = Math.max(0, deadlineMs - elapsedMs);
    wallMs += step;
    elapsedMs += step;
  };
  /** The earliest that is due by then; of equal ones the one that was asked for first. */
  const nextDue = (untilMs: number): Waiting | undefined => {
    let next: Waiting | undefined;
    for (const one of waiting) if (one.deadlineMs <= untilMs && (next === undefined || one.deadlineMs < next.deadlineMs)) next = one;
    return next;
  };

  return {
    wallMs: () => wallMs,
    elapsedMs: () => elapsedMs,
    after(ms, callback) {
      if (Number.isNaN(ms)) throw new Error('after: ms is not a number');
      const one = { deadlineMs: elapsedMs + Math.max(0, ms), callback };
      waiting.add(one);
      return () => {
        waiting.delete(one);
      };
    },
    advance(ms) {
      const untilMs = elapsedMs + ms;
      for (let due = nextDue(untilMs); due !== undefined; due = nextDue(untilMs)) {
        waiting.delete(due);
        goOnTo(due.deadlineMs);
        due.callback();
      }
      goOnTo(untilMs);
    },
    jumpWall(ms) {
      wallMs += ms;
    },
    get pending() {
      return waiting.size;
    },
  };
}
