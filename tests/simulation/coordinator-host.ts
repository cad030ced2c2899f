import type { CoordinatorEffect } from '../../electron/core/effects.ts';
import type { CoordinatorEvent } from '../../electron/core/events.ts';
import type { FarmState } from '../../electron/core/state.ts';
import { createFarm, hasToPlace, nextDeadline } from '../../electron/core/step.ts';
import { createBatchBuilder } from '../../electron/daemon/batch.ts';
import { attemptId, type JobId, type NodeId, parseAttemptId } from '../../shared/ids.ts';
import { type CoordinatorMessage, PROTOCOL_VERSION, type Report, type Work, type WorkerMessage } from '../../shared/protocol.ts';
import { describeEvent } from './describe.ts';
import { Disk, type Submission } from './disk.ts';
import { Machine } from './machine.ts';
import type { Connection } from './network.ts';
import type { World } from './world.ts';

/** Time-passed turns at one moment after which the core is said to be stuck on a deadline. */
const MOST_TURNS_AT_ONCE = 50;

/** The coordinator's daemon, in small: event -> step -> commit -> perform, one transaction a turn, and recovery after a crash. */
export class CoordinatorHost {
  readonly disk = new Disk();
  readonly machine: Machine;
  /** Undefined while it is down. */
  farm: FarmState | undefined;
  /** The program is up and takes connections, but waits to recover; what it is told is lost. */
  private limping = false;
  private readonly world: World;
  /** By node, the connection of its newest hello. */
  private connections = new Map<NodeId, Connection>();
  private accepted = new Set<Connection>();
  private readonly welcomed = new WeakSet<Connection>();
  private batch = createBatchBuilder();
  private submissions: Submission[] = [];
  private pending: CoordinatorEffect[] = [];
  private waiters: ((committed: boolean) => void)[] = [];
  private scheduled = false;
  private armedAt: number | undefined;
  private turnsAtOnce = { atMs: -1, count: 0 };
  private lastJob = 0;
  private crashed: (() => void) | undefined;

  constructor(world: World) {
    this.world = world;
    this.machine = new Machine(world.timeline, world.random);
  }

  start(): void {
    const { disk, world } = this;
    this.farm = createFarm(world.scenario.farm);
    this.limping = false;
    this.lastJob = Math.max(0, ...disk.submissions.keys());
    world.trace.count('coordinator starts');
    const jobs = disk.liveJobs().map((row) => disk.storedJob(row));
    this.post({ type: 'recovered', jobs, nodes: [...disk.nodes.values()], owners: [...disk.owners.values()] });
  }

  /** Everything in memory is gone, and whoever waited for an answer gets none. */
  crash(why: string): void {
    if (this.farm === undefined) return;
    const { world } = this;
    world.trace.add(world.timeline.nowMs, 'coordinator', `crashes: ${why}`);
    world.trace.count(`crash: ${why}`);
    this.machine.crash();
    this.farm = undefined;
    this.limping = why === 'disk full';
    if (!this.limping) this.crashed?.();
    for (const connection of this.accepted) connection.cut({ workerMs: this.noticeMs() });
    this.accepted = new Set();
    this.connections = new Map();
    this.batch = createBatchBuilder();
    this.submissions = [];
    this.pending = [];
    this.scheduled = false;
    this.armedAt = undefined;
    world.referee.forgetUncommitted();
    const waiters = this.waiters;
    this.waiters = [];
    for (const waiter of waiters) waiter(false);
    world.timeline.after(world.random.whole(100, world.calm ? 1_000 : 20_000), () => this.machine.whenAwake(() => this.start()));
  }

  /** What is to be forgotten with the memory of the program. */
  onCrash(callback: () => void): void {
    this.crashed = callback;
  }

  send(node: NodeId, message: CoordinatorMessage): void {
    this.connections.get(node)?.toWorker(message);
  }

  /** Takes the event at once; what follows from it is committed and performed at the end of the turn. */
  post(event: CoordinatorEvent): void {
    if (this.farm === undefined) return;
    this.schedule();
    this.take(this.farm, event);
  }

  /** With the next commit. */
  addSubmission(submission: Submission): void {
    this.submissions.push(submission);
  }

