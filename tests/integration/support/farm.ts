import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import { type Client, createClient } from '../../../electron/api/client.ts';
import type { Connection } from '../../../electron/compose/coordinator.ts';
import { splitAddress } from '../../../shared/address.ts';
import { isTerminal, type JobSpecInput, type TaskState } from '../../../shared/job.ts';
import type { coordinatorSettingsSchema, workerSettingsSchema } from '../../../shared/settings.ts';
import type { JobView, NodeView, ViewEvent } from '../../../shared/view.ts';
import { inviteWorker, LOOPBACK } from '../../fakes/devices.ts';

/** A farm of real processes on this machine: `lanyard up` for the coordinator and for each worker. */

const MAIN = new URL('../../../electron/cli/main.ts', import.meta.url).pathname;

export type CoordinatorInput = z.input<typeof coordinatorSettingsSchema>;
export type WorkerInput = z.input<typeof workerSettingsSchema>;

/** One `lanyard up`. */
export interface Program {
  readonly process: ChildProcess;
  readonly dataFolder: string;
  /** All it wrote to its standard error. */
  readonly logFile: string;
  /** Ends it as a user would (SIGTERM), or pulls the plug; resolves when it is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export interface TestFarm {
  readonly folder: string;
  readonly client: Client;
  readonly connection: Connection;
  readonly coordinator: Program;
  /** @returns once the coordinator knows it (and may have given it work) */
  addWorker(name: string, settings?: WorkerInput): Promise<Program>;
  /** Starts the coordinator again on its port and data, after it was ended. */
  startCoordinatorAgain(): Promise<void>;
  submit(spec: JobSpecInput): Promise<JobView>;
  /** Waits on the event stream, through restarts of the coordinator, until `predicate` holds for the job. */
  until(job: number, predicate: (job: JobView) => boolean): Promise<JobView>;
  untilEnded(job: number): Promise<JobView>;
  untilNode(name: string, predicate: (node: NodeView) => boolean): Promise<NodeView>;
  /** The text of the newest attempt's log of a task. */
  logOf(job: number, index?: number): Promise<string>;
  countTasks(job: number, state: TaskState): Promise<number>;
  /** Ends everything that was started and removes the folder. */
  close(): Promise<void>;
}

/** Short times, so that tests of lost nodes need not wait long; the rules are the same. */
const QUICK: CoordinatorInput = {
  ...LOOPBACK,
  heartbeatMs: 500,
  offlineAfterMs: 3_000,
  connectionGraceMs: 1_000,
  cooldownMs: 1_000,
  cooldownMaxMs: 4_000,
};

