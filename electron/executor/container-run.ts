import { setTimeout as pause } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Run, RunEnd } from '../ports/executor.ts';
import { type ContainerCgroups, withoutDroppable } from './container-cgroup.ts';
import { nanoCpus } from './container-config.ts';
import { type Engine, type EngineFacts, post, reasonOf, waitForExit } from './engine.ts';
import { exitMessage } from './exit-message.ts';
import type { OutputPump } from './output.ts';
import { lookRegularly, UsageGauge, type UsageReading } from './usage-gauge.ts';

/**
 * How long after the end output may be missing before the connection counts as stuck. The engine itself keeps up to
 * 1 MiB of it for a slow reader, but gives up after two seconds on what does not fit.
 */
const OUTPUT_IDLE_MS = 10_000;
/** The same for an engine that is lost. */
const LOST_OUTPUT_IDLE_MS = 1_000;
/** How long past its grace a stop may take before the engine counts as lost. */
const STOP_SLACK_MS = 30_000;
const KILLED_BY = new Set([137, 143]);

export interface StartedContainer {
  readonly engine: Engine;
  readonly client: Docker;
  readonly facts: EngineFacts;
  readonly id: string;
  readonly output: OutputPump;
  /** Calls back when the container has no output any more: its processes have ended, and the engine is about to take it down. */
  readonly onSilence: (callback: () => void) => void;
  readonly cgroups: ContainerCgroups;
  readonly memoryMb: number;
  /** Cores. */
  readonly cpus: number;
  /** Called once, when the run has ended and before anybody hears of it. */
  readonly release: () => void;
}

/** Watches over a container that was just started. */
export function watchContainer(started: StartedContainer): Run {
  return new ContainerRun(started);
}

class ContainerRun implements Run {
  readonly ended: Promise<RunEnd>;
  private readonly started: StartedContainer;
  private readonly container: Docker.Container;
  private readonly startedAt = performance.now();
  /** Rejected when the engine does not do what it must. */
  private readonly lost = Promise.withResolvers<never>();
  private readonly over = new AbortController();
  private readonly gauge = new UsageGauge();
  private stopping = false;
  private paused = false;

  constructor(started: StartedContainer) {
    this.started = started;
    this.container = started.client.getContainer(started.id);
    this.ended = this.finish().finally(() => {
      this.over.abort();
      started.release();
    });
    lookRegularly(() => this.look(), this.over.signal);
    // The last moment: with the container its control groups go, and what they count.
    started.onSilence(() => this.noteCgroups());
    // Nobody reads on when the sink has failed, and a task that nobody reads would hang.
    void started.output.done.then((error) => (error === undefined ? undefined : this.signal('SIGKILL')));
  }

  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    // The engine signals no frozen container.
    if (this.paused) await Promise.race([this.container.unpause().catch(() => {}), this.after(STOP_SLACK_MS)]);
    if (graceMs > 0) {
      void this.signal('SIGTERM');
      await this.after(graceMs);
    }
    if (!this.over.signal.aborted) {
      void this.signal('SIGKILL');
      await this.after(STOP_SLACK_MS);
    }
    this.lost.reject(new Error('it did not end the container in time'));
    await this.ended;
  }

  async pause(): Promise<void> {
    if (this.over.signal.aborted || this.paused) return;
    this.paused = true;
    await this.container.pause().catch((error: unknown) => {
      this.paused = false;
      this.failUnlessOver(error);
    });
  }

  async resume(): Promise<void> {
    if (this.over.signal.aborted || !this.paused) return;
    this.paused = false;
    await this.container.unpause().catch((error: unknown) => this.failUnlessOver(error));
  }

  async limitCpu(share: number): Promise<void> {
    if (this.over.signal.aborted) return;
    await limitCpus(this.started, this.started.cpus * share).catch((error: unknown) => this.failUnlessOver(error));
  }

  async cpuMs(): Promise<number | undefined> {
    if (this.over.signal.aborted) return undefined;
    const { cgroups, id } = this.started;
    const reading = cgroups.read(id) ?? (await this.askEngine());
    this.gauge.note(reading);
    return reading.cpuMs;
  }

  /** Where the control groups cannot be seen, the engine is asked: on a Mac, on Windows, or on another machine. */
  private async look(): Promise<void> {
    const { cgroups, id } = this.started;
    if (cgroups.wantsToLearn) {
      const found = await this.container.inspect().catch(() => undefined);
      if (found?.State.Running === true) cgroups.learn(id, found.State.Pid);
    }
    if (!this.noteCgroups()) this.gauge.note(await this.askEngine());
  }

  private noteCgroups(): boolean {
    const reading = this.started.cgroups.read(this.started.id);
    if (reading !== undefined) this.gauge.note(reading);
    return reading !== undefined;
  }

  private async askEngine(): Promise<UsageReading> {
    const stats: unknown = await this.container.stats({ stream: false, 'one-shot': true }).catch(() => undefined);
    return readStats(stats);
  }

  private async finish(): Promise<RunEnd> {
    const { client, id, output, engine } = this.started;
    let exitCode: number;
    try {
      exitCode = await Promise.race([waitForExit(client, id), this.lost.promise]);
    } catch (error) {
      const ranForMs = performance.now() - this.startedAt;
      engine.forget();
      output.finish(LOST_OUTPUT_IDLE_MS);
      await output.done;
      const message = `The container engine was lost while the task ran: ${reasonOf(error)}`;
      return { reason: 'infrastructure', exitCode: null, message, ranForMs, ...this.gauge.usage };
    }
    const ranForMs = performance.now() - this.startedAt;
    output.finish(OUTPUT_IDLE_MS);
    const why = exitCode === 0 ? undefined : explainExit(this.started, exitCode, this.stopping);
    const sinkError = await output.done;
    const ran = { exitCode, ranForMs, ...this.gauge.usage };
    if (sinkError !== undefined) {
      return { reason: 'infrastructure', message: `The output of the task could not be kept: ${sinkError.message}`, ...ran };
    }
    return { ...((await why) ?? { reason: 'completed', message: null }), ...ran };
  }

  private async signal(name: string): Promise<void> {
    // One that has just ended cannot be signalled, and an engine that is away is noticed by whoever waits for the end.
    await this.container.kill({ signal: name }).catch(() => {});
  }

  /** Resolves after `ms`, or when the run is over. */
  private async after(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.over.signal }).catch(() => {});
  }

  private failUnlessOver(error: unknown): void {
    if (!this.over.signal.aborted) throw error;
  }
}

