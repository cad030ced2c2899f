import { LanyardError } from '../../shared/errors.ts';
import type { EndReason } from '../../shared/job.ts';
import type { Assignment, AttemptEnd, Phase, Work } from '../../shared/protocol.ts';
import { fillCommand, fillTemplate, parameterEnvironment } from '../../shared/tasks.ts';
import type { Executor, LogSink, Run, RunEnd } from '../ports/executor.ts';
import type { BlobTransfer } from '../ports/files.ts';
import type { LogSpool, LogSpools, Workspace, Workspaces } from '../ports/workspace.ts';

/** What an attempt needs of the machine it runs on. */
export interface AttemptTools {
  readonly workspaces: Workspaces;
  readonly spools: LogSpools;
  readonly transfer: BlobTransfer;
  /** Share of its CPU that a slowed command keeps, 0 to 1. */
  readonly slowShare: number;
  /** @returns the executor that serves this job here, or undefined when it is switched off or absent */
  executorFor(work: Work): Executor | undefined;
  /** Counts task output, in bytes. */
  printed(bytes: number): void;
}

export interface AttemptListener {
  phase(phase: Phase): void;
  started(run: Run): void;
  /** The attempt has its first output: from now on its log can be read. */
  spooling(spool: LogSpool): void;
}

/** One attempt on this machine, from its assignment to its uploaded outputs. */
export interface RunningAttempt {
  /** How it ended; never rejects. */
  readonly finished: Promise<AttemptEnd>;
  /** Resolves behind `finished`, when its folder is gone or cannot be removed; never rejects. */
  readonly cleared: Promise<void>;
  /** Whatever it is at, it stops: what runs is asked to end and killed after `graceMs`. */
  end(graceMs: number): void;
  /** Holds what runs of it back, or lets it go on. */
  throttle(level: 'run' | 'slow' | 'pause'): Promise<void>;
}