  nextJobId(): JobId {
    this.lastJob++;
    return this.lastJob as JobId;
  }

  /** Calls back once all that was posted is on disk, or with false when it never will be. */
  settled(waiter: (committed: boolean) => void): void {
    if (this.farm === undefined) {
      waiter(false);
      return;
    }
    this.waiters.push(waiter);
    this.schedule();
  }

  /** Nothing is under way to the disk: memory and disk say the same. */
  get isSettled(): boolean {
    return this.farm !== undefined && !this.scheduled;
  }

  get listens(): boolean {
    return (this.farm !== undefined || this.limping) && !this.machine.asleep;
  }

  private isCurrent(connection: Connection): boolean {
    return this.connections.get(connection.node) === connection;
  }

  /** The coordinator's side of a new connection. */
  accept(connection: Connection) {
    this.accepted.add(connection);
    return {
      machine: this.machine,
      receive: (message: WorkerMessage) => {
        if (message.type === 'hello') this.hello(connection, message);
        else if (this.isCurrent(connection)) this.message(connection.node, message);
      },
      closed: () => {
        this.accepted.delete(connection);
        if (!this.isCurrent(connection)) return;
        this.connections.delete(connection.node);
        this.post({ type: 'node-disconnected', node: connection.node });
      },
    };
  }

  private hello(connection: Connection, hello: Extract<WorkerMessage, { type: 'hello' }>): void {
    this.connections.set(connection.node, connection);
    const { node, attempts, cached } = hello;
    this.post({ type: 'node-registered', node, carrier: 'link', attempts, cached });
  }

  private message(node: NodeId, message: Exclude<WorkerMessage, { type: 'hello' }>): void {
    switch (message.type) {
      case 'heartbeat':
        this.post({ type: 'heartbeat', node, metrics: message.metrics, availability: message.availability });
        break;
      case 'reports':
        for (const report of message.reports) this.report(node, report);
        break;
      case 'describe':
        this.post({ type: 'node-described', node: message.node });
        break;
      case 'goodbye':
        this.post({ type: 'node-goodbye', node });
        break;
    }
  }

  private report(node: NodeId, report: Report): void {
    const key = parseAttemptId(report.attempt);
    if (key === undefined) throw new Error(`a worker reported ${report.attempt}`);
    if (report.kind === 'phase') this.post({ type: 'attempt-phase', node, ...key, phase: report.phase });
    else if (report.kind === 'started') this.post({ type: 'attempt-started', node, ...key });
    else this.post({ type: 'attempt-ended', node, ...key, end: report.end });
  }

  private take(farm: FarmState, event: CoordinatorEvent): void {
    const { world } = this;
    world.trace.add(world.timeline.nowMs, 'coordinator', describeEvent(event));
    const effects = world.step(farm, event, this.machine.now());
    for (const effect of effects) {
      this.batch.take(effect);
      this.pending.push(effect);
    }
    world.referee.stepped(farm, event);
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.machine.after(this.world.random.whole(0, 3), () => this.endTurn());
  }

  private endTurn(): void {
    const { farm } = this;
    if (farm === undefined) return;
    this.scheduled = false;
    this.take(farm, { type: 'turn-ended' });
    if (hasToPlace(farm)) this.schedule();
    if (this.mayCrash()) this.crash('before a commit');
    else if (this.commit(farm)) this.performAll();
    else this.crash('disk full');
  }

  private commit(farm: FarmState): boolean {
    const { referee, trace } = this.world;
    const writes = { rows: this.batch.finish(), submissions: this.submissions };
    this.submissions = [];
    referee.committing(this.disk, writes);
    if (!this.disk.write(writes)) return false;
    referee.committed(this.disk, farm, writes);
    for (const { reason } of writes.rows?.attempts ?? []) trace.count(`attempt ended: ${reason}`);
    for (const { decision } of writes.rows?.canaries ?? []) trace.count(decision.by === null ? 'canary went on' : 'canary approved');
    return true;
  }

  private performAll(): void {
    const { pending, waiters, world } = this;
    this.pending = [];
    if (this.mayCrash()) {
      for (const effect of pending.slice(0, world.random.whole(0, pending.length))) this.perform(effect);
      this.crash('after a commit');
      return;
    }
    this.waiters = [];
    for (const effect of pending) this.perform(effect);
    world.referee.performed(this.disk, (node) => this.serves(node));
    for (const waiter of waiters) waiter(true);
    this.arm();
  }

