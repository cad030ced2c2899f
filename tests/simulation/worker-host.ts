import type { WorkerEffect, WorkerEvent } from '../../electron/core/worker-events.ts';
import { workerViolations } from '../../electron/core/worker-invariants.ts';
import { createWorkerState, heldAttempts, workerDeadline, workerStep } from '../../electron/core/worker-step.ts';
import type { AttemptId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import type { Availability, Metrics, NodeDescription } from '../../shared/node.ts';
import type { OwnerLevel } from '../../shared/owner.ts';
import { type CoordinatorMessage, PROTOCOL_VERSION } from '../../shared/protocol.ts';
import type { CoordinatorHost } from './coordinator-host.ts';
import { describeWorkerEvent } from './describe.ts';
import { drawFate, endOf } from './executor.ts';
import { Machine } from './machine.ts';
import { Connection } from './network.ts';
import type { World } from './world.ts';

/** A worker's daemon, in small: the worker core, a simulated executor, and a connection that comes back. */
export class WorkerHost {
  readonly machine: Machine;
  /** As it is now; its owner may share less than all for a while. */
  description: NodeDescription;
  private readonly whole: NodeDescription;
  private availability: Availability = 'available';
  private level: OwnerLevel = 'run';
  /** What the owner wants, which a machine that sleeps does not know yet. */
  private wish: { readonly level: OwnerLevel; readonly availability: Availability } = { level: 'run', availability: 'available' };
  diskFreeMb: number;
  /** While true no connection of it comes about. */
  unreachable = false;
  /** It has no power until `powerOn`. */
  isOff = false;
  connection: Connection | undefined;
  private readonly world: World;
  private readonly coordinator: CoordinatorHost;
  private state;
  private running = false;
  private welcomed = false;
  private armedAt: number | undefined;
  /** What runs here, each with a number that its planned doings must still have. */
  private readonly plans = new Map<AttemptId, number>();
  private planned = 0;
  /** How the commands that run here will end, for those that are frozen meanwhile. */
  private readonly ends = new Map<AttemptId, ReturnType<typeof endOf>>();

  constructor(world: World, coordinator: CoordinatorHost, description: NodeDescription) {
    this.world = world;
    this.coordinator = coordinator;
    this.description = description;
    this.whole = description;
    this.state = this.newState();
    this.diskFreeMb = description.capacity.diskMb;
    this.machine = new Machine(world.timeline, world.random);
  }

  get idle(): boolean {
    return this.isOff || (this.running && this.welcomed && heldAttempts(this.state).length === 0);
  }

  /** It is woken; one that is awake does not notice. */
  powerOn(): void {
    if (!this.isOff) return;
    this.isOff = false;
    this.world.timeline.after(this.world.random.whole(100, 2_000), () => this.machine.whenAwake(() => this.start()));
  }

  /** It is gone at once, whatever it does. */
  powerOff(): void {
    this.isOff = true;
    this.crash();
  }

  start(): void {
    if (this.running || this.isOff) return;
    this.running = true;
    this.state = this.newState();
    this.take({ type: 'owner', level: this.level, availability: this.availability });
    this.machine.after(this.world.random.whole(0, 500), () => this.connect());
  }

  /** Power off: nothing of it runs any more, nobody is told. */
  crash(): void {
    if (!this.running) return;
    const { random, trace, timeline } = this.world;
    trace.add(timeline.nowMs, this.description.id, 'crashes');
    this.halt();
    this.connection?.cut({ coordinatorMs: random.chance(0.5) ? random.whole(0, 500) : random.whole(1_000, 60_000) });
    this.connection = undefined;
  }

  /** The owner wants the machine: everything ends in order. */
  shutdown(): void {
    if (this.running) this.take({ type: 'shutdown', reason: 'owner-interrupted' });
  }

  /** The owner says what may happen here from now on. */
  owner(level: OwnerLevel, availability: Availability): void {
    this.wish = { level, availability };
    this.machine.whenAwake(() => this.obey());
  }

  private obey(): void {
    ({ level: this.level, availability: this.availability } = this.wish);
    this.describe(this.description);
    if (this.running) this.take({ type: 'owner', ...this.wish });
  }

  /** The owner keeps most of the machine. */
  shrink(): void {
    this.describe({ ...this.whole, maxParallel: 1, capacity: { ...this.whole.capacity, cpu: 1, gpus: [] } });
  }

  /** The owner shares all of it again. */
  restore(): void {
    if (this.description !== this.whole) this.describe(this.whole);
  }

  private describe(description: NodeDescription): void {
    this.description = description;
    if (this.welcomed) this.connection?.toCoordinator({ type: 'describe', node: { ...description, availability: this.availability } });
  }

  private newState() {
    const { capacity, maxParallel } = this.whole;
    return createWorkerState({ ...WORKER_CONFIG, shared: { attempts: maxParallel, cpu: capacity.cpu, ramMb: capacity.ramMb } });
  }

  /** This life is over; the next begins a while later. */
  private halt(): void {
    this.machine.crash();
    this.running = false;
    this.welcomed = false;
    this.armedAt = undefined;
    this.plans.clear();
    this.ends.clear();
    this.world.referee.crashed(this.description.id);
    const { random, timeline } = this.world;
    timeline.after(random.whole(500, 30_000), () => this.machine.whenAwake(() => this.start()));
  }

  private connect(): void {
    const { timeline, random } = this.world;
    if (this.connection !== undefined) return;
    if (this.unreachable || !this.coordinator.listens) {
      this.machine.after(random.whole(100, 3_000), () => this.connect());
      return;
    }
    const side = {
      machine: this.machine,
      receive: (message: CoordinatorMessage) => this.receive(message),
      closed: () => this.lostConnection(),
    };
    this.connection = new Connection(this.description.id, timeline, random, side, (connection) => this.coordinator.accept(connection));
    this.connection.toCoordinator({
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      node: { ...this.description, availability: this.availability },
      attempts: [...heldAttempts(this.state)],
      cached: [],
    });
    this.awaitWelcome(this.connection);
  }

  /** The link gives up a connection on which it is not welcomed. */
  private awaitWelcome(connection: Connection): void {
    this.machine.after(WELCOME_TIMEOUT_MS, () => {
      if (this.connection !== connection || this.welcomed) return;
      connection.closeFromWorker();
      this.lostConnection();
    });
  }

  private lostConnection(): void {
    this.connection = undefined;
    this.welcomed = false;
    if (!this.running) return;
    this.take({ type: 'disconnected' });
    this.machine.after(this.world.random.whole(100, 3_000), () => this.connect());
  }

  private receive(message: CoordinatorMessage): void {
    switch (message.type) {
      case 'welcome':
        this.welcomed = true;
        this.take({ type: 'connected', stop: message.stop });
        if (this.connection !== undefined) this.beat(this.connection);
        break;
      case 'assign':
        this.assigned(message);
        break;
      case 'stop':
        for (const { attempt, reason, graceMs } of message.attempts) this.take({ type: 'stop', attempt, reason, graceMs });
        break;
      case 'acknowledge':
        this.take({ type: 'acknowledged', attempts: message.attempts });
        break;
      case 'sleep':
        // Work that came in the meantime has the last word.
        if (heldAttempts(this.state).length > 0) break;
        this.isOff = true;
        this.leave();
        break;
    }
  }

  private assigned({ groups }: Extract<CoordinatorMessage, { type: 'assign' }>): void {
    const { referee } = this.world;
    const attempts = groups.flatMap((group) => group.attempts);
    for (const { attempt } of attempts) referee.arrived(attempt);
    this.take({ type: 'assigned', groups });
    const held = new Set(heldAttempts(this.state).map(({ attempt }) => attempt));
    for (const { attempt } of attempts) if (!held.has(attempt)) referee.ended(attempt);
  }

  private beat(connection: Connection): void {
    if (this.connection !== connection) return;
    const { availability } = this;
    connection.toCoordinator({
      type: 'heartbeat',
      metrics: metricsOf(this.description, this.diskFreeMb),
      availability,
      running: this.plans.size,
    });
    this.machine.after(this.world.scenario.heartbeatMs, () => this.beat(connection));
  }

  private take(event: WorkerEvent): void {
    const { referee, timeline, trace } = this.world;
    trace.add(timeline.nowMs, this.description.id, describeWorkerEvent(event));
    for (const effect of workerStep(this.state, event, this.machine.now())) this.perform(effect);
    if (!this.running) return;
    referee.workerStepped(this.description.id, workerViolations(this.state));
    this.arm();
  }

  private arm(): void {
    const at = workerDeadline(this.state);
    if (at === undefined || at === this.armedAt) return;
    this.armedAt = at;
    this.machine.after(at - this.machine.now().elapsedMs, () => {
      if (this.armedAt !== at) return;
      this.armedAt = undefined;
      this.take({ type: 'time-passed' });
    });
  }

  private perform(effect: WorkerEffect): void {
    const { referee } = this.world;
    switch (effect.type) {
      case 'run':
        this.run(effect);
        break;
      case 'end':
        this.end(effect);
        break;
      case 'throttle':
        this.throttle(effect);
        break;
      case 'report':
        if (effect.report.kind === 'ended') {
          const { reason } = effect.report.end;
          if (reason === 'limit-unavailable') referee.fail(`${effect.report.attempt} is more than ${this.description.id} shares`);
          referee.ended(effect.report.attempt);
        }
        this.connection?.toCoordinator({ type: 'reports', reports: [effect.report] });
        break;
      case 'forget':
        referee.ended(effect.attempt);
        break;
      case 'say-goodbye':
        this.leave();
        break;
    }
  }

  private run({ assignment, work }: Extract<WorkerEffect, { type: 'run' }>): void {
    const { attempt } = assignment;
    if (this.availability !== 'available') this.world.referee.fail(`${attempt} begins although its owner keeps ${this.description.id}`);
    const fate = drawFate(this.world, this.description.id, attempt, work);
    const plan = this.plan(attempt);
    this.world.referee.running(this.description.id, attempt);
    fate.phases.forEach((phase, position) => {
      const afterMs = (fate.prepareMs * position) / fate.phases.length;
      this.planFor(attempt, plan, Math.round(afterMs), () => this.take({ type: 'phase', attempt, phase: { phase, done: 0, total: 0 } }));
    });
    if (fate.runMs !== undefined) this.planFor(attempt, plan, fate.prepareMs, () => this.take({ type: 'started', attempt }));
    this.ends.set(attempt, fate.end);
    this.planFor(attempt, plan, fate.prepareMs + (fate.runMs ?? 0), () => this.finish(attempt, fate.end));
  }

  /** A frozen command ends only after it goes on. */
  private throttle({ attempt, level }: Extract<WorkerEffect, { type: 'throttle' }>): void {
    const end = this.ends.get(attempt);
    if (!this.plans.has(attempt) || end === undefined) return;
    const plan = this.plan(attempt);
    if (level !== 'pause') this.planFor(attempt, plan, this.world.random.whole(0, 10_000), () => this.finish(attempt, end));
  }

  /** Most commands end at once when asked, some at the kill, and some complete in the same moment. */
  private end({ attempt, graceMs }: Extract<WorkerEffect, { type: 'end' }>): void {
    const { random } = this.world;
    const end = endOf(random, attempt, random.weighted({ exit: 8, completed: 1, infrastructure: 1 }));
    this.planFor(attempt, this.plan(attempt), random.chance(0.7) ? random.whole(0, 50) : graceMs, () => this.finish(attempt, end));
  }

  /** What was planned for the attempt before no longer counts. */
  private plan(attempt: AttemptId): number {
    this.planned++;
    this.plans.set(attempt, this.planned);
    return this.planned;
  }

  private planFor(attempt: AttemptId, plan: number, delayMs: number, action: () => void): void {
    this.machine.after(delayMs, () => {
      if (this.plans.get(attempt) === plan) action();
    });
  }

  private finish(attempt: AttemptId, end: ReturnType<typeof endOf>): void {
    this.plans.delete(attempt);
    this.ends.delete(attempt);
    this.world.referee.ended(attempt);
    this.take({ type: 'finished', attempt, end });
  }

  private leave(): void {
    this.connection?.toCoordinator({ type: 'goodbye' });
    this.connection?.closeFromWorker();
    this.connection = undefined;
    this.halt();
  }
}

const WELCOME_TIMEOUT_MS = 30_000;
const WORKER_CONFIG = { stopGraceMs: 5_000, longestRunMs: LIMITS.timeoutMs };

export function metricsOf({ capacity }: NodeDescription, diskFreeMb: number): Metrics {
  return {
    cpuPercent: 0,
    ramFreeMb: capacity.ramMb,
    ramTotalMb: capacity.ramMb,
    diskFreeMb,
    gpus: [],
    logBytesPerSecond: 0,
    transferBytesPerSecond: 0,
  };
}
