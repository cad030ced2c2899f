import type { JobId, NodeId } from '../../shared/ids.ts';
import type { CoordinatorSettings } from '../../shared/settings.ts';
import { type MadeMachines, machinesFor, provisionView } from '../core/provision-view.ts';
import { comingMachines, createProvisionState, type ProvisionEffect, phaseOf, provisionStep } from '../core/provisioning.ts';
import { nodeRow } from '../core/queries.ts';
import type { FarmState } from '../core/state.ts';
import type { MachinePower } from '../ports/machine.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';

/** How often the queue is looked at for work that waits for a machine (ms). */
const LOOK_EVERY_MS = 5_000;

export interface ProvisionerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: CoordinatorSettings;
  readonly power: MachinePower;
  readonly farm: () => FarmState;
  /** Tells a node that is up to go to sleep. */
  readonly sleep: (node: NodeId) => void;
}

/** Brings machines up when work waits for them, and lets them go again (`core/provisioning.ts` decides). */
export class Provisioner {
  private readonly options: ProvisionerOptions;
  private readonly state = createProvisionState();
  private readonly made: MadeMachines | undefined;
  private timer: Dispose;

  constructor(options: ProvisionerOptions) {
    this.options = options;
    this.made = madeMachines(options.settings);
    this.timer = options.clock.after(LOOK_EVERY_MS, () => this.look());
  }

  /** @returns what the farm is doing with a node, in a sentence; undefined when nothing */
  reasonOf(node: NodeId): string | undefined {
    switch (phaseOf(this.state, node)?.phase) {
      case 'coming':
        return 'it is being woken';
      case 'going':
        return 'it is going to sleep';
      default:
        return undefined;
    }
  }

  /** @returns the machines on their way that could serve the job, by name */
  comingFor(job: JobId): string[] {
    return machinesFor(this.options.farm(), this.made, comingMachines(this.state), job);
  }

  close(): void {
    this.timer();
  }

  private look(): void {
    const { clock, settings, logger } = this.options;
    const rules = {
      most: settings.provisionMost,
      afterMs: settings.provisionAfterMs,
      changeMs: settings.provisionChangeMs,
      backoffMs: settings.provisionBackoffMs,
      backoffMostMs: settings.provisionBackoffMostMs,
      repeatMs: settings.provisionChangeMs / 10,
    };
    const view = provisionView(this.options.farm(), this.made);
    for (const effect of provisionStep(this.state, rules, view, clock.elapsedMs())) {
      logger.info(effect.type === 'bring-up' ? 'bringing a machine up' : 'letting a machine go', { ...effect });
      this.perform(effect).catch((error: Error) => logger.warn('a machine could not be told', { ...effect, error: error.message }));
    }
    this.timer = clock.after(LOOK_EVERY_MS, () => this.look());
  }

  private async perform({ type, machine }: ProvisionEffect): Promise<void> {
    const { power, farm, sleep } = this.options;
    if (this.made?.ids.includes(machine) === true) return type === 'bring-up' ? await power.make(machine) : await power.remove(machine);
    if (type === 'let-go') return sleep(machine as NodeId);
    await power.wake(nodeRow(farm(), machine as NodeId)?.description.power?.macs ?? []);
  }
}

function madeMachines(settings: CoordinatorSettings): MadeMachines | undefined {
  if (settings.provisionCommand === undefined) return undefined;
  return {
    ids: Array.from({ length: settings.provisionMachines }, (_, index) => `machine-${index + 1}`),
    idleMs: settings.provisionIdleMs,
    description: {
      name: 'machine',
      os: '',
      arch: '',
      version: '',
      capacity: { cpu: settings.provisionCpu, ramMb: settings.provisionRamMb, diskMb: Number.MAX_SAFE_INTEGER, gpus: [] },
      labels: settings.provisionLabels,
      zone: settings.provisionLabels.zone ?? '',
      maxParallel: settings.provisionSlots,
      executors: ['docker', 'host'],
      availability: 'available',
    },
  };
}
