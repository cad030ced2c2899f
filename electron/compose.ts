import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { LanyardError } from '../shared/errors.ts';
import type { NodeId } from '../shared/ids.ts';
import { type NodeDescription, nodeIdSchema } from '../shared/node.ts';
import type { CoordinatorSettings, WorkerSettings } from '../shared/settings.ts';
import { createApi } from './api/server.ts';
import { startCoordinatorDaemon } from './daemon/coordinator.ts';
import type { Farm } from './daemon/farm.ts';
import { startWorkerDaemon, type WorkerDaemon } from './daemon/worker.ts';
import { createDockerExecutor } from './executor/docker.ts';
import { createHostExecutor } from './executor/host.ts';
import { openBlobs } from './files/blobs.ts';
import { openLogSpools } from './files/log-spool.ts';
import { openLogStore } from './files/log-store.ts';
import { openTemplates } from './files/templates.ts';
import { openThumbnails } from './files/thumbnails/thumbnails.ts';
import { checkZip } from './files/unzip.ts';
import { openWorkspaces } from './files/workspaces.ts';
import { createLinkClient } from './link/client.ts';
import { LINK_PATH } from './link/codec.ts';
import { attachLinkServer } from './link/server.ts';
import { createBlobTransfer } from './link/transfer.ts';
import { createClock } from './machine/clock.ts';
import { createMachine } from './machine/machine.ts';
import type { Executor, Logger, Machine } from './ports.ts';
import { openStore } from './store/store.ts';
import { openTokens } from './trust/tokens.ts';
import { VERSION } from './version.ts';

/** Wires the adapters into a coordinator and a worker. Nothing here knows of Electron or of the command line. */

export interface CoordinatorNodeOptions {
  /** Everything the coordinator keeps lies here. Made when it is missing. */
  readonly dataFolder: string;
  readonly settings: CoordinatorSettings;
  readonly logger: Logger;
  /** The built dashboard, when there is one. */
  readonly dashboardFolder?: string;
}

export interface CoordinatorNode {
  /** For example `http://127.0.0.1:7420`. */
  readonly url: string;
  readonly farm: Farm;
  /** What a client on this machine needs; also in `connection.json`. */
  readonly connection: Connection;
  close(): Promise<void>;
}

const connectionSchema = z.object({ url: z.string(), token: z.string(), workerToken: z.string() });
/** How to reach a coordinator: its address, an administrator's token, and one for workers. */
export type Connection = z.infer<typeof connectionSchema>;

/** The file in a coordinator's data folder that lets its own user's commands in (mode 0600). */
export const CONNECTION_FILE = 'connection.json';