/** Docker's request is unknown to Podman before 5.1; its own is older. */
async function limitCpus({ client, facts, id }: StartedContainer, cpus: number): Promise<void> {
  if (!facts.isPodman) {
    await client.getContainer(id).update({ NanoCpus: nanoCpus(cpus) });
    return;
  }
  const period = 100_000;
  await post(client, `/v4.0.0/libpod/containers/${id}/update`, {
    cpu: { period, quota: Math.round((nanoCpus(cpus) / 1e9) * period) },
  });
}

/** The engine's own reading of a container, of either version of control groups; without memory for one that has ended. */
function readStats(stats: unknown): UsageReading {
  const { cpu_stats: cpu, memory_stats: memory } = (stats ?? {}) as { cpu_stats?: { cpu_usage?: Cells }; memory_stats?: Cells };
  const nanoseconds = numberIn(cpu?.cpu_usage?.total_usage);
  const used = numberIn(memory?.usage);
  const details = memory?.stats as Cells | undefined;
  const droppable = numberIn(details?.total_inactive_file) ?? numberIn(details?.inactive_file) ?? 0;
  return {
    cpuMs: nanoseconds === undefined || used === undefined ? undefined : nanoseconds / 1e6,
    ramBytes: used === undefined ? undefined : withoutDroppable(used, numberIn(memory?.max_usage) ?? used, droppable),
  };
}

type Cells = Readonly<Record<string, unknown>>;

function numberIn(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** Why a command ended with another exit code than 0. */
async function explainExit(started: StartedContainer, exitCode: number, stopping: boolean): Promise<Pick<RunEnd, 'reason' | 'message'>> {
  try {
    const state = (await started.client.getContainer(started.id).inspect()).State;
    if (state.OOMKilled && !stopping) {
      return { reason: 'out-of-memory', message: `The task needed more memory than its limit of ${started.memoryMb} MiB and was killed.` };
    }
    // An engine that shuts down kills its containers and still reports their ends, but accepts no new connection.
    if (stopping || !KILLED_BY.has(exitCode) || (await started.engine.answers())) {
      return { reason: 'exit', message: exitMessage(exitCode) };
    }
  } catch (error) {
    return { reason: 'infrastructure', message: `The container engine was lost when the task ended: ${reasonOf(error)}` };
  }
  started.engine.forget();
  return { reason: 'infrastructure', message: 'The container engine stopped while the task ran.' };
}
