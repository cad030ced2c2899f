import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { NodeId } from '../../shared/ids.ts';
import type { NodeDescription } from '../../shared/node.ts';
import type { Receipt } from '../../shared/receipt.ts';
import type { WorkerSettings } from '../../shared/settings.ts';
import { startBlobSweeps } from '../daemon/blob-sweeps.ts';
import { ownerRules } from '../daemon/owner-watch.ts';
import { type FarmMessage, startWorkerDaemon, type WorkerDaemon } from '../daemon/worker.ts';
import { createDockerExecutor } from '../executor/docker.ts';
import { createHostExecutor } from '../executor/host.ts';
import { openBlobs } from '../files/blobs.ts';
import { openLogSpools } from '../files/log-spool.ts';
import { openOwnerPause } from '../files/owner-pause.ts';
import { openReceipts } from '../files/receipts.ts';
import { fileThreads } from '../files/threads/file-threads.ts';
import { openWorkspaces } from '../files/workspaces.ts';
import { createLinkClient } from '../link/client.ts';
import { createBlobTransfer } from '../link/transfer.ts';
import { createClock } from '../machine/clock.ts';
import { createMachine } from '../machine/machine.ts';
import { sleepNow } from '../machine/machine-power.ts';
import { createOwnerSenses } from '../machine/owner-senses.ts';
import { hardwareAddresses } from '../machine/wake-on-lan.ts';
import type { Executor } from '../ports/executor.ts';
import type { Machine, OwnerSenses } from '../ports/machine.ts';
import type { Logger } from '../ports/system.ts';
import { VERSION } from '../version.ts';
import { type Device, makePrivateFolder } from './device.ts';
import type { Locator } from './locator.ts';

export interface WorkerNodeOptions {
  /** Of a farm that lets it work. */
  readonly device: Device;
  readonly locator: Locator;
  readonly settings: WorkerSettings;
  readonly logger: Logger;
  /** Instead of those that the settings switch on. */
  readonly executors?: readonly Executor[];
  /** What the desktop app knows better than a program without a window. */
  readonly senses?: Partial<OwnerSenses>;
  /** A connection stands (again), or a try for one ended without. */
  readonly onConnection: (isUp: boolean) => void;
  readonly onFarmMessage: (message: FarmMessage) => void;
}

export interface WorkerNode {
  readonly id: NodeId;
  readonly refused: Promise<string>;
  /** To the coordinator, now. */
  isConnected(): boolean;
  /** Attempts that are held now. */
  running(): number;
  readonly owner: {
    /** As `pause` takes it; undefined: it is not paused. */
    pausedUntil(): Promise<number | null | undefined>;
    /** @param until wall clock, ms since 1970; null: until further notice; undefined: ends the pause */
    pause(until: number | null | undefined): Promise<void>;
    /** Somebody came, the power went: looks now instead of within seconds. */
    look(): Promise<void>;
    /** Goes by what the settings now say of the owner. */
    follow(settings: WorkerSettings): Promise<void>;
    /** What ran here, newest first. */
    receipts(limit: number): Promise<readonly Receipt[]>;
  };
  /** Takes no new work while what runs goes on to its end. */
  drain(isDraining: boolean): void;
  /** Stops what runs, hands it back to the queue and says goodbye. */
  close(): Promise<void>;
}

