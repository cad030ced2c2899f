import type { AttemptId } from '../../shared/ids.ts';
import { PassingMap } from '../../shared/passing-map.ts';
import type { Assignment, AttemptEnd, Report, Work } from '../../shared/protocol.ts';
import type { WorkerEvent } from '../core/worker-events.ts';
import type { LinkClient } from '../ports/link.ts';
import type { Receipts } from '../ports/machine.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';
import type { LogSpool } from '../ports/workspace.ts';
import { type AttemptTools, type RunningAttempt, runAttempt } from './attempt.ts';
import { createLogPump, type LogPump } from './log-pump.ts';
import type { TaskCpu } from './task-cpu.ts';

/**
 * How long what an attempt is at waits before it is told: people look at it, and most of it is over sooner, when nobody has to
 * hear of it (ms).
 */
const PHASE_MS = 200;
/** Folders on their way out, beyond which an end is told only when its own is gone: more work would come faster than room for it. */
const CLEARING_AT_MOST = 16;

export interface HeldAttemptsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly receipts: Receipts;
  readonly tools: AttemptTools;
  readonly taskCpu: TaskCpu;
  readonly link: () => LinkClient;
  readonly take: (event: WorkerEvent) => void;
  /** The name of the farm that this machine works for. */
  readonly farm: () => string;
  /** How an attempt has ended, as it is reported. */
  readonly endOf: (attempt: AttemptId) => AttemptEnd | undefined;
  /** The machine itself was in the way of an attempt: looks what works here, before its end is told. */
  readonly doubtful: () => Promise<void>;
}

interface Held {
  readonly running: RunningAttempt;
  spool?: LogSpool;
  pump?: LogPump;
}

/** What a worker holds of its attempts, from their start until the coordinator has acknowledged their end. */
export class HeldAttempts {
  private readonly options: HeldAttemptsOptions;
  private readonly held = new PassingMap<AttemptId, Held>();
  /** Folders of attempts that have ended, on their way out. */
  private readonly clearing = new Set<Promise<void>>();
  /** Told at the end of the turn: what is over by then has said so in its end. */
  private readonly starts = new PassingMap<AttemptId, Report>();
  private startsDue: NodeJS.Immediate | undefined;
  private phases = new Map<AttemptId, Report>();
  private phasesDue: Dispose | undefined;

  constructor(options: HeldAttemptsOptions) {
    this.options = options;
  }

  get size(): number {
    return this.held.size;
  }

  run(assignment: Assignment, work: Work): void {
    const { tools, taskCpu, clock, take } = this.options;
    const { attempt } = assignment;
    let startedAt: number | undefined;
    const running = runAttempt(tools, assignment, work, {
      phase: (phase) => take({ type: 'phase', attempt, phase }),
      started: (run) => {
        startedAt = clock.wallMs();
        taskCpu.began(attempt, work.requirements.cpu, () => run.cpuMs(), clock.elapsedMs());
        take({ type: 'started', attempt });
      },
      spooling: (spool) => this.startPump(attempt, spool),
    });
    this.held.set(attempt, { running });
    void running.finished.then(async (end) => {
      taskCpu.ended(attempt, clock.elapsedMs());
      // Said before the end is: the place that it frees is then not offered to what this machine cannot run any more.
      if (end.reason === 'infrastructure' || end.reason === 'executor-unavailable') await this.options.doubtful();
      const cleared = running.cleared.finally(() => this.clearing.delete(cleared));
      if (this.clearing.add(cleared).size > CLEARING_AT_MOST) await cleared;
      take({ type: 'finished', attempt, end });
      if (startedAt !== undefined) this.writeReceipt(assignment, work, startedAt, this.options.endOf(attempt) ?? end);
    });
  }

  end(attempt: AttemptId, graceMs: number): void {
    this.held.get(attempt)?.running.end(graceMs);
  }

  throttle(attempt: AttemptId, level: Parameters<RunningAttempt['throttle']>[0]): void {
    const { logger } = this.options;
    this.held
      .get(attempt)
      ?.running.throttle(level)
      .catch((error: Error) => logger.warn('a task could not be held back', { attempt, level, error: error.message }));
  }

  /** An end goes out behind the whole log, so that whoever sees the end has the log. */
  report(report: Report): void {
    if (report.kind === 'phase') {
      this.phases.set(report.attempt, report);
      this.phasesDue ??= this.options.clock.after(PHASE_MS, () => this.reportPhases());
      return;
    }
    this.phases.delete(report.attempt);
    if (report.kind === 'started') {
      this.starts.set(report.attempt, report);
      this.startsDue ??= setImmediate(() => this.reportStarts());
      return;
    }
    const pump = this.held.get(report.attempt)?.pump;
    const send = () => {
      this.starts.delete(report.attempt);
      this.send(report);
    };
    if (pump === undefined) send();
    // When the connection breaks first, the next welcome has it reported again.
    else pump.drained().then(send, () => undefined);
  }

  forget(attempt: AttemptId): void {
    const held = this.held.get(attempt);
    this.held.delete(attempt);
    held?.pump?.rest();
    held?.spool
      ?.remove()
      .catch((error: Error) => this.options.logger.warn('a log could not be removed', { attempt, error: error.message }));
  }

  /** The connection stands: logs go on where the coordinator's copies end. */
  resume(offsets: ReadonlyMap<AttemptId, number>): void {
    for (const [attempt, { pump }] of this.held) pump?.resume(offsets.get(attempt) ?? 0);
  }

  /** The connection is gone. */
  rest(): void {
    for (const { pump } of this.held.values()) pump?.rest();
  }

  acknowledgeLog(attempt: AttemptId, offset: number): void {
    this.held.get(attempt)?.spool?.acknowledge(offset);
  }

  /** Resolves when the folders of all that has ended are gone. */
  async close(): Promise<void> {
    this.phasesDue?.();
    clearImmediate(this.startsDue);
    await Promise.all(this.clearing);
  }

  private reportPhases(): void {
    this.phasesDue = undefined;
    const { phases } = this;
    if (phases.size > 0) this.phases = new Map();
    for (const report of phases.values()) this.send(report);
  }

  private reportStarts(): void {
    this.startsDue = undefined;
    for (const [attempt, report] of this.starts) {
      this.starts.delete(attempt);
      this.send(report);
    }
  }

  private send(report: Report): void {
    this.options.link().send({ type: 'reports', reports: [report] });
  }

  private startPump(attempt: AttemptId, spool: LogSpool): void {
    const held = this.held.get(attempt);
    if (held === undefined) return;
    const link = this.options.link();
    held.spool = spool;
    held.pump = createLogPump(attempt, spool, link);
    if (link.connected) held.pump.resume(0);
  }

  private writeReceipt({ attempt, gpus = [] }: Assignment, work: Work, startedAt: number, end: AttemptEnd): void {
    const { receipts, clock, logger, farm } = this.options;
    const { cpu, ramMb } = work.requirements;
    const { ranForMs, cpuMs, peakRamMb, reason, exitCode } = end;
    const ran = { startedAt, endedAt: clock.wallMs(), ranForMs, cpuMs, peakRamMb, reason, exitCode };
    const what = { attempt, farm: farm(), job: work.name, owner: work.owner, image: work.image, cpu, ramMb, gpus };
    receipts
      .add({ ...what, ...ran })
      .catch((error: Error) => logger.warn('a receipt could not be kept', { attempt, error: error.message }));
  }
}
