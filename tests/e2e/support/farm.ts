import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Client, createClient } from '../../../electron/api/client.ts';
import { openTokens } from '../../../electron/trust/tokens.ts';
import type { JobSpecInput } from '../../../shared/job.ts';

/** Reached from this machine only, on ports that are free. */
const LOOPBACK_FLAGS = ['--lan-host', '127.0.0.1', '--api-port', '0', '--no-discovery'];
const MAIN = join(import.meta.dirname, '../../../electron/cli/main.ts');

export interface WorkerWish {
  readonly name: string;
  readonly zone?: string;
  readonly maxParallel?: number;
  readonly labels?: readonly string[];
  /** Runs containers of this engine, and nothing without one; absent: runs commands on this machine as they are. */
  readonly engine?: string;
}

/** A real farm: the processes that `lanyard up` starts, on this machine and in a folder of their own. */
export interface TestFarm {
  readonly url: string;
  readonly token: string;
  /** The dashboard with an administrator's token. */
  readonly link: string;
  /** The dashboard with the token of somebody who may only look. */
  readonly viewerLink: string;
  readonly client: Client;
  submit(spec: JobSpecInput): Promise<number>;
  /** Kills the coordinator, as a power failure would, and starts it again on the same port and data. */
  restartCoordinator(whileDown?: () => Promise<void>): Promise<void>;
  addWorker(wish: WorkerWish): Promise<void>;
  stop(): Promise<void>;
}

export interface FarmWish {
  readonly farmName?: string;
  readonly workers: readonly WorkerWish[];
  /** How often a worker reports (ms). */
  readonly heartbeatMs?: number;
  /** What the whole farm shares, such as `nuke=2`. */
  readonly limits?: readonly string[];
}

export async function startFarm({ farmName = 'studio', workers, heartbeatMs = 500, limits = [] }: FarmWish): Promise<TestFarm> {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-e2e-'));
  const data = join(folder, 'farm');
  const [port, peerPort] = [await freePort(), await freePort()];
  await mkdir(data, { mode: 0o700 });
  const viewer = await (await openTokens(join(data, 'tokens.json'))).create('viewer', 'viewer');
  const up = () =>
    startLanyard([
      'up',
      '--only',
      'coordinator',
      '--data',
      data,
      ...LOOPBACK_FLAGS,
      '--port',
      String(port),
      '--peer-port',
      String(peerPort),
      '--heartbeat',
      `${heartbeatMs}ms`,
      '--farm',
      farmName,
      ...limits.flatMap((one) => ['--limits', one]),
    ]);
  let coordinator = await up();
  const { url, token } = JSON.parse(await readFile(join(data, 'connection.json'), 'utf8')) as Record<string, string>;
  const processes: ChildProcess[] = [];
  const client = createClient({ url: url as string, token: token as string });
  const farm: TestFarm = {
    url: url as string,
    token: token as string,
    link: `${url}/#token=${token}`,
    viewerLink: `${url}/#token=${viewer}`,
    client,
    submit: async (spec) => (await client.call('submitJob', { body: { image: null, ...spec } })).id,
    async restartCoordinator(whileDown) {
      await end(coordinator, 'SIGKILL');
      await whileDown?.();
      coordinator = await up();
    },
    async addWorker({ name, zone = '', maxParallel = 2, labels = [], engine }) {
      const self = ['--only', 'worker', '--no-discovery', '--data', join(folder, name), '--name', name];
      const executor = engine === undefined ? ['--allow-host', '--no-docker'] : ['--docker-socket', engine];
      const own = [...self, '--max-parallel', String(maxParallel), ...executor];
      const where = zone === '' ? [] : ['--zone', zone];
      const label = labels.flatMap((one) => ['--label', one]);
      const { text: invite } = await client.call('createInvite', { body: { role: 'worker', approve: true } });
      processes.push(await startLanyard(['up', '--join', invite, ...own, ...where, ...label]));
    },
    async stop() {
      await Promise.all([coordinator, ...processes].map((one) => end(one, 'SIGTERM')));
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  for (const worker of workers) await farm.addWorker(worker);
  return farm;
}

/** Starts a command that announces itself with one line of JSON, and waits for it. */
export async function startLanyard(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [MAIN, ...args, '--json', '--log-level', 'error'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const announced = await Promise.race([once(lines, 'line').then(() => true), once(child, 'exit').then(() => false)]);
  if (!announced) throw new Error(`lanyard ${args.join(' ')} ended at once`);
  return child;
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