/** Works for the coordinator of the device's farm; keeps trying when it does not answer. */
export async function startWorker(options: WorkerNodeOptions): Promise<WorkerNode> {
  const { device, locator, settings, logger } = options;
  // Apart from a coordinator's files, so that either can be moved or removed alone.
  const dataFolder = join(device.dataFolder, 'worker');
  await makePrivateFolder(dataFolder);
  const clock = createClock();
  const machine = createMachine({ folder: dataFolder });
  const { id } = device.identity;
  const blobs = await openBlobs(join(dataFolder, 'blobs'));
  const transfer = createBlobTransfer({ endpoint: locator.endpoint, hash: fileThreads.hash, logger });
  const description = await describe(id, machine, settings);
  const receipts = openReceipts(join(dataFolder, 'receipts.jsonl'));
  const pause = openOwnerPause(join(dataFolder, 'owner.json'));
  const cacheBytes = settings.cacheMb * 1024 * 1024;
  const daemon: WorkerDaemon = await startWorkerDaemon({
    clock,
    logger,
    transfer,
    workspaces: await openWorkspaces({ folder: join(dataFolder, 'work'), cacheBytes, blobs, transfer, logger }),
    spools: await openLogSpools(join(dataFolder, 'logs'), settings.logBytesPerAttempt),
    executors:
      options.executors ??
      createExecutors(settings, {
        farm: device.roster.current?.farm.id ?? '',
        node: id,
        slots: description.maxParallel,
        folder: dataFolder,
        logger,
      }),
    description,
    metrics: () => machine.metrics(),
    connect: (handlers) =>
      createLinkClient({
        endpoint: locator.endpoint,
        clock,
        logger,
        random: Math.random,
        handlers: {
          ...handlers,
          welcome(welcome) {
            locator.succeeded();
            options.onConnection(true);
            handlers.welcome(welcome);
          },
          closed(reason, final) {
            locator.failed();
            options.onConnection(false);
            handlers.closed(reason, final);
          },
        },
      }),
    stopGraceMs: settings.stopGraceMs,
    longestRunMs: settings.dockerTimeoutMs,
    slowShare: settings.slowPercent / 100,
    receipts,
    ...(settings.sleepAfterMs === undefined ? {} : { sleep: () => sleepNow(settings.sleepBy) }),
    owner: { senses: { ...createOwnerSenses(), ...options.senses }, pause, rules: ownerRules(settings) },
    onFarmMessage: options.onFarmMessage,
  });
  // What is unpacked lies in the cache; the packed form is kept no longer than an interrupted transfer might need it.
  const endSweeps = startBlobSweeps({ clock, logger, blobs, referenced: () => new Set() });
  return {
    id,
    refused: daemon.refused,
    isConnected: () => daemon.connected,
    running: () => daemon.running,
    owner: {
      pausedUntil: () => pause.until(),
      async pause(until) {
        await pause.set(until);
        await daemon.lookAtOwner();
      },
      look: () => daemon.lookAtOwner(),
      follow: (changed) => daemon.followOwner(ownerRules(changed)),
      receipts: (limit) => receipts.list(limit),
    },
    close() {
      endSweeps();
      return daemon.close('owner-interrupted');
    },
    drain: (isDraining) => daemon.drain(isDraining),
  };
}

/** Those that the settings switch on. */
export function createExecutors(
  settings: WorkerSettings,
  options: { readonly farm: string; readonly node: string; readonly slots: number; readonly folder: string; readonly logger: Logger },
): Executor[] {
  const { farm, node, slots, folder, logger } = options;
  const { docker, dockerSocket, allowNetwork, allowedImages, dockerMemoryMb, dockerCpus, fastStart } = settings;
  const list: Executor[] = [];
  if (docker)
    list.push(
      createDockerExecutor({
        farm,
        node,
        slots,
        logger,
        fastStart,
        socket: dockerSocket,
        limits: { allowNetwork, allowedImages, dockerMemoryMb, dockerCpus },
      }),
    );
  if (settings.host) list.push(createHostExecutor({ logger, enabled: true, folder }));
  return list;
}

/** What this machine offers: all of it, less what its owner keeps. */
async function describe(
  id: NodeId,
  machine: Machine,
  settings: WorkerSettings,
): Promise<Omit<NodeDescription, 'executors' | 'availability'>> {
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
    ...(settings.wakeable || settings.sleepAfterMs !== undefined
      ? { power: { macs: settings.wakeable ? hardwareAddresses() : [], sleepAfterMs: settings.sleepAfterMs ?? null } }
      : {}),
    maxParallel: settings.maxParallel ?? Math.max(1, Math.floor(availableParallelism() / 2)),
  };
}
