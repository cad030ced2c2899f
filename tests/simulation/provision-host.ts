import { type MadeMachines, provisionView } from '../../electron/core/provision-view.ts';
import { createProvisionState, type ProvisionEffect, type ProvisionState } from '../../electron/core/provisioning.ts';
import type { NodeId } from '../../shared/ids.ts';
import type { CoordinatorHost } from './coordinator-host.ts';
import { ProvisionReferee } from './provision-referee.ts';
import { madeDescription, type Provision } from './scenario.ts';
import { WorkerHost } from './worker-host.ts';
import type { World } from './world.ts';

const LOOK_EVERY_MS = 5_000;

/** The coordinator's provisioner, in small, and the power of machines that sleep or that a command makes: they come up late, never, or twice. */
export class ProvisionHost {
  private readonly world: World;
  private readonly provision: Provision;
  private readonly coordinator: CoordinatorHost;
  private readonly workers: WorkerHost[];
  private readonly made: MadeMachines;
  private state: ProvisionState;
  private referee: ProvisionReferee;
  private count = 0;

  constructor(world: World, provision: Provision, coordinator: CoordinatorHost, workers: WorkerHost[]) {
    this.world = world;
    this.provision = provision;
    this.coordinator = coordinator;
    this.workers = workers;
    const ids = Array.from({ length: provision.made }, (_, number) => `machine-${number + 1}`);
    this.made = { ids, description: madeDescription('not-yet' as NodeId, ''), idleMs: provision.idleMs };
    this.state = createProvisionState();
    this.referee = this.newReferee();
  }

  start(): void {
    // What the provisioner knows goes with the program.
    this.coordinator.onCrash(() => {
      this.state = createProvisionState();
      this.referee = this.newReferee();
    });
    const look = () => {
      this.coordinator.machine.whenAwake(() => this.look());
      this.world.timeline.after(LOOK_EVERY_MS, look);
    };
    this.world.timeline.after(LOOK_EVERY_MS, look);
  }

  private newReferee(): ProvisionReferee {
    return new ProvisionReferee(this.provision.rules, (message) => this.world.referee.fail(message));
  }

  private look(): void {
    const { farm, machine } = this.coordinator;
    if (farm === undefined) return;
    const view = provisionView(farm, this.made);
    const nowMs = machine.now().elapsedMs;
    const effects = this.world.provisionStep(this.state, this.provision.rules, view, nowMs);
    this.referee.judge(view.machines, effects, nowMs);
    for (const effect of effects) this.perform(effect);
  }

  private perform({ type, machine }: ProvisionEffect): void {
    const { trace, timeline } = this.world;
    const isMade = this.made.ids.includes(machine);
    trace.add(timeline.nowMs, 'provisioner', `${type} ${machine}`);
    trace.count(`${type === 'bring-up' ? 'bring up' : 'let go'} a machine that ${isMade ? 'is made' : 'sleeps'}`);
    if (type === 'let-go') {
      if (isMade) for (const worker of this.ofMachine(machine)) worker.powerOff();
      else this.coordinator.send(machine as NodeId, { type: 'sleep' });
      return;
    }
    const sleeper = this.workers.find(({ description }) => description.id === machine);
    for (const afterMs of this.drawArrivals()) timeline.after(afterMs, () => (isMade ? this.make(machine) : sleeper?.powerOn()));
  }

  /** When it comes up: in time, late, never, or twice. */
  private drawArrivals(): number[] {
    const { random, calm } = this.world;
    const { changeMs } = this.provision.rules;
    const inTime = random.whole(100, changeMs / 2);
    if (calm) return [inTime];
    const fate = random.weighted({ 'in time': 6, late: 2, never: 2, twice: 1 });
    this.world.trace.count(`machine comes ${fate}`);
    if (fate === 'never') return [];
    if (fate === 'late') return [changeMs + random.whole(0, 2 * changeMs)];
    return fate === 'twice' ? [inTime, inTime + random.whole(0, changeMs)] : [inTime];
  }

  /** A command that is given a name whose machine is there makes another all the same, now and then. */
  private make(machine: string): void {
    const { random, calm } = this.world;
    if (this.ofMachine(machine).some(({ isOff }) => !isOff) && (calm || random.chance(0.5))) return;
    this.count++;
    const host = new WorkerHost(this.world, this.coordinator, madeDescription(`vm-${this.count}` as NodeId, machine));
    this.workers.push(host);
    host.start();
  }

  private ofMachine(machine: string): WorkerHost[] {
    return this.workers.filter(({ description }) => description.labels['lanyard.machine'] === machine);
  }
}
