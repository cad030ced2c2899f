import type { AttemptId } from '../../shared/ids.ts';
import { PassingMap } from '../../shared/passing-map.ts';

interface Running {
  /** CPU cores that it may use. */
  readonly cpu: number;
  readonly cpuMs: () => Promise<number | undefined>;
  readonly sinceMs: number;
  knownMs: number;
  knownAtMs: number;
}

/**
 * CPU time that tasks have used, summed over all that ever ran here. What a task used between the last look and its end nobody can ask
 * for any more: it counts with all that it was allowed, so that short tasks are not taken for the owner's work.
 */
export class TaskCpu {
  private readonly running = new PassingMap<AttemptId, Running>();
  private endedMs = 0;

  began(attempt: AttemptId, cpu: number, cpuMs: Running['cpuMs'], nowMs: number): void {
    this.running.set(attempt, { cpu, cpuMs, sinceMs: nowMs, knownMs: 0, knownAtMs: nowMs });
  }

  ended(attempt: AttemptId, nowMs: number): void {
    const run = this.running.get(attempt);
    if (run === undefined) return;
    this.running.delete(attempt);
    this.endedMs += run.knownMs + run.cpu * Math.max(0, nowMs - run.knownAtMs);
  }

  /** @returns the sum, ms; undefined when one of them cannot tell */
  async totalMs(now: () => number): Promise<number | undefined> {
    const figures = await Promise.all(
      [...this.running].map(async ([attempt, run]) => {
        const cpuMs = await run.cpuMs();
        if (cpuMs === undefined) return !this.running.has(attempt);
        run.knownMs = Math.max(run.knownMs, cpuMs);
        run.knownAtMs = now();
        return true;
      }),
    );
    if (figures.includes(false)) return undefined;
    let sum = this.endedMs;
    for (const { knownMs } of this.running.values()) sum += knownMs;
    return sum;
  }
}
