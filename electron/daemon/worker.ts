import type { EndReason } from '../../shared/job.ts';
import type { Availability, Metrics, NodeDescription } from '../../shared/node.ts';
import { type CoordinatorMessage, type Hello, PROTOCOL_VERSION, type Welcome } from '../../shared/protocol.ts';
import type { OwnerDecision, OwnerRules } from '../core/owner.ts';
import type { WorkerEffect, WorkerEvent } from '../core/worker-events.ts';
import { createWorkerState, endOfAttempt, heldAttempts, workerDeadline, workerStep } from '../core/worker-step.ts';
import type { Executor } from '../ports/executor.ts';
import type { LinkClient, LinkClientHandlers } from '../ports/link.ts';
import type { Receipts } from '../ports/machine.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';
import type { AttemptTools } from './attempt.ts';
import { cacheReport } from './cache-report.ts';
import { ExecutorWatch } from './executor-watch.ts';
import { HeldAttempts } from './held-attempts.ts';
import { type OwnerWatch, type OwnerWatchOptions, startOwnerWatch } from './owner-watch.ts';
import { createRates } from './rates.ts';
import { TaskCpu } from './task-cpu.ts';

export interface WorkerOptions extends Pick<AttemptTools, 'workspaces' | 'spools' | 'transfer' | 'slowShare'> {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly executors: readonly Executor[];
  /** Who this node is, without the executors and its availability: those are asked. */
  readonly description: Omit<NodeDescription, 'executors' | 'availability'>;
  readonly metrics: () => Promise<Metrics>;
  readonly connect: (handlers: LinkClientHandlers) => LinkClient;
  readonly stopGraceMs: number;
  readonly longestRunMs: number;
  /** The coordinator speaks of who belongs to the farm, or asks this device to take its place. */
  readonly onFarmMessage: (message: FarmMessage) => void;
  readonly receipts: Receipts;
  /** Absent: the owner does not let the farm put this machine to sleep. */
  readonly sleep?: () => Promise<void>;
  readonly owner: Pick<OwnerWatchOptions, 'senses' | 'pause' | 'rules'>;
}

export type FarmMessage = Extract<CoordinatorMessage, { type: 'roster-changed' | 'take-over' }>;

export interface WorkerDaemon {
  readonly connected: boolean;
  /** Attempts that are held now. */
  readonly running: number;
  /** Resolves with the reason when the coordinator refuses this worker for good. */
  readonly refused: Promise<string>;
  /** Something has happened that the owner's rules may be about: looks now. */
  lookAtOwner(): Promise<void>;
  /** The owner has changed the rules. */
  followOwner(rules: OwnerRules): Promise<void>;
  /** Takes no new work while what runs goes on to its end: the program is about to end. */
  drain(isDraining: boolean): void;
  /** Stops everything that runs, hands it back, says goodbye. */
  close(reason: EndReason): Promise<void>;
}

/** How long nothing is said after going to sleep; a machine that is still awake then comes back (ms, of a clock that sleep does not stop). */
const ASLEEP_MS = 30_000;

/** Removes what an earlier life left behind, and connects. */
export async function startWorkerDaemon(options: WorkerOptions): Promise<WorkerDaemon> {
  await Promise.all([
    options.workspaces.removeStrays(),
    options.spools.removeStrays(),
    ...options.executors.map((executor) =>
      executor.removeStrays().catch((error: Error) => options.logger.warn('stray runs could not be removed', { error: error.message })),
    ),
  ]);
  const daemon = new Worker(options);
  await daemon.start();
  return daemon;
}

class Worker implements WorkerDaemon {
  readonly refused: Promise<string>;
  private readonly options: WorkerOptions;
  private readonly state;
  private readonly held: HeldAttempts;
  private readonly executors: ExecutorWatch;
  private link!: LinkClient;
  private refuse!: (reason: string) => void;
  private goodbye: (() => void) | undefined;
  private deadline: { readonly at: number; readonly dispose: Dispose } | undefined;
  private turnEnd: NodeJS.Immediate | undefined;
  private heartbeat: Dispose = () => undefined;
  private heartbeatMs = 0;
  private announcedCache = '';
  private printedBytes = 0;
  private readonly rates: () => { readonly log: number; readonly transfer: number };
  private readonly taskCpu = new TaskCpu();
  private ownerWatch!: OwnerWatch;
  private availability: Availability = 'available';
  /** The name of the farm that it works for. */
  private farm = '';
  private isDraining = false;

