import type { JobView } from '../../../shared/view.ts';

/**
 * How long a job still takes, from the coordinator's estimate: for example "4–6 min". The unit of the larger end, whole numbers.
 * @returns null without an estimate
 */
export function restText({ eta }: Pick<JobView, 'eta'>, now: number): string | null {
  if (eta === null) return null;
  const [leastMs, mostMs] = [Math.max(0, eta.earliest - now), Math.max(0, eta.latest - now)];
  const [unitMs, unit] = mostMs < 90_000 ? [1_000, 's'] : mostMs < 5_400_000 ? [60_000, 'min'] : [3_600_000, 'h'];
  const least = Math.max(1, Math.floor(leastMs / (unitMs as number)));
  const most = Math.max(least, Math.ceil(mostMs / (unitMs as number)));
  return least === most ? `${most} ${unit}` : `${least}–${most} ${unit}`;
}
