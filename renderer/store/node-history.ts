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

/** A ring of samples in room that is taken once: a thousand nodes report for hours. */
interface Ring {
  readonly times: Float64Array;
  /** The four values of each sample, one after the other. */
  readonly values: Float32Array;
  /** Samples ever written. */
  count: number;
}
const VALUES = 4;

const histories = new Map<string, Ring>();

/** What this screen has seen of a node since it was opened, oldest first. */
export function nodeHistory(node: string): readonly Sample[] {
  const ring = histories.get(node);
  if (ring === undefined) return [];
  const kept = Math.min(ring.count, SAMPLES);
  return Array.from({ length: kept }, (_, index) => sampleAt(ring, ring.count - kept + index));
}

/** The newest of them. */
export function latestSample(node: string): Sample | undefined {
  const ring = histories.get(node);
  return ring === undefined || ring.count === 0 ? undefined : sampleAt(ring, ring.count - 1);
}

export function recordMetrics({ description, metrics, used }: NodeView): void {
  if (metrics === null) return;
  const ring = histories.get(description.id) ?? { times: new Float64Array(SAMPLES), values: new Float32Array(SAMPLES * VALUES), count: 0 };
  histories.set(description.id, ring);
  const time = Date.now() / 1_000;
  // The newest sample is replaced until it is far enough from the one before.
  const before = ring.count < 2 ? undefined : ring.times[(ring.count - 2) % SAMPLES];
  if (before !== undefined && time - before < LEAST_MS / 1_000) ring.count -= 1;
  const at = ring.count % SAMPLES;
  ring.times[at] = time;
  const ramPercent = metrics.ramTotalMb === 0 ? 0 : 100 * (1 - metrics.ramFreeMb / metrics.ramTotalMb);
  ring.values.set([metrics.cpuPercent, ramPercent, used.slots, metrics.transferBytesPerSecond / 1e6], at * VALUES);
  ring.count += 1;
}

export function forgetNode(node: string): void {
  histories.delete(node);
}

function sampleAt({ times, values }: Ring, number: number): Sample {
  const at = number % SAMPLES;
  const [cpuPercent, ramPercent, slotsUsed, transferMegabytes] = values.subarray(at * VALUES) as unknown as [
    number,
    number,
    number,
    number,
  ];
  return { time: times[at] as number, cpuPercent, ramPercent, slotsUsed, transferMegabytes };
}