  constructor(options: WorkerOptions) {
    this.options = options;
    const { capacity, maxParallel } = options.description;
    this.state = createWorkerState({
      stopGraceMs: options.stopGraceMs,
      longestRunMs: options.longestRunMs,
      shared: { attempts: maxParallel, cpu: capacity.cpu, ramMb: capacity.ramMb },
    });
    this.refused = new Promise((resolve) => {
      this.refuse = resolve;
    });
    this.rates = createRates(options.clock, () => ({ log: this.printedBytes, transfer: options.transfer.movedBytes }));
    this.executors = new ExecutorWatch({ ...options, changed: () => this.describeAgain() });
    this.held = new HeldAttempts({
      ...options,
      tools: {
        ...options,
        executorFor: (work) => this.executors.executorFor(work),
        printed: (bytes) => {
          this.printedBytes += bytes;
        },
      },
      taskCpu: this.taskCpu,
      link: () => this.link,
      take: (event) => this.take(event),
      farm: () => this.farm,
      endOf: (attempt) => endOfAttempt(this.state, attempt),
      doubtful: () => this.executors.check(),
    });
  }

  get running(): number {
    return this.held.size;
  }

  get connected(): boolean {
    return this.link.connected;
  }

  async start(): Promise<void> {
    const { clock, logger, owner } = this.options;
    this.ownerWatch = await startOwnerWatch({
      ...owner,
      clock,
      logger,
      tasksCpuMs: () => this.taskCpu.totalMs(() => clock.elapsedMs()),
      decided: (decision) => this.obeyOwner(decision),
    });
    await this.executors.check();
    this.link = this.options.connect({
      hello: () => this.hello(),
      welcome: (welcome) => this.onWelcome(welcome),
      message: (message) => this.onMessage(message),
      closed: (reason, final) => this.onClosed(reason, final),
    });
  }

  lookAtOwner(): Promise<void> {
    return this.ownerWatch.look();
  }

  followOwner(rules: OwnerRules): Promise<void> {
    return this.ownerWatch.follow(rules);
  }

  drain(isDraining: boolean): void {
    this.isDraining = isDraining;
    this.describeAgain();
  }

  async close(reason: EndReason): Promise<void> {
    this.executors.close();
    this.ownerWatch.close();
    const said = new Promise<void>((resolve) => {
      this.goodbye = resolve;
    });
    this.take({ type: 'shutdown', reason });
    await said;
    this.heartbeat();
    clearImmediate(this.turnEnd);
    this.deadline?.dispose();
    await this.link.close();
    await this.held.close();
    await Promise.all(this.options.executors.map((executor) => executor.close()));
    await this.options.receipts.close();
  }

  // -------------------------------------------------------------------------------------------- events in, effects out

  private take(event: WorkerEvent): void {
    const { clock } = this.options;
    const effects = workerStep(this.state, event, { wallMs: clock.wallMs(), elapsedMs: clock.elapsedMs() });
    for (const effect of effects) this.perform(effect);
    this.turnEnd ??= setImmediate(() => this.endTurn());
  }

  private endTurn(): void {
    this.turnEnd = undefined;
    this.armDeadline();
  }

  private perform(effect: WorkerEffect): void {
    switch (effect.type) {
      case 'run':
        this.held.run(effect.assignment, effect.work);
        break;
      case 'end':
        this.held.end(effect.attempt, effect.graceMs);
        break;
      case 'throttle':
        this.held.throttle(effect.attempt, effect.level);
        break;
      case 'report':
        this.held.report(effect.report);
        break;
      case 'forget':
        this.held.forget(effect.attempt);
        break;
      case 'say-goodbye':
        this.link.send({ type: 'goodbye' });
        this.goodbye?.();
        break;
    }
  }

  private armDeadline(): void {
    const at = workerDeadline(this.state);
    if (at === this.deadline?.at) return;
    this.deadline?.dispose();
    this.deadline = undefined;
    if (at === undefined) return;
    const dispose = this.options.clock.after(Math.max(0, at - this.options.clock.elapsedMs()), () => {
      this.deadline = undefined;
      this.take({ type: 'time-passed' });
    });
    this.deadline = { at, dispose };
  }

  // -------------------------------------------------------------------------------------------- the coordinator

