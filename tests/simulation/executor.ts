import type { AttemptId, BlobId, NodeId } from '../../shared/ids.ts';
import type { EndReason } from '../../shared/job.ts';
import type { AttemptEnd, Phase, Work } from '../../shared/protocol.ts';
import type { Random } from './random.ts';
import { STRONGEST } from './scenario.ts';
import type { World } from './world.ts';

/** What one attempt will do, drawn when it begins. */
export interface Fate {
  readonly prepareMs: number;
  readonly phases: readonly Phase['phase'][];
  /** Undefined: its command never starts, and `end` comes after `prepareMs`. */
  readonly runMs: number | undefined;
  readonly end: AttemptEnd;
}

const ENDS = {
  completed: 70,
  exit: 10,
  'out-of-memory': 3,
  hang: 4,
  'never ready': 1,
  'output-missing': 2,
  infrastructure: 3,
  'input-unavailable': 2,
  'image-unavailable': 1.5,
  'executor-unavailable': 0.5,
  'input-refused': 0.5,
} as const;

/** One node can serve every job at all times, so that no job waits for ever. */
const ENDS_OF_STRONGEST = { ...ENDS, 'image-unavailable': 0, 'executor-unavailable': 0 };

export function drawFate({ random, scenario, calm }: World, node: NodeId, attempt: AttemptId, work: Work): Fate {
  const outcome = calm ? 'completed' : random.weighted(node === STRONGEST ? ENDS_OF_STRONGEST : ENDS);
  const prepareMs = random.whole(0, calm ? 100 : random.pick([10, 1_000, 4_000]));
  const runMs = random.whole(1, calm ? 1_000 : scenario.longestRunMs);
  const phases = random.chance(0.5) ? (['fetching', 'unpacking'] as const) : [];
  switch (outcome) {
    case 'hang':
      return { prepareMs, phases, runMs: work.timeoutMs + random.whole(1, 100_000), end: endOf(random, attempt, 'completed') };
    case 'never ready':
      return { prepareMs: 200_000, phases, runMs: undefined, end: endOf(random, attempt, 'infrastructure') };
    case 'completed':
    case 'exit':
    case 'out-of-memory':
    case 'output-missing':
      return { prepareMs, phases, runMs, end: endOf(random, attempt, outcome) };
    default:
      return { prepareMs, phases, runMs: undefined, end: endOf(random, attempt, outcome) };
  }
}

/** @returns an end whose only output, if it has one, says whose it is */
export function endOf(random: Random, attempt: AttemptId, reason: EndReason): AttemptEnd {
  return {
    reason,
    exitCode: reason === 'completed' ? 0 : reason === 'exit' ? 1 : null,
    message: null,
    outputs: reason === 'completed' ? [{ path: attempt, bytes: random.whole(0, 1_000), blob: SOME_BLOB }] : [],
    started: random.chance(0.5),
    ranForMs: random.whole(0, 20_000),
    cpuMs: random.chance(0.8) ? random.whole(0, 20_000) : null,
    peakRamMb: random.chance(0.8) ? random.whole(1, 2_000) : null,
    logBytes: 0,
  };
}

export const SOME_BLOB = 'b'.repeat(64) as BlobId;
