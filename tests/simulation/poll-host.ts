import { assignedTo, liveAttempt, stoppingOn } from '../../electron/core/queries.ts';
import { type AttemptId, parseAttemptId } from '../../shared/ids.ts';
import type { NodeDescription } from '../../shared/node.ts';
import type { AttemptEnd, Work } from '../../shared/protocol.ts';
import { type CoordinatorHost, workOf } from './coordinator-host.ts';
import { drawFate, endOf } from './executor.ts';
import { Machine } from './machine.ts';
import { metricsOf } from './worker-host.ts';
import type { World } from './world.ts';

const POLL_MS = 1_000;
const GIVE_UP_MS = 5_000;

type Answer<T> = { readonly value: T } | 'refused' | 'lost';
type Reply<T> = (answer: Answer<T>) => void;

/** A worker without a connection: it asks over HTTP for work, now and then, and may not hear the answer. */
export class PollHost {
  readonly machine: Machine;
  readonly description: NodeDescription;
  private readonly world: World;
  private readonly coordinator: CoordinatorHost;
  private running = false;
  /** Attempts in hand, with the end of those that are over. */
  private readonly held = new Map<AttemptId, AttemptEnd | undefined>();
  private taking = 0;

  constructor(world: World, coordinator: CoordinatorHost, description: NodeDescription) {
    this.world = world;
    this.coordinator = coordinator;
    this.description = description;
    this.machine = new Machine(world.timeline, world.random);
  }

  get idle(): boolean {
    return this.running && this.held.size === 0;
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.register(() => {
      this.beat();
      this.poll();
    });
  }

  crash(): void {
    if (!this.running) return;
    this.world.trace.add(this.world.timeline.nowMs, this.description.id, 'crashes');
    this.machine.crash();
    this.running = false;
    this.held.clear();
    this.taking = 0;
    this.world.referee.crashed(this.description.id);
  }

  // ------------------------------------------------------------------------------------------------ what it asks

  private register(then: () => void): void {
    this.ask<true>(
      (reply) => this.serveRegister(reply),
      (answer) => {
        if (answer === 'lost') this.machine.after(POLL_MS, () => this.register(then));
        else then();
      },
    );
  }

  private beat(): void {
    this.ask<readonly AttemptId[]>(
      (reply) => this.serveHeartbeat(reply),
      (answer) => {
        if (typeof answer !== 'string') for (const attempt of answer.value) this.giveUp(attempt);
        const again = () => this.beat();
        this.machine.after(this.world.scenario.heartbeatMs, answer === 'refused' ? () => this.register(again) : again);
      },
    );
  }

  private poll(): void {
    this.machine.after(POLL_MS, () => this.poll());
    if (this.held.size + this.taking >= this.description.maxParallel) return;
    this.taking++;
    this.ask<Work & { readonly attempt: AttemptId }>(
      (reply) => this.serveTake(reply),
      (answer) => {
        this.taking--;
        if (typeof answer !== 'string') this.run(answer.value.attempt, answer.value);
      },
    );
  }

  private sendEnd(attempt: AttemptId, end: AttemptEnd): void {
    this.ask<true>(
      (reply) => this.serveEnd(attempt, end, reply),
      (answer) => {
        if (answer === 'lost') this.machine.after(POLL_MS, () => this.sendEnd(attempt, end));
        else this.held.delete(attempt);
      },
    );
  }

  private run(attempt: AttemptId, work: Work): void {
    const fate = drawFate(this.world, this.description.id, attempt, work);
    this.held.set(attempt, undefined);
    this.world.referee.running(this.description.id, attempt);
    const runMs = fate.prepareMs + (fate.runMs ?? 0);
    const end = runMs > work.timeoutMs ? endOf(this.world.random, attempt, 'timeout') : fate.end;
    this.machine.after(Math.min(runMs, work.timeoutMs), () => {
      if (!this.held.has(attempt)) return;
      this.world.referee.ended(attempt);
      this.held.set(attempt, end);
      this.sendEnd(attempt, end);
    });
  }