  private mayCrash(): boolean {
    const { calm, random, scenario } = this.world;
    return !calm && random.chance(scenario.crashesPerTurn);
  }

  /** One timer, for the core's earliest deadline. */
  private arm(): void {
    if (this.farm === undefined) return;
    const at = nextDeadline(this.farm);
    if (at === undefined || at === this.armedAt) return;
    this.armedAt = at;
    this.machine.after(at - this.machine.now().elapsedMs, () => {
      if (this.armedAt !== at) return;
      this.armedAt = undefined;
      this.guardAgainstSpinning();
      this.post({ type: 'time-passed' });
    });
  }

  private guardAgainstSpinning(): void {
    const { nowMs } = this.world.timeline;
    if (this.turnsAtOnce.atMs < nowMs - MOST_TURNS_AT_ONCE) this.turnsAtOnce = { atMs: nowMs, count: 0 };
    this.turnsAtOnce.count++;
    if (this.turnsAtOnce.count > MOST_TURNS_AT_ONCE) this.world.referee.fail('the core asks to be woken again and again at one moment');
  }

  private noticeMs(): number {
    const { random } = this.world;
    return random.chance(0.2) ? random.whole(1_000, 40_000) : random.whole(0, 200);
  }

  private perform(effect: CoordinatorEffect): void {
    const { referee, trace } = this.world;
    switch (effect.type) {
      case 'assign': {
        const connection = this.connections.get(effect.node);
        trace.count('assignments');
        referee.assigning(this.disk, effect, connection);
        const { node: _node, job, index, number, gpus } = effect;
        const work = workOf(this.disk.submissions.get(job) as Submission);
        const attempts = [{ attempt: attemptId(job, index, number), parameters: { index }, gpus: [...gpus], files: [] }];
        connection?.toWorker({ type: 'assign', groups: [{ work, attempts }] });
        break;
      }
      case 'stop':
        trace.count('stops');
        referee.stopping(effect.attempt);
        this.connections
          .get(effect.node)
          ?.toWorker({ type: 'stop', attempts: [{ attempt: effect.attempt, reason: effect.reason, graceMs: effect.graceMs ?? 5_000 }] });
        break;
      case 'welcome':
        this.welcome(effect);
        break;
      case 'acknowledge':
        trace.count(effect.accepted ? 'ends accepted' : 'ends refused');
        referee.acknowledging(this.disk, effect.attempt, effect.accepted);
        this.connections.get(effect.node)?.toWorker({ type: 'acknowledge', attempts: [effect.attempt] });
        break;
      case 'disconnect':
        trace.count('disconnects');
        this.disconnect(effect.node);
        break;
    }
  }

  private welcome({ node, stop }: Extract<CoordinatorEffect, { type: 'welcome' }>): void {
    const connection = this.connections.get(node);
    if (connection === undefined) return;
    this.welcomed.add(connection);
    this.world.referee.welcoming(node, stop);
    const { heartbeatMs } = this.world.scenario;
    connection.toWorker({ type: 'welcome', protocol: PROTOCOL_VERSION, farm: 'simulated', heartbeatMs, stop: [...stop], logs: [] });
  }

  /** Whether the node has a connection on which it was welcomed. */
  private serves(node: NodeId): boolean {
    const connection = this.connections.get(node);
    return connection?.isWhole === true && this.welcomed.has(connection);
  }

  private disconnect(node: NodeId): void {
    const connection = this.connections.get(node);
    if (connection === undefined) return;
    connection.closeFromCoordinator();
    this.connections.delete(node);
    this.post({ type: 'node-disconnected', node });
  }
}

/** What a worker gets of a job. */
export function workOf({ id, policy }: Submission): Work {
  const { requirements, timeoutMs, network, image } = policy;
  return {
    name: `job ${id}`,
    owner: 'somebody',
    command: 'true',
    image,
    input: null,
    files: [],
    env: {},
    workdir: '.',
    outputs: [],
    requirements,
    timeoutMs,
    network,
  };
}
