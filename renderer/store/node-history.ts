import type { NodeView } from '../../shared/view.ts';

/** Samples kept of one node: at one in ten seconds, two hours. */
const SAMPLES = 720;
/** Reports that come faster than this share a sample, so that the charts reach back as far for busy nodes (ms). */
const LEAST_MS = 1_000;

export interface Sample {
  /** Wall clock of this screen, seconds since 1970 (as uPlot wants it). */
  readonly time: number;
  readonly cpuPercent: number;
  readonly ramPercent: number;
  readonly slotsUsed: number;
  readonly transferMegabytes: number;
}

const histories = new Map<string, Sample[]>();

/** What this screen has seen of a node since it was opened, oldest first. */
export function nodeHistory(node: string): readonly Sample[] {
  return histories.get(node) ?? [];
}

export function recordMetrics({ description, metrics, used }: NodeView): void {
  if (metrics === null) return;
  const history = histories.get(description.id) ?? [];
  histories.set(description.id, history);
  const time = Date.now() / 1_000;
  // The newest sample is replaced until it is far enough from the one before.
  const before = history.at(-2);
  if (before !== undefined && time - before.time < LEAST_MS / 1_000) history.pop();
  history.push({
    time,
    cpuPercent: metrics.cpuPercent,
    ramPercent: metrics.ramTotalMb === 0 ? 0 : 100 * (1 - metrics.ramFreeMb / metrics.ramTotalMb),
    slotsUsed: used.slots,
    transferMegabytes: metrics.transferBytesPerSecond / 1e6,
  });
  if (history.length > SAMPLES) history.shift();
}

export function forgetNode(node: string): void {
  histories.delete(node);
}