  /** What has ended here is told nevertheless, and refused. */
  private giveUp(attempt: AttemptId): void {
    if (!this.held.has(attempt) || this.held.get(attempt) !== undefined) return;
    this.held.delete(attempt);
    this.world.referee.ended(attempt);
  }

  // ------------------------------------------------------------------------------------------------ what the coordinator answers

  private serveRegister(reply: Reply<true>): void {
    const { coordinator, description } = this;
    if (coordinator.farm === undefined) return;
    const attempts = assignedTo(coordinator.farm, description.id).map(({ attempt, state }) => ({
      attempt,
      state: state === 'RUNNING' ? ('running' as const) : ('preparing' as const),
    }));
    coordinator.post({ type: 'node-registered', node: description, carrier: 'poll', attempts, cached: [] });
    this.replyWhenSettled(reply, true);
  }

  private serveHeartbeat(reply: Reply<readonly AttemptId[]>): void {
    const { coordinator, description } = this;
    if (coordinator.farm === undefined) return;
    if (!coordinator.farm.nodes.has(description.id)) {
      reply('refused');
      return;
    }
    const metrics = metricsOf(description, description.capacity.diskMb);
    coordinator.post({ type: 'heartbeat', node: description.id, metrics, availability: 'available' });
    this.replyWhenSettled(
      reply,
      [...this.held.keys()].filter((attempt) => !this.counts(attempt)),
    );
  }

  private serveTake(reply: Reply<Work & { readonly attempt: AttemptId }>): void {
    const { coordinator, description } = this;
    if (coordinator.farm === undefined) return;
    const next = assignedTo(coordinator.farm, description.id).find(({ state }) => state === 'ASSIGNED');
    const submission = next === undefined ? undefined : coordinator.disk.submissions.get(next.job);
    if (next === undefined || submission === undefined) {
      reply('refused');
      return;
    }
    const { job, index, number, attempt } = next;
    coordinator.post({ type: 'attempt-started', node: description.id, job, index, number });
    this.replyWhenSettled(reply, { ...workOf(submission), attempt });
  }

  private serveEnd(attempt: AttemptId, end: AttemptEnd, reply: Reply<true>): void {
    const key = parseAttemptId(attempt);
    if (this.coordinator.farm === undefined || key === undefined) return;
    const taken = this.counts(attempt);
    this.coordinator.post({ type: 'attempt-ended', node: this.description.id, ...key, end });
    if (taken) this.replyWhenSettled(reply, true);
    else reply('refused');
  }

  private replyWhenSettled<T>(reply: Reply<T>, value: T): void {
    this.coordinator.settled((committed) => {
      if (committed) reply({ value });
    });
  }

  /** Whether the coordinator counts the attempt as running here. */
  private counts(attempt: AttemptId): boolean {
    const { farm } = this.coordinator;
    const key = parseAttemptId(attempt);
    if (farm === undefined || key === undefined) return false;
    return (
      liveAttempt(farm, key.job, key.index, key.number)?.node === this.description.id &&
      !stoppingOn(farm, this.description.id).includes(attempt)
    );
  }

  /** A request that gets lost, or whose answer does, or that arrives; `then` hears of it once. */
  private ask<T>(serve: (reply: Reply<T>) => void, then: (answer: Answer<T>) => void): void {
    const { random, timeline, calm } = this.world;
    const { machine, coordinator } = this;
    const tookMs = random.whole(0, 50);
    const lostThere = !calm && random.chance(0.02);
    const lostBack = !calm && random.chance(0.02);
    let open = true;
    const hear = (answer: Answer<T>) => {
      if (!open) return;
      open = false;
      then(answer);
    };
    machine.after(GIVE_UP_MS, () => hear('lost'));
    if (lostThere) return;
    const reply = (answer: Answer<T>) => {
      if (!lostBack) machine.after(tookMs, () => hear(answer));
    };
    timeline.after(tookMs, () => coordinator.machine.whenAwake(() => serve(reply)));
  }
}
