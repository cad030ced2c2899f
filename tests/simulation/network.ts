import type { NodeId } from '../../shared/ids.ts';
import type { CoordinatorMessage, WorkerMessage } from '../../shared/protocol.ts';
import type { Machine } from './machine.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

interface Side<Message> {
  readonly machine: Machine;
  readonly receive: (message: Message) => void;
  readonly closed: () => void;
}

interface Direction {
  open: boolean;
  lastAtMs: number;
}

/**
 * One connection between a worker and the coordinator: each way in order, with a delay of its own for every message.
 * It can be closed by either side, which the other learns after all that was sent before; or cut, which loses what is
 * under way, and which each side learns at another time or not for long (half-open).
 */
export class Connection {
  readonly node: NodeId;
  private readonly timeline: Timeline;
  private readonly random: Random;
  private readonly slowestMs: number;
  private readonly worker: Side<CoordinatorMessage>;
  private readonly coordinator: Side<WorkerMessage>;
  /** Whether the side at the end of it still listens. */
  private readonly up: Direction = { open: true, lastAtMs: 0 };
  private readonly down: Direction = { open: true, lastAtMs: 0 };
  private whole = true;

  constructor(
    node: NodeId,
    timeline: Timeline,
    random: Random,
    worker: Side<CoordinatorMessage>,
    coordinator: (connection: Connection) => Side<WorkerMessage>,
  ) {
    this.node = node;
    this.timeline = timeline;
    this.random = random;
    this.slowestMs = random.pick([2, 20, 200]);
    this.worker = worker;
    this.coordinator = coordinator(this);
  }

  toCoordinator(message: WorkerMessage): void {
    this.send(this.up, this.coordinator, () => this.coordinator.receive(message));
  }

  toWorker(message: CoordinatorMessage): void {
    this.send(this.down, this.worker, () => this.worker.receive(message));
  }

  closeFromWorker(): void {
    this.down.open = false;
    this.send(this.up, this.coordinator, () => this.learn(this.up, this.coordinator));
  }

  closeFromCoordinator(): void {
    this.up.open = false;
    this.send(this.down, this.worker, () => this.learn(this.down, this.worker));
  }

  /** Loses what is under way. A side for which no time is given has crashed and learns nothing. */
  cut(learns: { readonly workerMs?: number; readonly coordinatorMs?: number }): void {
    this.whole = false;
    this.learnAfter(this.down, this.worker, learns.workerMs);
    this.learnAfter(this.up, this.coordinator, learns.coordinatorMs);
  }

  get isWhole(): boolean {
    return this.whole && this.up.open && this.down.open;
  }

  private send(direction: Direction, to: Side<never>, deliver: () => void): void {
    if (!this.whole) return;
    direction.lastAtMs = Math.max(direction.lastAtMs, this.timeline.nowMs + this.random.whole(0, this.slowestMs));
    this.timeline.at(direction.lastAtMs, () =>
      to.machine.whenAwake(() => {
        if (this.whole && direction.open) deliver();
      }),
    );
  }

  private learnAfter(direction: Direction, side: Side<never>, delayMs: number | undefined): void {
    if (delayMs === undefined) direction.open = false;
    else this.timeline.after(delayMs, () => side.machine.whenAwake(() => this.learn(direction, side)));
  }

  private learn(direction: Direction, side: Side<never>): void {
    if (!direction.open) return;
    direction.open = false;
    side.closed();
  }
}
