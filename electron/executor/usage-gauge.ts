import type { Usage } from '../../shared/job.ts';

/** When a run is looked at after its start, ms; then again and again after the last of these. */
const LOOKS_AFTER_MS = [100, 400, 1_000] as const;
const MIB = 1024 * 1024;

/** What one look at a run saw; undefined what could not be told. */
export interface UsageReading {
  /** CPU time since its start. */
  readonly cpuMs: number | undefined;
  /** Memory that it holds, or has held at its peak where the system remembers that. */
  readonly ramBytes: number | undefined;
}

/** Remembers the most that was seen of a run: CPU time only grows, and of memory the peak is wanted. */
export class UsageGauge {
  private cpuMs = -1;
  private ramBytes = -1;

  note({ cpuMs = -1, ramBytes = -1 }: UsageReading): void {
    this.cpuMs = Math.max(this.cpuMs, cpuMs);
    this.ramBytes = Math.max(this.ramBytes, ramBytes);
  }

  /** Blank (null) what was never seen. */
  get usage(): Usage {
    return {
      cpuMs: this.cpuMs < 0 ? null : Math.round(this.cpuMs),
      peakRamMb: this.ramBytes < 0 ? null : Math.ceil(this.ramBytes / MIB),
    };
  }
}

/** Calls `look` soon after a start and then regularly, one look after the other, until `over`. What a look throws is its own affair. */
export function lookRegularly(look: () => Promise<void> | void, over: AbortSignal): void {
  let looks = 0;
  let timer: NodeJS.Timeout | undefined;
  const next = () => {
    if (over.aborted) return;
    timer = setTimeout(() => void Promise.resolve(look()).then(next, next), waitMs(looks++));
    // Nobody waits for a look.
    timer.unref();
  };
  over.addEventListener('abort', () => clearTimeout(timer), { once: true });
  next();
}

function waitMs(looks: number): number {
  const at = LOOKS_AFTER_MS[looks];
  return at === undefined ? (LOOKS_AFTER_MS[LOOKS_AFTER_MS.length - 1] as number) : at - (LOOKS_AFTER_MS[looks - 1] ?? 0);
}
