import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Executor, LogSink, Run, RunEnd, RunRefused, RunSpec } from '../ports/executor.ts';
import type { Logger } from '../ports/system.ts';
import { exitMessage } from './exit-message.ts';
import { type OutputPump, pumpOutput } from './output.ts';
import {
  createGroupRecords,
  type GroupRecords,
  groupLives,
  groupUsage,
  leaderCpuMs,
  recentGroupUsage,
  signalGroup,
} from './process-groups.ts';
import { createThrottle } from './throttle.ts';
import { lookRegularly, UsageGauge } from './usage-gauge.ts';

export interface HostExecutorOptions {
  /** Whether the owner of the machine lets jobs run without a container. */
  readonly enabled: boolean;
  /** The node's own folder: running process groups are written down there, so that its next life can end them. */
  readonly folder: string;
  readonly logger: Logger;
}

const WINDOWS = process.platform === 'win32';
/** How long after its end a command's pipes may stay silent before they are closed: a process that left the group may hold them. */
const OUTPUT_IDLE_MS = 1_000;
const GROUP_POLL_MS = 10;
/** How long killed processes may take to go; one that hangs in a broken file system cannot be waited for. */
const GROUP_GONE_MS = 10_000;
/** Variables without which programs do not start; nothing else of this process' environment is passed on. */
const PASSED_ON = WINDOWS
  ? [
      'PATH',
      'PATHEXT',
      'SystemRoot',
      'SystemDrive',
      'ComSpec',
      'TEMP',
      'TMP',
      'NUMBER_OF_PROCESSORS',
      'PROCESSOR_ARCHITECTURE',
      'ProgramFiles',
    ]
  : ['PATH', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

/**
 * Runs commands as processes of this machine and user, each in a process group of its own that is ended as a whole.
 * They share the machine's files and network; memory and CPU are not limited, only their priority is lower.
 */
export function createHostExecutor(options: HostExecutorOptions): Executor {
  const { enabled, logger } = options;
  const records = createGroupRecords(join(options.folder, 'process-groups'));
  const off = 'The host executor is switched off on this node.';
  return {
    kind: 'host',
    status: async () => ({ available: enabled, message: enabled ? 'Jobs may run without a container, as this user.' : off }),
    prepare: async () => undefined,
    start: async (run, sink) => (enabled ? await start(run, sink, records, logger) : { reason: 'executor-unavailable', message: off }),
    async removeStrays() {
      const ended = await records.endStrays();
      if (ended > 0) logger.info('Process groups of an earlier life were ended', { count: ended });
    },
    close: async () => {},
  };
}

/** The environment of a command: the job's, over the little that programs need. */
export function hostEnvironment(folder: string, env: Readonly<Record<string, string>>, own: NodeJS.ProcessEnv): Record<string, string> {
  const passed = PASSED_ON.flatMap((name): [string, string][] => (own[name] === undefined ? [] : [[name, own[name]]]));
  const home = WINDOWS ? { USERPROFILE: folder } : { HOME: folder };
  const fallback = WINDOWS ? {} : { PATH: ['/usr/local/bin', '/usr/bin', '/bin'].join(delimiter), LANG: 'C.UTF-8' };
  return { ...fallback, ...home, ...Object.fromEntries(passed), ...env };
}

/** Empty hides every card, so that work which was given none does not take another's. CUDA knows NVIDIA's cards only, by these ids. */
function cudaDevices(gpus: readonly string[]): string {
  return gpus.filter((id) => /^(GPU|MIG)-/.test(id)).join(',');
}

async function start(run: RunSpec, sink: LogSink, records: GroupRecords, logger: Logger): Promise<Run | RunRefused> {
  const folder = join(run.folder, run.workdir);
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) return { reason: 'infrastructure', message: `The working folder ${run.workdir} is not there.` };
  let child: ChildProcess;
  try {
    child = launch(run, folder);
  } catch (error) {
    return refusal(error as NodeJS.ErrnoException, run);
  }
  if (child.pid === undefined) return refusal((await once(child, 'error'))[0] as NodeJS.ErrnoException, run);
  const group = child.pid;
  // Read from the first moment on: what nobody reads is thrown away when the command ends.
  const outputs = [
    pumpOutput(child.stdout as Readable, (bytes) => sink('stdout', bytes)),
    pumpOutput(child.stderr as Readable, (bytes) => sink('stderr', bytes)),
  ];
  lowerPriority(group);
  await records.add(group).catch((error: unknown) => {
    logger.warn('A process group could not be written down; it would outlive a crash', { group, error: String(error) });
  });
  return watch(child, group, outputs, () => records.remove(group));
}

