import type { FarmConfig } from '../../electron/core/config.ts';
import { MACHINE_LABEL } from '../../electron/core/provision-view.ts';
import type { ProvisionRules } from '../../electron/core/provisioning.ts';
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
  /** Null: nobody brings machines up. */
  readonly provision: Provision | null;
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

/** Machines that the farm brings up when work waits for them. */
export interface Provision {
  readonly rules: ProvisionRules;
  /** Machines that a command makes. */
  readonly made: number;
  readonly idleMs: number;
}

export const STRONGEST = 'w0' as NodeId;
export const LIMIT_NAMES = ['maya', 'nuke'] as const;
export const LABELS = ['fast', 'linux'] as const;

export function drawScenario(random: Random): Scenario {
  const stormMs = random.pick([20_000, 60_000, 120_000, 240_000]);
  const heartbeatMs = random.pick([2_000, 5_000, 10_000]);
  const provision = random.chance(0.5) ? drawProvision(random) : null;
  const others = list(random.whole(0, 4), (number) => drawNode(random, `w${number + 1}` as NodeId));
  const workers = [strongest(), ...others.map((node) => (provision === null || random.chance(0.5) ? node : withPower(random, node)))];
  const pollers = random.chance(0.4) ? list(random.whole(1, 2), (number) => drawNode(random, `p${number}` as NodeId)) : [];
  return {
    farm: {
      offlineAfterMs: heartbeatMs * 3,
      connectionGraceMs: random.pick([0, 1_000, 5_000]),
      assignTimeoutMs: random.pick([5_000, 30_000]),
      timeoutSlackMs: random.pick([1_000, 10_000]),
      cooldownMs: random.pick([1_000, 10_000]),
      cooldownMaxMs: 30_000,
      turnPlacements: random.pick([1, 3, 256]),
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
    provision,
    jobs: random.whole(1, 12),
    commands: random.pick([0, 5, 15, 40]),
    faults: random.pick([0, 3, 10, 20, 60]),
    crashesPerTurn: random.pick([0, 0, 0.002, 0.01, 0.05]),
    longestRunMs: random.pick([500, 5_000, 20_000]),
  };
}

function drawProvision(random: Random): Provision {
  const changeMs = random.pick([5_000, 20_000]);
  return {
    rules: {
      most: random.whole(1, 3),
      afterMs: random.pick([0, 2_000, 10_000]),
      changeMs,
      backoffMs: random.pick([1_000, 10_000]),
      backoffMostMs: 40_000,
      repeatMs: changeMs / 4,
    },
    made: random.whole(0, 3),
    idleMs: random.pick([0, 5_000, 20_000]),
  };
}

/** Its owner lets the farm put it to sleep and wake it. */
function withPower(random: Random, node: NodeDescription): NodeDescription {
  return { ...node, power: { macs: ['02:00:00:00:00:01'], sleepAfterMs: random.pick([0, 5_000, 20_000]) } };
}

/** A machine that a command makes; only these carry `cloud`. */
export function madeDescription(id: NodeId, machine: string): NodeDescription {
  return {
    ...base(id),
    capacity: { cpu: 4, ramMb: 8_192, diskMb: 100_000, gpus: [] },
    labels: { cloud: '', [MACHINE_LABEL]: machine },
    zone: '',
    maxParallel: 2,
    executors: ['docker'],
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
