import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { LanyardError } from '../../shared/errors.ts';
import { createClient } from '../api/client.ts';
import { readConnection } from './connection.ts';
import type { UpAnnouncement } from './up.ts';

const READY_MS = 30_000;
const END_MS = 15_000;
export const DEMO_WORKERS = ['worker-1', 'worker-2'] as const;

/** A coordinator and two workers, each a process of its own, on loopback. */
export interface DemoFarm {
  readonly url: string;
  readonly token: string;
  /** Rejects when one of the processes ends by itself. */
  readonly broken: Promise<never>;
  /** Ends all processes and waits until they are gone. */
  close(): Promise<void>;
}

export interface DemoFarmOptions {
  readonly dataFolder: string;
  /** Tasks run in containers; else on the machine itself. */
  readonly containers: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** @throws LanyardError when a process does not come up; none is left then */
export async function startDemoFarm(options: DemoFarmOptions): Promise<DemoFarm> {
  const parts: Part[] = [];
  const close = async () => {
    // Workers first: they say goodbye to a coordinator that is there.
    for (const part of parts.toReversed()) await part.close();
  };
  try {
    const coordinatorData = join(options.dataFolder, 'coordinator');
    const coordinator = startPart(options, 'coordinator', coordinatorData, [
      '--only',
      'coordinator',
      '--lan-host',
      '127.0.0.1',
      '--port',
      '0',
      '--api-port',
      '0',
      '--peer-port',
      '0',
      '--no-discovery',
      '--farm',
      'demo',
    ]);
    parts.push(coordinator);
    const { url } = await coordinator.ready;
    if (url === null) throw new Error('the coordinator is up without an address');
    const connection = await readConnection(coordinatorData);
    if (connection === undefined) throw new Error('the coordinator is up without a connection.json');
    const client = createClient(connection);
    for (const name of DEMO_WORKERS) {
      const { text: invite } = await client.call('createInvite', { body: { role: 'worker', approve: true }, signal: options.signal });
      const slots = Math.max(1, Math.floor(availableParallelism() / DEMO_WORKERS.length));
      const flags = [
        '--only',
        'worker',
        '--no-discovery',
        '--name',
        name,
        '--max-parallel',
        String(slots),
        ...(options.containers ? [] : ['--allow-host', '--no-docker']),
      ];
      // The invite goes by the environment: other users of the machine see command lines.
      parts.push(startPart(options, name, join(options.dataFolder, name), flags, { LANYARD_INVITE: invite }));
    }
    await Promise.all(parts.map((part) => part.ready));
    const broken = Promise.race(parts.map((part) => part.ended));
    // Ends that nobody waits for are those of `close`.
    broken.catch(() => undefined);
    return { url, token: connection.token, broken, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Part {
  readonly ready: Promise<UpAnnouncement>;
  /** Rejects when the process is gone. */
  readonly ended: Promise<never>;
  close(): Promise<void>;
}

function startPart(
  options: DemoFarmOptions,
  name: string,
  dataFolder: string,
  flags: readonly string[],
  extraEnv: Readonly<Record<string, string>> = {},
): Part {
  const main = join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? 'main.ts' : 'main.js');
  const logPath = join(options.dataFolder, `${name}.log`);
  // A group of its own, so that Ctrl-C reaches only the demo, which then ends its parts in order. Should the demo be killed, the
  // channel between them closes, and the part ends by itself.
  const child = spawn(process.execPath, [main, 'up', '--json', '--data', dataFolder, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
    windowsHide: true,
    env: { ...ownEnvironment(options.env), ...extraEnv },
  });
  const exited = once(child, 'exit').then(
    () => undefined,
    () => undefined,
  );
  child.stderr?.pipe(createWriteStream(logPath));
  const ended = exited.then(async () => {
    const tail = (await readFile(logPath, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-5).join('\n');
    throw new LanyardError({
      code: 'INTERNAL',
      message: `the demo's ${name} has ended by itself`,
      ...(tail === '' ? {} : { hint: `the end of its log: ${tail}` }),
    });
  });
  ended.catch(() => undefined);
  return { ended, ready: Promise.race([announcement(child, name, options.signal), ended]), close: () => end(child, exited) };
}

/** The first line that `lanyard up --json` prints says that it is up. */
async function announcement(child: ChildProcess, name: string, interrupted: AbortSignal): Promise<UpAnnouncement> {
  if (child.stdout === null) throw new Error('the process was started without a pipe');
  const signal = AbortSignal.any([interrupted, AbortSignal.timeout(READY_MS)]);
  try {
    const [line] = (await once(createInterface(child.stdout), 'line', { signal })) as [string];
    return JSON.parse(line) as UpAnnouncement;
  } catch (cause) {
    if (interrupted.aborted) throw interrupted.reason;
    throw new LanyardError({ code: 'INTERNAL', message: `the demo's ${name} is not up after ${READY_MS / 1000} s` }, { cause });
  }
}

async function end(child: ChildProcess, exited: Promise<undefined>): Promise<void> {
  if (child.connected) child.disconnect();
  const kill = setTimeout(() => child.kill('SIGKILL'), END_MS);
  await exited;
  clearTimeout(kill);
}

/** The user's settings are for the user's farm, not for this one. Node itself must be found, as the tasks run it. */
function ownEnvironment(env: DemoFarmOptions['env']): NodeJS.ProcessEnv {
  const foreign = /^(LANYARD_.*|MAX_PARALLEL_JOBS|DOCKER_TIMEOUT|DOCKER_MEMORY_LIMIT|DOCKER_CPU_LIMIT)$/;
  const kept = Object.fromEntries(Object.entries(env).filter(([name]) => !foreign.test(name)));
  // Windows writes it as `Path`.
  const path = Object.keys(kept).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH';
  return { ...kept, [path]: [dirname(process.execPath), kept[path] ?? ''].join(delimiter) };
}

/** @returns the demo's folder, made when it is missing */
export async function makeFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  return path;
}
