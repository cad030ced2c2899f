import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The real container engine that integration tests run against. */

export const ENGINE_SOCKET = process.env.LANYARD_TEST_SOCKET ?? '/var/run/docker.sock';
const START_MS = 60_000;

export interface TestEngine {
  readonly socket: string;
  /** Ends what was started here, and its containers. */
  stop(): Promise<void>;
}

/** An engine that a test may end and start again. */
export interface PrivateEngine extends TestEngine {
  /** Ends it as an operator would (SIGTERM), or abruptly, when its containers run on. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  start(): Promise<void>;
}

/** Whether somebody listens at a Unix socket. */
export function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}

/** Takes the engine that runs, or starts one; `stop` of the result ends only what was started here. */
export async function ensureEngine(): Promise<TestEngine> {
  if (await listens(ENGINE_SOCKET)) return { socket: ENGINE_SOCKET, stop: async () => {} };
  return await launch(ENGINE_SOCKET, temporaryFolder(), ['dockerd']);
}

/** An engine of its own, with its own containers and images, for a test that ends it. Images must be imported into it anew. */
export async function startPrivateEngine(): Promise<PrivateEngine> {
  const folder = temporaryFolder();
  const own = [
    // In a network of its own: an engine without a bridge would remove the other engine's.
    ...['unshare', '--net', 'dockerd'],
    ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
    ...['--bridge', 'none', '--iptables=false', '--ip-masq=false'],
  ];
  return await launch(join(folder, 'engine.sock'), folder, own);
}

async function launch(socket: string, folder: string, command: readonly string[]): Promise<PrivateEngine> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !isInstalled()) {
    throw new Error(`No container engine answers at ${socket}, and only root on Linux with dockerd installed can start one. See .ci/run.`);
  }
  mountControlGroups();
  let daemon: ChildProcess;
  const start = async () => {
    daemon = await startDaemon(socket, folder, command);
  };
  const kill = async (signal: NodeJS.Signals) => {
    if (daemon.exitCode !== null || daemon.signalCode !== null) return;
    const exited = once(daemon, 'exit');
    const containerd = join(folder, 'exec/containerd/containerd.pid');
    const child = existsSync(containerd) ? Number(readFileSync(containerd, 'utf8')) : 0;
    daemon.kill(signal);
    await exited;
    // Its own child dies with it, but a next engine would take the child's remains for a living one.
    if (child > 0) await gone(child);
  };
  await start();
  return {
    socket,
    start,
    kill,
    async stop() {
      // One that was killed left containers behind, which only it can find and end.
      if (daemon.signalCode === 'SIGKILL') await start();
      await kill('SIGTERM');
      unmountBelow(folder);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

async function startDaemon(socket: string, folder: string, command: readonly string[]): Promise<ChildProcess> {
  const log = openSync(join(folder, 'dockerd.log'), 'a');
  const [program, ...programArguments] = [...command, '--host', `unix://${socket}`, '--pidfile', join(folder, 'dockerd.pid')];
  const daemon = spawn(program as string, programArguments, { stdio: ['ignore', log, log] });
  closeSync(log);
  const deadline = Date.now() + START_MS;
  while (!(await listens(socket))) {
    if (daemon.exitCode !== null || Date.now() > deadline) throw new Error(`dockerd did not start; see ${join(folder, 'dockerd.log')}`);
    await pause(100);
  }
  return daemon;
}

/** An engine that starts again after it was killed no longer knows that it mounted its own data folder. */
export function unmountBelow(folder: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[1] ?? []);
  for (const path of mounts.reverse()) if (path.startsWith(`${folder}/`)) execFileSync('umount', [path]);
}

async function gone(processId: number): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (existsSync(`/proc/${processId}`)) {
    if (Date.now() > deadline) throw new Error(`process ${processId} does not go away`);
    await pause(50);
  }
}

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'lanyard-engine-'));
}

function isInstalled(): boolean {
  return existsSync('/usr/sbin/dockerd') || existsSync('/usr/bin/dockerd');
}

/** A machine without an init system may have no control groups mounted, which the engine needs. */
export function mountControlGroups(): void {
  if (existsSync('/sys/fs/cgroup/cgroup.controllers') || existsSync('/sys/fs/cgroup/memory')) return;
  mkdirSync('/sys/fs/cgroup', { recursive: true });
  execFileSync('mount', ['-t', 'cgroup2', 'cgroup2', '/sys/fs/cgroup']);
}