function launch(run: RunSpec, folder: string): ChildProcess {
  const env = { ...hostEnvironment(run.folder, run.env, process.env), CUDA_VISIBLE_DEVICES: cudaDevices(run.gpus) };
  const settings = { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] as const, windowsHide: true };
  if (typeof run.command === 'string') {
    if (WINDOWS) {
      const shell = process.env.ComSpec ?? 'cmd.exe';
      return spawn(shell, ['/d', '/s', '/c', `"${run.command}"`], { ...settings, windowsVerbatimArguments: true } as object);
    }
    return spawn('/bin/sh', ['-c', run.command], { ...settings, detached: true } as object);
  }
  const [program, ...programArguments] = run.command;
  return spawn(program as string, programArguments, { ...settings, detached: !WINDOWS } as object);
}

function refusal(failure: NodeJS.ErrnoException, run: RunSpec): RunRefused {
  const program = typeof run.command === 'string' ? '/bin/sh' : run.command[0];
  if (failure.code === 'ENOENT') return { reason: 'exit', message: `The command ${program} was not found on this machine.` };
  if (failure.code === 'EACCES') return { reason: 'exit', message: `The command ${program} could not be executed: permission denied.` };
  if (failure.code === 'E2BIG') return { reason: 'exit', message: 'The command and its environment are too long for this machine.' };
  return { reason: 'infrastructure', message: `The command could not be started: ${failure.message}` };
}

function lowerPriority(group: number): void {
  try {
    setPriority(group, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended already, or the system does not let us: a courtesy, no promise.
  }
}

/** Watches over a command that was just started as the leader of `group`. */
function watch(child: ChildProcess, group: number, outputs: readonly OutputPump[], forget: () => Promise<void>): Run {
  const startedAt = performance.now();
  const gauge = new UsageGauge();
  const over = new AbortController();
  let killAt = 0;
  let ended = false;
  // A task whose output nobody takes any more is ended.
  for (const output of outputs) void output.done.then((error) => (error === undefined ? undefined : signalGroup(group, 'SIGKILL')));

  lookRegularly(async () => gauge.note(await recentGroupUsage(group)), over.signal);
  // Its pipes close before anybody has taken note of its end: until then the system still knows the time that it took.
  for (const pipe of [child.stdout, child.stderr]) pipe?.once('end', () => gauge.note({ cpuMs: leaderCpuMs(group), ramBytes: undefined }));

  const finish = async (): Promise<RunEnd> => {
    const exitCode = await exitOf(child);
    over.abort();
    const ranForMs = performance.now() - startedAt;
    // Those it started may take the rest of the grace when it was asked to end; otherwise they end with it.
    while (performance.now() < killAt && (await groupLives(group))) await pause(GROUP_POLL_MS);
    signalGroup(group, 'SIGKILL');
    for (const output of outputs) output.finish(OUTPUT_IDLE_MS);
    const errors = await Promise.all(outputs.map((output) => output.done));
    const giveUpAt = performance.now() + GROUP_GONE_MS;
    while (performance.now() < giveUpAt && (await groupLives(group))) await pause(GROUP_POLL_MS);
    await forget();
    ended = true;
    const sinkError = errors.find((error) => error !== undefined);
    const ran = { exitCode, ranForMs, ...gauge.usage };
    if (sinkError !== undefined) {
      return { reason: 'infrastructure', message: `The output of the task could not be kept: ${sinkError.message}`, ...ran };
    }
    if (exitCode === 0) return { reason: 'completed', message: null, ...ran };
    return { reason: 'exit', message: exitMessage(exitCode), ...ran };
  };

  const end = finish();
  const throttle = createThrottle(group, () => ended);
  void end.then(throttle.release);
  return {
    ended: end,
    async stop(graceMs) {
      throttle.release();
      killAt = performance.now() + graceMs;
      const gone = new AbortController();
      void end.then(() => gone.abort());
      if (graceMs > 0) {
        signalGroup(group, 'SIGTERM');
        signalGroup(group, 'SIGCONT');
        await pause(graceMs, undefined, { signal: gone.signal }).catch(() => {});
      }
      if (!ended) signalGroup(group, 'SIGKILL');
      await end;
    },
    pause: async () => throttle.set({ frozen: true }),
    resume: async () => throttle.set({ frozen: false }),
    limitCpu: async (share) => throttle.set({ share }),
    async cpuMs() {
      if (ended) return undefined;
      const reading = await groupUsage(group);
      gauge.note(reading);
      return reading.cpuMs;
    },
  };
}

/** @returns the exit code; 128 and the signal's number for a command that a signal ended */
function exitOf(child: ChildProcess): Promise<number> {
  const code = (exitCode: number | null, signal: NodeJS.Signals | null) =>
    exitCode ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(code(child.exitCode, child.signalCode));
  return new Promise((resolve) => child.once('exit', (exitCode, signal) => resolve(code(exitCode, signal))));
}