/** @param prepare is given the coordinator's data folder before the coordinator starts on it */
export async function startFarm(
  coordinatorSettings: CoordinatorInput = {},
  prepare: (coordinatorFolder: string) => Promise<void> = async () => undefined,
): Promise<TestFarm> {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-farm-'));
  const programs: Program[] = [];
  const coordinatorFolder = join(folder, 'coordinator');
  const closing = new AbortController();
  await prepare(coordinatorFolder);

  const up = async (ports: { readonly port: number; readonly peerPort: number }) => {
    const program = start(coordinatorFolder, ['--only', 'coordinator'], { coordinator: { ...QUICK, ...coordinatorSettings, ...ports } });
    programs.push(program);
    const connection = await connectionOf(program);
    return { program, connection };
  };
  let { program: coordinator, connection } = await up({ port: coordinatorSettings.port ?? 0, peerPort: 0 });
  const client = createClient({ url: connection.url, token: connection.token });

  const watchUntil = async <T>(find: (event: ViewEvent) => T | undefined): Promise<T> => {
    const stop = new AbortController();
    try {
      for await (const event of client.watch(AbortSignal.any([stop.signal, closing.signal]))) {
        const found = find(event);
        if (found !== undefined) return found;
      }
      throw new Error('the event stream ended');
    } finally {
      stop.abort();
    }
  };

  const until = async (job: number, predicate: (view: JobView) => boolean) =>
    watchUntil((event) => event.jobs.find((view) => view.id === job && predicate(view)));

  const untilNode = async (name: string, predicate: (view: NodeView) => boolean) =>
    watchUntil((event) => event.nodes.find((view) => view.description.name === name && predicate(view)));

  return {
    folder,
    client,
    get connection() {
      return connection;
    },
    get coordinator() {
      return coordinator;
    },
    async addWorker(name, settings = {}) {
      const worker: WorkerInput = { discovery: false, docker: false, maxParallel: 2, ramMb: 4_096, stopGraceMs: 1_000, ...settings, name };
      const program = start(join(folder, name), ['--only', 'worker'], { worker }, { LANYARD_INVITE: await inviteWorker(client) });
      programs.push(program);
      await Promise.race([untilNode(name, ({ status }) => status !== 'OFFLINE'), exitOf(program)]);
      return program;
    },
    async startCoordinatorAgain() {
      ({ program: coordinator, connection } = await up({
        port: Number(new URL(connection.url).port),
        peerPort: splitAddress(connection.peer).port,
      }));
    },
    submit: (spec) => client.call('submitJob', { body: spec }),
    until,
    untilEnded: (job) => until(job, ({ state }) => isTerminal(state)),
    untilNode,
    async logOf(job, index = 0) {
      const { task } = await client.call('getTask', { params: { job, index } });
      let text = '';
      for await (const record of client.followLog(`${task.id}.${task.attempt}` as never)) text += Buffer.from(record.bytes).toString();
      return text;
    },
    countTasks: async (job, state) => (await client.call('getJob', { params: { job } })).counts[state],
    async close() {
      closing.abort();
      await Promise.all(programs.map((program) => program.end('SIGKILL')));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function start(
  dataFolder: string,
  options: readonly string[],
  settings: { coordinator?: CoordinatorInput; worker?: WorkerInput },
  env: Readonly<Record<string, string>> = {},
): Program {
  const flags = [...settingFlags(settings.coordinator ?? {}, COORDINATOR_FLAGS), ...settingFlags(settings.worker ?? {}, WORKER_FLAGS)];
  const child = spawn(process.execPath, [MAIN, 'up', '--data', dataFolder, ...options, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const logFile = `${dataFolder}.log`;
  const log = createWriteStream(logFile, { flags: 'a' });
  child.stderr.pipe(log, { end: false });
  child.stdout.pipe(log, { end: false });
  const exited = once(child, 'exit').then(() => log.end());
  return {
    process: child,
    dataFolder,
    logFile,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await exited;
    },
  };
}

/** Where the flag is not the setting's name in kebab case. */
const COORDINATOR_FLAGS: Readonly<Record<string, string>> = { farmName: 'farm' };
const WORKER_FLAGS: Readonly<Record<string, string>> = { host: 'allow-host', labels: 'label', allowedImages: 'allowed-image' };

function settingFlags(settings: Readonly<Record<string, unknown>>, names: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([key, value]) => {
    const flag = names[key] ?? key.replace(/Ms$/, '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (typeof value === 'boolean') return [value ? `--${flag}` : `--no-${flag}`];
    if (key.endsWith('Mb')) return [`--${flag}`, `${value}m`];
    if (Array.isArray(value)) return value.flatMap((one) => [`--${flag}`, String(one)]);
    if (typeof value === 'object' && value !== null)
      return Object.entries(value).flatMap(([name, text]) => [`--${flag}`, `${name}=${text}`]);
    return [`--${flag}`, String(value)];
  });
}

/** The most memory that a program has held so far. */
export async function peakMemoryMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

async function exitOf(program: Program): Promise<never> {
  if (program.process.exitCode === null) await once(program.process, 'exit');
  throw new Error(`a program ended: ${await readFile(program.logFile, 'utf8')}`);
}

/** The coordinator says where it listens by one line of JSON on its standard output (`--json`), or here by its file. */
async function connectionOf(program: Program): Promise<Connection> {
  const ready = new Promise<void>((resolve) => {
    let text = '';
    program.process.stdout?.on('data', (part: Buffer) => {
      text += part.toString();
      if (text.includes('http://')) resolve();
    });
    program.process.stderr?.on('data', (part: Buffer) => {
      text += part.toString();
      if (text.includes('the coordinator is up')) resolve();
    });
  });
  await Promise.race([ready, exitOf(program)]);
  return JSON.parse(await readFile(join(program.dataFolder, 'connection.json'), 'utf8')) as Connection;
}