  private hello(): Hello {
    const cached = this.options.workspaces.cached();
    this.announcedCache = cached.join();
    return {
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      node: this.describe(),
      attempts: [...heldAttempts(this.state)],
      cached: [...cached],
    };
  }

  private onWelcome(welcome: Welcome): void {
    this.options.logger.info('connected to the coordinator', { farm: welcome.farm });
    this.farm = welcome.farm;
    for (const { attempt, state } of heldAttempts(this.state))
      if (state === 'ended' && welcome.stop.includes(attempt))
        this.options.logger.warn('a result came too late: the task was given to another meanwhile', { attempt });
    this.held.resume(new Map(welcome.logs.map(({ attempt, offset }) => [attempt, offset])));
    this.take({ type: 'connected', stop: welcome.stop });
    this.heartbeatMs = welcome.heartbeatMs;
    this.beat(welcome.heartbeatMs);
  }

  private onMessage(message: Exclude<CoordinatorMessage, { type: 'welcome' | 'refuse' }>): void {
    switch (message.type) {
      case 'assign':
        this.take({ type: 'assigned', groups: message.groups });
        break;
      case 'stop':
        for (const { attempt, reason, graceMs } of message.attempts) this.take({ type: 'stop', attempt, reason, graceMs });
        break;
      case 'acknowledge':
        this.take({ type: 'acknowledged', attempts: message.attempts });
        break;
      case 'look-into-cache':
        void this.tellCache(message.request, message.clear);
        break;
      case 'sleep':
        this.goToSleep();
        break;
      case 'log-acknowledge':
        this.held.acknowledgeLog(message.attempt, message.offset);
        break;
      default:
        this.options.onFarmMessage(message);
    }
  }

  private async tellCache(request: number, clear: boolean): Promise<void> {
    try {
      this.link.send({ type: 'cache', request, cache: await cacheReport(this.options.workspaces, this.options.executors, clear) });
    } catch (error) {
      this.options.logger.warn('the cache could not be looked into', { error: (error as Error).message });
    }
  }

  private onClosed(reason: string, final: boolean): void {
    this.options.logger.warn('the connection to the coordinator is gone', { reason });
    this.heartbeat();
    this.held.rest();
    this.take({ type: 'disconnected' });
    if (final) this.refuse(reason);
  }

  // -------------------------------------------------------------------------------------------- what this machine offers

  private describe(): NodeDescription {
    return { ...this.options.description, executors: this.executors.available.map(({ kind }) => kind), availability: this.willingness() };
  }

  private describeAgain(): void {
    if (this.link?.connected) this.link.send({ type: 'describe', node: this.describe() });
  }

  /** The owner has the last word, and so has work that came in the meantime. */
  private goToSleep(): void {
    const { sleep, logger } = this.options;
    if (sleep === undefined || this.held.size > 0) return;
    logger.info('there is no work: this machine goes to sleep');
    // The first heartbeat after waking is answered with a demand for a new hello.
    this.link.send({ type: 'goodbye' });
    this.heartbeat();
    this.heartbeat = this.options.clock.after(ASLEEP_MS, () => this.beat(this.heartbeatMs));
    sleep().catch((error: Error) => logger.warn('this machine could not go to sleep', { error: error.message }));
  }

  /** The coordinator hears first that nothing new may come, and then what becomes of the rest. */
  private obeyOwner({ level, availability }: OwnerDecision): void {
    this.availability = availability;
    this.describeAgain();
    this.take({ type: 'owner', level, availability });
  }

  private willingness(): Availability {
    return this.isDraining ? 'draining' : this.availability;
  }

  private beat(everyMs: number): void {
    this.heartbeat();
    const send = async () => {
      const metrics = await this.options.metrics();
      if (!this.link.connected) return;
      const rates = this.rates();
      const cached = this.options.workspaces.cached();
      const list = cached.join();
      const changed = list !== this.announcedCache;
      this.announcedCache = list;
      this.link.send({
        type: 'heartbeat',
        metrics: { ...metrics, logBytesPerSecond: rates.log, transferBytesPerSecond: rates.transfer },
        availability: this.willingness(),
        running: this.held.size,
        ...(changed ? { cached: [...cached] } : {}),
      });
    };
    const repeat = () => {
      send().catch((error: Error) => this.options.logger.warn('a heartbeat could not be sent', { error: error.message }));
      this.heartbeat = this.options.clock.after(everyMs, repeat);
    };
    repeat();
  }
}
