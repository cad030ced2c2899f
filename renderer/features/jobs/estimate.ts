import type { JobView } from '../../../shared/view.ts';
import { endedCount } from '../../ui/state.tsx';

/** Ends of tasks before which nothing is said: one or two say little about the rest. */
const LEAST_ENDS = 3;

/** Milliseconds that a job still takes, at the least and at the most. */
export interface Estimate {
  readonly leastMs: number;
  readonly mostMs: number;
}

/**
 * A range for the rest of a running job, from the pace so far. The spread narrows with the number of ends, as the error of a mean
 * does (one over the square root).
 */
export function estimateRest(job: JobView, now: number): Estimate | null {
  if (job.state !== 'RUNNING' || job.startedAt === null) return null;
  const ended = endedCount(job.counts);
  if (ended < LEAST_ENDS || ended === job.taskCount) return null;
  const restMs = ((now - job.startedAt) / ended) * (job.taskCount - ended);
  const spread = 1 / Math.sqrt(ended);
  return { leastMs: restMs * (1 - spread * 0.6), mostMs: restMs * (1 + spread) };
}

/** For example "4–6 min": the unit of the larger end, whole numbers. */
export function estimateText({ leastMs, mostMs }: Estimate): string {
  const [unitMs, unit] = mostMs < 90_000 ? [1_000, 's'] : mostMs < 5_400_000 ? [60_000, 'min'] : [3_600_000, 'h'];
  const least = Math.max(1, Math.floor(leastMs / (unitMs as number)));
  const most = Math.max(least, Math.ceil(mostMs / (unitMs as number)));
  return least === most ? `${most} ${unit}` : `${least}–${most} ${unit}`;
}