/** Ends the attempt early with this reason; thrown inside, never out. */
class Early extends Error {
  readonly reason: EndReason;
  constructor(reason: EndReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

export function runAttempt(tools: AttemptTools, assignment: Assignment, work: Work, listener: AttemptListener): RunningAttempt {
  const stopping = new AbortController();
  let run: Run | undefined;
  let graceMs = 0;
  let throttling: Promise<void> = Promise.resolve();

  const attempt = new AttemptLife(tools, assignment, work, listener, stopping.signal, (started) => {
    run = started;
    if (stopping.signal.aborted) void started.stop(graceMs);
  });
  const finished = attempt.live();
  return {
    finished,
    // Nobody who waits for the end has to wait for this.
    cleared: finished.then(() => attempt.clear()),
    end(grace) {
      graceMs = grace;
      stopping.abort();
      void run?.stop(grace);
    },
    throttle(level) {
      const apply = async () => {
        if (run === undefined || stopping.signal.aborted) return;
        if (level === 'pause') return await run.pause();
        await run.limitCpu(level === 'slow' ? tools.slowShare : 1);
        await run.resume();
      };
      // One after the other, in the order that was asked for.
      throttling = throttling.catch(() => undefined).then(apply);
      return throttling;
    },
  };
}

class AttemptLife {
  private readonly tools: AttemptTools;
  private readonly assignment: Assignment;
  private readonly work: Work;
  private readonly listener: AttemptListener;
  private readonly signal: AbortSignal;
  private readonly onRun: (run: Run) => void;
  private spool: LogSpool | undefined;
  private opening: Promise<LogSpool> | undefined;
  private workspace: Workspace | undefined;
  /** What its command was, once it is over: an end that comes of its outputs still says what it cost. */
  private ran: Partial<AttemptEnd> = {};

  constructor(
    tools: AttemptTools,
    assignment: Assignment,
    work: Work,
    listener: AttemptListener,
    signal: AbortSignal,
    onRun: (run: Run) => void,
  ) {
    this.tools = tools;
    this.assignment = assignment;
    this.work = work;
    this.listener = listener;
    this.signal = signal;
    this.onRun = onRun;
  }

  async live(): Promise<AttemptEnd> {
    let end: AttemptEnd;
    try {
      end = await this.runToEnd();
    } catch (error) {
      end = { ...toEnd(error), ...this.ran };
    }
    // A message that explains the end belongs into the log too: that is where people look first.
    if (end.message !== null && end.reason !== 'completed') await this.say(end.message).catch(() => undefined);
    const spool = this.spool ?? (await this.opening?.catch(() => undefined));
    const logBytes = (await spool?.end().catch(() => undefined)) ?? 0;
    return { ...end, logBytes };
  }

  async clear(): Promise<void> {
    await this.workspace?.remove().catch(() => undefined);
  }

  private async runToEnd(): Promise<AttemptEnd> {
    const executor = this.tools.executorFor(this.work);
    if (executor === undefined) throw new Early('executor-unavailable', missingExecutor(this.work));

    const refused = await executor.prepare(this.work.image, (phase) => this.listener.phase(phase), this.signal);
    this.checkStopped();
    if (refused !== undefined) throw new Early(refused.reason, refused.message);

    const folder = executor.kind === 'null' ? '' : await this.openWorkspace();
    this.listener.phase({ phase: 'starting', done: 0, total: 0 });
    const run = await executor.start(this.runSpec(folder), this.sink);
    if (!('ended' in run)) throw new Early(run.reason, run.message);
    this.onRun(run);
    this.listener.started(run);
    const end = await run.ended;
    this.ran = { started: true, ranForMs: end.ranForMs, cpuMs: end.cpuMs, peakRamMb: end.peakRamMb };
    if (this.workspace === undefined) return finishedEnd(end);
    if (end.reason === 'exit') return await this.blame(finishedEnd(end), this.workspace);
    if (end.reason !== 'completed') return finishedEnd(end);
    return { ...finishedEnd(end), ...(await this.collect(this.workspace)) };
  }

  /** A command that failed for want of the machine's disk may run elsewhere, at no cost. */
  private async blame(end: AttemptEnd, workspace: Workspace): Promise<AttemptEnd> {
    if (this.signal.aborted) return end;
    const shortage = await workspace.diskShortage(this.work.requirements.diskMb).catch(() => undefined);
    if (shortage === undefined) return end;
    return { ...end, reason: 'infrastructure', message: `${end.message ?? 'The command failed.'} Then ${shortage}.` };
  }

  private async openWorkspace(): Promise<string> {
    const { input } = this.work;
    const files = [...this.work.files, ...(this.assignment.files ?? [])];
    const result = await this.tools.workspaces.create(
      this.assignment.attempt,
      input,
      files,
      (phase) => this.listener.phase(phase),
      this.signal,
    );
    if ('workspace' in result) this.workspace = result.workspace;
    this.checkStopped();
    if ('refused' in result) throw new Early(result.refused, result.message);
    return result.workspace.folder;
  }

  private runSpec(folder: string) {
    const { parameters, attempt, gpus = [] } = this.assignment;
    const { work } = this;
    const [job = ''] = attempt.split('.', 1);
    const env: Record<string, string> = { ...parameterEnvironment(parameters), LANYARD_JOB: job, LANYARD_ATTEMPT: attempt };
    if (gpus.length > 0) env.LANYARD_GPUS = gpus.join(',');
    for (const [name, value] of Object.entries(work.env)) env[name] = fillTemplate(value, parameters);
    return {
      attempt,
      folder,
      workdir: work.workdir,
      command: fillCommand(work.command, parameters),
      image: work.image,
      env,
      cpu: work.requirements.cpu,
      ramMb: work.requirements.ramMb,
      gpus,
      network: work.network,
    };
  }

  /** Finds the promised outputs and brings them to the coordinator. */
  private async collect(workspace: Workspace): Promise<Partial<AttemptEnd>> {
    const globs = this.work.outputs.map((glob) => fillTemplate(glob, this.assignment.parameters));
    if (globs.length === 0) return {};
    this.listener.phase({ phase: 'collecting', done: 0, total: 0 });
    const { files, missing } = await workspace.collect(globs, this.work.workdir);
    if (missing.length > 0)
      throw new Early('output-missing', `The command ended well, but no file matches ${missing.map((glob) => `"${glob}"`).join(', ')}.`);
    const total = files.reduce((sum, file) => sum + file.bytes, 0);
    let before = 0;
    const outputs: AttemptEnd['outputs'][number][] = [];
    for (const file of files) {
      const report = (done: number) => this.listener.phase({ phase: 'uploading', done: Math.min(before + done, total), total });
      const { blob, bytes } = await this.tools.transfer.upload(file.source, report, this.signal);
      before += file.bytes;
      outputs.push({ path: file.path, bytes, blob });
    }
    return { outputs };
  }

  /** The spool is made with the first byte: most short tasks print nothing. */
  private readonly sink: LogSink = (stream, bytes) => {
    this.tools.printed(bytes.byteLength);
    if (this.spool !== undefined) return this.spool.write(stream, bytes);
    return this.openSpool().then((spool) => spool.write(stream, bytes));
  };

  private openSpool(): Promise<LogSpool> {
    this.opening ??= this.tools.spools.open(this.assignment.attempt).then((spool) => {
      this.spool = spool;
      this.listener.spooling(spool);
      return spool;
    });
    return this.opening;
  }

  private async say(message: string): Promise<void> {
    const spool = await this.openSpool();
    await spool.write('system', new TextEncoder().encode(`${message}\n`));
  }

  private checkStopped(): void {
    if (this.signal.aborted) throw new Early('cancelled', 'It was stopped before it ran.');
  }
}

function finishedEnd(end: RunEnd): AttemptEnd {
  return { ...end, outputs: [], started: true, logBytes: 0 };
}

const NOTHING_RAN = { exitCode: null, outputs: [], started: false, ranForMs: 0, cpuMs: null, peakRamMb: null, logBytes: 0 };

/** Errors on the way are the machine's or the network's, unless they say otherwise. */
function toEnd(error: unknown): AttemptEnd {
  const reason: EndReason = error instanceof Early ? error.reason : invalidOutput(error) ? 'output-missing' : 'infrastructure';
  const message = error instanceof Error ? error.message : String(error);
  return { ...NOTHING_RAN, reason, message: message.slice(0, 4_000) };
}

/** Outputs whose names are refused, or too many of them. */
function invalidOutput(error: unknown): boolean {
  return error instanceof LanyardError && (error.code === 'INVALID' || error.code === 'TOO_LARGE');
}

function missingExecutor(work: Work): string {
  return work.image === null
    ? 'This machine does not run jobs without a container; its owner can allow it (host executor).'
    : 'This machine has no container engine that answers.';
}
