import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Client, createClient } from '../../../electron/api/client.ts';
import type { Connection } from '../../../electron/compose/coordinator.ts';
import { isTerminal } from '../../../shared/job.ts';
import type { JobView, NodeView } from '../../../shared/view.ts';
import { inviteWorker } from '../../fakes/devices.ts';
import { watchUntil } from '../../fakes/watch.ts';
import type { Host } from './hosts.ts';

/** The real program on the hosts of a LAN, and a test's way to speak with it. */

export const MAIN = fileURLToPath(new URL('../../../electron/cli/main.ts', import.meta.url));
const RELAY = fileURLToPath(new URL('relay.ts', import.meta.url));

/** Times that tests need not wait long for. */
export const QUICK = { offlineAfterMs: 3_000 } as const;
const QUICK_FLAGS = ['--heartbeat', '1000', '--offline-after', String(QUICK.offlineAfterMs), '--cooldown', '100', '--cooldown-max', '100'];
const FLAGS = ['--default-image', 'none'];
const WORKER_FLAGS = ['--no-docker', '--allow-host', '--max-parallel', '2', '--stop-grace', '500'];

/** `lanyard up` on a host. */
export interface Program {
  readonly host: Host;
  readonly name: string;
  readonly dataFolder: string;
  /** Its node's id. */
  readonly id: string;
  /** Of this machine's coordinator. @throws when it has none */
  client(): Promise<FarmClient>;
  log(): Promise<string>;
  /** Resolves when its log has such a line. */
  untilLogged(text: string): Promise<void>;
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts it again, on its data. */
  start(): Promise<void>;
}

export interface FarmClient extends Client {
  untilEnded(job: number): Promise<JobView>;
  untilJob(job: number, predicate: (job: JobView) => boolean): Promise<JobView>;
  untilNode(name: string, predicate: (node: NodeView) => boolean): Promise<NodeView>;
  invite(): Promise<string>;
  logOf(job: number, index?: number): Promise<string>;
}

export interface ProgramOptions {
  readonly folder: string;
  readonly name: string;
  /** Ends what waits. */
  readonly signal: AbortSignal;
  readonly invite?: string;
  readonly flags?: readonly string[];
  /** Those of the settings, or (unless given) quick ones. */
  readonly times?: 'default';
}

export async function startProgram(host: Host, options: ProgramOptions): Promise<Program> {
  const { name, folder, signal, invite, flags = [], times } = options;
  const dataFolder = join(folder, name);
  const logFile = `${dataFolder}.log`;
  const args = ['up', '--json', '--data', dataFolder, '--name', name, ...FLAGS, ...WORKER_FLAGS, ...flags];
  if (times === undefined) args.push(...QUICK_FLAGS);
  let child: ChildProcess;
  let id = '';

  const start = async () => {
    const join_ = invite === undefined ? [] : ['--join', invite];
    child = host.spawn('sh', ['-c', 'exec "$@" 2>> "$0"', logFile, process.execPath, MAIN, ...args, ...join_]);
    id = (JSON.parse(await firstLine(child, logFile)) as { node: string }).node;
  };
  await start();
  return {
    host,
    name,
    dataFolder,
    get id() {
      return id;
    },
    client: () => clientOn(host, dataFolder, signal),
    log: () => readFile(logFile, 'utf8'),
    async untilLogged(text) {
      while (!(await readFile(logFile, 'utf8')).includes(text)) {
        signal.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async end(how) {
      const exited = once(child, 'exit');
      child.kill(how);
      await exited;
    },
    start,
  };
}

/** A program's first line; the reason of its end when it ends without one. */
export async function firstLine(child: ChildProcess, logFile?: string): Promise<string> {
  if (child.stdout === null) throw new Error('no pipe');
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'exit').then(async () => {
    throw new Error(`the program ended: ${logFile === undefined ? '' : await readFile(logFile, 'utf8')}`);
  });
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
  ended.catch(() => undefined);
  lines.on('line', () => undefined);
  return line;
}

let relays = 0;

async function clientOn(host: Host, dataFolder: string, signal: AbortSignal): Promise<FarmClient> {
  const connection = JSON.parse(await readFile(join(dataFolder, 'connection.json'), 'utf8')) as Connection;
  relays += 1;
  const path = `${dataFolder}.${relays}.sock`;
  await firstLine(host.spawn(process.execPath, [RELAY, path, new URL(connection.url).port]));
  const server = createServer((near) => {
    const far = connect(path);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  server.unref();
  await once(server, 'listening');
  signal.addEventListener('abort', () => server.close(), { once: true });
  const client = createClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: connection.token });
  const untilJob = (job: number, predicate: (view: JobView) => boolean) =>
    watchUntil(client, ({ jobs }) => jobs.find((view) => view.id === job && predicate(view)), signal);
  return {
    ...client,
    untilJob,
    untilEnded: (job) => untilJob(job, ({ state }) => isTerminal(state)),
    untilNode: (name, predicate) =>
      watchUntil(client, ({ nodes }) => nodes.find((view) => view.description.name === name && predicate(view)), signal),
    invite: () => inviteWorker(client),
    async logOf(job, index = 0) {
      const { task } = await client.call('getTask', { params: { job, index } });
      let text = '';
      for await (const record of client.followLog(`${task.id}.${task.attempt}` as never)) text += Buffer.from(record.bytes).toString();
      return text;
    },
  };
}
