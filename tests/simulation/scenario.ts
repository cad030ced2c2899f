import type { FarmConfig } from '../../electron/core/config.ts';
import type { NodeId } from '../../shared/ids.ts';
import type { Gpu, NodeDescription } from '../../shared/node.ts';
import type { Random } from './random.ts';

/** The sizes and the weather of one run, all drawn from its seed. */
export interface Scenario {
  readonly farm: FarmConfig;
  readonly heartbeatMs: number;
  /** How long things go wrong before the calm. */
  readonly stormMs: number;
  readonly workers: readonly NodeDescription[];
  readonly pollers: readonly NodeDescription[];
  readonly jobs: number;
  /** Other things that people do: cancel, retry, hold and so on. */
  readonly commands: number;
  /** Faults of machines and network. */
  readonly faults: number;
  /** Chance of a crash of the coordinator just before, and again just after, each commit. */
  readonly crashesPerTurn: number;
  /** Most milliseconds that a command runs, as a rule. */
  readonly longestRunMs: number;
}

export const STRONGEST = 'w0' as NodeId;
export const LIMIT_NAMES = ['maya', 'nuke'] as const;
export const LABELS = ['fast', 'linux'] as const;

export function drawScenario(random: Random): Scenario {
  const stormMs = random.pick([20_000, 60_000, 120_000, 240_000]);
  const heartbeatMs = random.pick([2_000, 5_000, 10_000]);
  const workers = [strongest(), ...list(random.whole(0, 4), (number) => drawNode(random, `w${number + 1}` as NodeId))];
  const pollers = random.chance(0.4) ? list(random.whole(1, 2), (number) => drawNode(random, `p${number}` as NodeId)) : [];
  return {
    farm: {
      offlineAfterMs: heartbeatMs * 3,
      connectionGraceMs: random.pick([0, 1_000, 5_000]),
      assignTimeoutMs: random.pick([5_000, 30_000]),
      timeoutSlackMs: random.pick([1_000, 10_000]),
      cooldownMs: random.pick([1_000, 10_000]),
      cooldownMaxMs: 30_000,
      preemptGraceMs: random.pick([500, 5_000]),
      fairShareHalfLifeMs: random.pick([10_000, 86_400_000]),
      ownerWeights: { ann: random.pick([1, 1, 3]) },
      ownerTasks: random.chance(0.3) ? { '*': random.whole(1, 4) } : {},
      limits: { maya: random.whole(1, 3), nuke: random.whole(1, 5) },
    },
    heartbeatMs,
    stormMs,
    workers,
    pollers,
    jobs: random.whole(1, 12),
    commands: random.pick([0, 5, 15, 40]),
    faults: random.pick([0, 3, 10, 20, 60]),
    crashesPerTurn: random.pick([0, 0, 0.002, 0.01, 0.05]),
    longestRunMs: random.pick([500, 5_000, 20_000]),
  };
}

/** Every job can run here, so that every job can end. */
function strongest(): NodeDescription {
  return {
    ...base(STRONGEST),
    capacity: { cpu: 8, ramMb: 16_384, diskMb: 100_000, gpus: [gpu(0, 24_000), gpu(1, 24_000)] },
    labels: { fast: '', linux: 'debian' },
    zone: 'north',
    maxParallel: 4,
    executors: ['docker', 'host'],
  };
}

function drawNode(random: Random, id: NodeId): NodeDescription {
  return {
    ...base(id),
    capacity: {
      cpu: random.pick([1, 2, 4.5]),
      ramMb: random.pick([1_024, 4_096]),
      diskMb: 10_000,
      gpus: random.chance(0.3) ? [gpu(0, random.pick([8_000, 24_000]), random.pick(['simulated', 'other']))] : [],
    },
    labels: random.chance(0.5) ? { fast: '' } : {},
    zone: random.pick(['', 'north', 'south']),
    maxParallel: random.whole(1, 4),
    executors: random.pick([['docker'], ['docker', 'host'], ['host']]),
  };
}

function base(id: NodeId) {
  return { id, name: id, os: 'linux', arch: 'x64', version: '0', availability: 'available' } as const;
}

function gpu(number: number, ramMb: number, model = 'simulated'): Gpu {
  return { id: `gpu${number}`, model, ramMb };
}

function list<T>(count: number, make: (number: number) => T): T[] {
  return Array.from({ length: count }, (_, number) => make(number));
}