/** @throws LanyardError when the data folder is in use, damaged or not writable, or the port is taken */
export async function startCoordinator(options: CoordinatorNodeOptions): Promise<CoordinatorNode> {
  const { dataFolder, settings, logger } = options;
  await makePrivateFolder(dataFolder);
  const clock = createClock();
  const store = openStore({ path: join(dataFolder, 'farm.sqlite'), wallMs: clock.wallMs, logger });
  try {
    const [tokens, blobs, logs] = await Promise.all([
      openTokens(join(dataFolder, 'tokens.json')),
      openBlobs(join(dataFolder, 'blobs')),
      openLogStore(join(dataFolder, 'logs'), settings.logBytesPerAttempt),
    ]);
    const thumbnails = await openThumbnails({ folder: join(dataFolder, 'thumbnails'), blobs, logger });
    const backup = async () => {
      const path = join(dataFolder, `backup-${new Date(clock.wallMs()).toISOString().replaceAll(':', '-')}.sqlite`);
      await store.backup(path);
      return path;
    };
    const daemon = startCoordinatorDaemon({ store, blobs, logs, clock, logger, settings, backup, checkInput: checkZip });
    const api = await createApi({
      farm: daemon,
      blobs,
      logs,
      templates: openTemplates(join(dataFolder, 'templates'), logger),
      thumbnails,
      authenticator: tokens,
      settings,
      version: VERSION,
      logger,
      ...(options.dashboardFolder === undefined ? {} : { dashboardFolder: options.dashboardFolder }),
    });
    const link = attachLinkServer({ server: api.server, path: LINK_PATH, authenticator: tokens, handlers: daemon.linkHandlers, logger });
    const port = await api.listen(settings.host, settings.port);
    const url = `http://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${port}`;
    const connection = await writeConnection(join(dataFolder, CONNECTION_FILE), url, tokens);
    logger.info('the coordinator is up', { url, farm: settings.farmName });
    return {
      url,
      farm: daemon,
      connection,
      async close() {
        daemon.close();
        await link.close();
        await api.close();
        await thumbnails.close();
        await logs.close();
        store.close();
      },
    };
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Keeps the tokens of earlier starts, so that workers and scripts go on working after a restart. */
async function writeConnection(path: string, url: string, tokens: Awaited<ReturnType<typeof openTokens>>): Promise<Connection> {
  const before = connectionSchema.safeParse(await readJson(path));
  const known = before.success && tokens.authenticate(before.data.token) && tokens.authenticate(before.data.workerToken);
  const connection = known
    ? { ...before.data, url }
    : { url, token: await tokens.create('local administrator', 'admin'), workerToken: await tokens.create('worker', 'worker') };
  await writeFile(path, `${JSON.stringify(connection, null, 2)}\n`, { mode: 0o600 });
  await chmod(path, 0o600);
  return connection;
}

export interface WorkerNodeOptions {
  /** Cache, attempt folders and this node's id lie here. Made when it is missing. */
  readonly dataFolder: string;
  readonly coordinatorUrl: string;
  readonly token: string;
  readonly settings: WorkerSettings;
  readonly logger: Logger;
  /** Instead of those that the settings switch on. */
  readonly executors?: readonly Executor[];
}

export interface WorkerNode {
  readonly id: NodeId;
  readonly refused: Promise<string>;
  /** Stops what runs, hands it back to the queue and says goodbye. */
  close(): Promise<void>;
}

/** Joins the farm at `coordinatorUrl`; keeps trying when it does not answer. */
export async function startWorker(options: WorkerNodeOptions): Promise<WorkerNode> {
  const { dataFolder, coordinatorUrl, token, settings, logger } = options;
  await makePrivateFolder(dataFolder);
  const clock = createClock();
  const machine = createMachine({ folder: dataFolder });
  const id = await nodeIdentity(join(dataFolder, 'node.json'));
  const blobs = await openBlobs(join(dataFolder, 'blobs'));
  const transfer = createBlobTransfer({ url: coordinatorUrl, token });
  const description = await describe(id, machine, settings);
  const daemon: WorkerDaemon = await startWorkerDaemon({
    clock,
    logger,
    transfer,
    workspaces: await openWorkspaces({
      folder: join(dataFolder, 'work'),
      cacheBytes: settings.cacheMb * 1024 * 1024,
      blobs,
      transfer,
      logger,
    }),
    spools: await openLogSpools(join(dataFolder, 'logs'), settings.logBytesPerAttempt),
    executors: options.executors ?? executors(options, id, description.maxParallel),
    description,
    metrics: () => machine.metrics(),
    connect: (handlers) => createLinkClient({ url: coordinatorUrl, token, handlers, clock, logger, random: Math.random }),
    stopGraceMs: settings.stopGraceMs,
    longestRunMs: settings.dockerTimeoutMs,
  });
  return { id, refused: daemon.refused, close: () => daemon.close('owner-interrupted') };
}

function executors({ dataFolder, coordinatorUrl, settings, logger }: WorkerNodeOptions, node: NodeId, slots: number): Executor[] {
  const { docker, dockerSocket, allowNetwork, allowedImages, dockerMemoryMb, dockerCpus, fastStart } = settings;
  const list: Executor[] = [];
  if (docker)
    list.push(
      createDockerExecutor({
        farm: coordinatorUrl,
        node,
        slots,
        logger,
        fastStart,
        socket: dockerSocket,
        limits: { allowNetwork, allowedImages, dockerMemoryMb, dockerCpus },
      }),
    );
  if (settings.host) list.push(createHostExecutor({ logger, enabled: true, folder: dataFolder }));
  return list;
}

/** What this machine offers: all of it, less what its owner keeps. */
async function describe(id: NodeId, machine: Machine, settings: WorkerSettings): Promise<Omit<NodeDescription, 'executors'>> {
  const whole = await machine.capacity();
  return {
    id,
    name: settings.name ?? machine.hostName,
    os: machine.os,
    arch: machine.arch,
    version: VERSION,
    capacity: {
      ...whole,
      cpu: Math.min(settings.cpu ?? whole.cpu, whole.cpu),
      ramMb: Math.min(settings.ramMb ?? Math.floor(whole.ramMb * 0.9), whole.ramMb),
    },
    labels: { os: machine.os, arch: machine.arch, ...settings.labels },
    zone: settings.zone,
    maxParallel: settings.maxParallel ?? Math.max(1, Math.floor(availableParallelism() / 2)),
    availability: 'available',
  };
}

/** A node keeps its id for ever; two nodes on one machine have data folders, and so ids, of their own. */
async function nodeIdentity(path: string): Promise<NodeId> {
  const known = z.object({ id: nodeIdSchema }).safeParse(await readJson(path));
  if (known.success) return known.data.id;
  const id = nodeIdSchema.parse(`node-${randomBytes(8).toString('hex')}`);
  await writeFile(path, `${JSON.stringify({ id })}\n`, { mode: 0o600, flush: true });
  return id;
}

async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    throw new LanyardError(
      {
        code: 'INVALID',
        field: 'data',
        message: `The data folder ${path} cannot be made: ${cause.message}`,
        hint: 'Choose another with --data.',
      },
      { cause },
    );
  });
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}
