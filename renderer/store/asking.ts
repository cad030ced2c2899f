/** Changes that come together are asked about once (ms). */
const SOON_MS = 100;
/** From an answer to the next question, while changes go on (ms). */
const BETWEEN_MS = 1_000;

/** A question that is asked again as what it is about changes. */
export interface Asking {
  /** The answer may be another one now. */
  changed(): void;
  /** Never asks again. */
  stop(): void;
}

export interface Pace {
  readonly soonMs: number;
  readonly betweenMs: number;
}

/**
 * Asks now; again soon after the first change; then, for as long as changes go on, a while after each answer; and once after the last of
 * them. One question is under way at a time, and every change is followed by a question.
 * @param ask settles when the answer is there; it must not reject
 */
export function startAsking(ask: () => Promise<void>, { soonMs, betweenMs }: Pace = { soonMs: SOON_MS, betweenMs: BETWEEN_MS }): Asking {
  let answeredAt = Number.NEGATIVE_INFINITY;
  let isUnderWay = false;
  let hasChanged = false;
  let isStopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const askNow = async () => {
    timer = undefined;
    hasChanged = false;
    isUnderWay = true;
    await ask();
    isUnderWay = false;
    answeredAt = performance.now();
    if (hasChanged) schedule();
  };
  const schedule = () => {
    timer ??= setTimeout(askNow, Math.max(soonMs, answeredAt + betweenMs - performance.now()));
  };
  timer = setTimeout(askNow, 0);

  return {
    changed() {
      if (isStopped) return;
      hasChanged = true;
      if (!isUnderWay) schedule();
    },
    stop() {
      isStopped = true;
      hasChanged = false;
      clearTimeout(timer);
    },
  };
}
