import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { LanyardError } from '../../shared/errors.ts';
import type { CoordinatorSettings, WorkerSettings } from '../../shared/settings.ts';
import { handoverManifestSchema, type Roster, type RosterDevice, rosterAnswerSchema } from '../../shared/trust.ts';
import type { FarmMessage } from '../daemon/worker.ts';
import { createDiscovery } from '../discovery/mdns.ts';
import { removeLeftovers } from '../handover/files.ts';
import { takeOver } from '../handover/taker.ts';
import { createClock } from '../machine/clock.ts';
import { keepNewObjectsYoung } from '../machine/collector.ts';
import type { Discovery } from '../ports/discovery.ts';
import type { Executor } from '../ports/executor.ts';
import type { Endpoint } from '../ports/link.ts';
import type { OwnerSenses } from '../ports/machine.ts';
import type { Dispose, Logger } from '../ports/system.ts';
import { findDevice } from '../trust/farm.ts';
import { pinnedRequest } from '../trust/pinned-request.ts';
import { VERSION } from '../version.ts';
import { CONNECTION_FILE, type CoordinatorNode, type CoordinatorNodeOptions, checkCoordinator, startCoordinator } from './coordinator.ts';
import { type Device, watchDevice } from './device.ts';
import { examine } from './examine.ts';
import { createFollower, type Follower } from './follower.ts';
import { type Locator, openLocator } from './locator.ts';
import { type Signpost, startSignpost } from './signpost.ts';
import { startWorker, type WorkerNode } from './worker.ts';

/** A whole install: the roles that its farm gives this device, as long as it does. Nothing here knows of Electron or of the command line. */

export interface NodeOptions {
  /** Of a farm. */
  readonly device: Device;
  readonly settings: { readonly coordinator: CoordinatorSettings; readonly worker: WorkerSettings };
  readonly logger: Logger;
  /** Whether this process coordinates when the roster says that the device does. */
  readonly coordinates: boolean;
  /** Whether it works when the roster lets it. */
  readonly works: boolean;
  readonly dashboardFolder?: string;
  /** Instead of those that the settings switch on. */
  readonly executors?: readonly Executor[];
  /** What the desktop app knows better of the machine's owner. */
  readonly senses?: Partial<OwnerSenses>;
  /** How often a device that has no connection to the coordinator, because it does not work, asks for the roster (ms). */
  readonly rosterPollMs?: number;
}

export interface LanyardNode {
  readonly device: Device;
  readonly coordinator: CoordinatorNode | undefined;
  readonly worker: WorkerNode | undefined;
  /** Others on the local network; undefined when discovery is switched off. */
  readonly discovery: Discovery | undefined;
  /** Calls back when a part has started or ended. */
  subscribe(listener: () => void): Dispose;
  /** The owner of this machine has changed what may run there and when. */
  changeOwner(settings: WorkerSettings): Promise<void>;
  /** Starts or ends working on this machine. */
  setWorks(works: boolean): Promise<void>;
  /** Where the coordinator is reached now, and how this device shows who it is. */
  coordinatorEndpoint(): Endpoint | undefined;
  /** Resolves with the reason when the node cannot go on: it was refused, or a part of it cannot start. */
  readonly failed: Promise<string>;
  close(): Promise<void>;
}

const ROSTER_POLL_MS = 30_000;
/** Whoever announces itself is heard in this time, and asked for the roster. */
const LISTEN_FIRST_MS = 2_000;
/** Copying the database takes a while (ms). */
const HANDOVER_ANSWER_MS = 300_000;

/**
 * Starts what the device is in its farm, and follows the roster from then on: a role that is given or taken, and coordination that
 * comes or goes, take effect while it runs.
 * @throws LanyardError CONFLICT when the device belongs to no farm, and what `startCoordinator` throws
 */
export async function startNode(options: NodeOptions): Promise<LanyardNode> {
  keepNewObjectsYoung();
  const node = new Node(options, await openParts(options));
  await node.start();
  return node;
}

async function openParts({ device, settings, coordinates, logger }: NodeOptions) {
  if (device.roster.current === undefined)
    throw new LanyardError({
      code: 'CONFLICT',
      message: 'This device belongs to no farm.',
      hint: '`lanyard farm create NAME` makes one, `lanyard join INVITE` joins one.',
    });
  const { discovery, interfaces } = coordinates ? settings.coordinator : settings.worker;
  const found = discovery
    ? createDiscovery({ clock: createClock(), logger, ...(interfaces.length === 0 ? {} : { only: interfaces }) })
    : undefined;
  const locator = await openLocator({ device, discovery: found, logger });
  return { discovery: found, locator };
}

class Node implements LanyardNode {
  readonly device: Device;
  readonly discovery: Discovery | undefined;
  readonly failed: Promise<string>;
  coordinator: CoordinatorNode | undefined;
  worker: WorkerNode | undefined;
  private readonly options: NodeOptions;
  private readonly locator: Locator;
  private readonly follower: Follower;
  private readonly clock = createClock();
  private readonly listeners = new Set<() => void>();
  private readonly ends: Dispose[] = [];
  private signpost: Signpost | undefined;
  private works: boolean;
  private workerSettings: WorkerSettings;
  private isClosed = false;
  private isTakingOver = false;
  private turn: Promise<void> = Promise.resolve();
  private fail!: (reason: string) => void;
  private chosenPort: number | undefined;

  constructor(options: NodeOptions, parts: { readonly discovery: Discovery | undefined; readonly locator: Locator }) {
    this.options = options;
    this.device = options.device;
    this.works = options.works;
    this.workerSettings = options.settings.worker;
    this.discovery = parts.discovery;
    this.locator = parts.locator;
    this.follower = createFollower({ ...parts, device: options.device, clock: this.clock, logger: options.logger });
    this.failed = new Promise((resolve) => {
      this.fail = resolve;
    });
  }

  async start(): Promise<void> {
    if (this.options.coordinates) await removeLeftovers(this.device.dataFolder);
    this.ends.push(this.device.roster.subscribe(() => void this.settle().catch((error: Error) => this.fail(error.message))));
    if (this.discovery !== undefined) this.ends.push(this.discovery.watch(() => void this.follower.askAround()));
    this.ends.push(watchDevice(this.device, this.options.logger));
    this.pollRoster();
    // Of what was found before anybody watched, nobody was told.
    void this.follower.askAround();
    try {
      await this.listenFirst();
      await this.settle();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** A coordinator of the past must not take jobs before it has heard of its successor: they would be lost when it steps down. */
  private async listenFirst(): Promise<void> {
    const roster = this.device.roster.current;
    const mayBePast = this.options.coordinates && roster?.coordinator === this.device.identity.id && roster.devices.length > 1;
    if (mayBePast && this.discovery !== undefined) await new Promise<void>((resolve) => void this.clock.after(LISTEN_FIRST_MS, resolve));
  }

  private pollRoster(): void {
    const poll = () => {
      // A worker's connection says when something changes; a coordinator may be one of the past.
      if (this.worker === undefined || this.coordinator !== undefined) void this.follower.askAround();
      stop = this.clock.after(this.options.rosterPollMs ?? ROSTER_POLL_MS, poll);
    };
    let stop = this.clock.after(this.options.rosterPollMs ?? ROSTER_POLL_MS, poll);
    this.ends.push(
      () => stop(),
      () => this.follower.close(),
    );
  }

  subscribe(listener: () => void): Dispose {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async changeOwner(settings: WorkerSettings): Promise<void> {
    this.workerSettings = settings;
    await this.worker?.owner.follow(settings);
  }

  async setWorks(works: boolean): Promise<void> {
    this.works = works;
    await this.settle();
  }

  coordinatorEndpoint(): Endpoint | undefined {
    return this.locator.endpoint();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const end of this.ends.splice(0)) end();
    await this.settle();
    await this.discovery?.close();
  }

  /** Brings what runs in line with what the roster says, one change after the other. */
  private settle(): Promise<void> {
    const mine = this.turn.then(() => this.settleNow());
    this.turn = mine.catch(() => undefined);
    return mine;
  }

  private async settleNow(): Promise<void> {
    const roster = this.isClosed ? undefined : this.device.roster.current;
    const self = roster === undefined ? undefined : findDevice(roster, this.device.identity.id);
    const coordinates = this.options.coordinates && self !== undefined && roster?.coordinator === self.id;
    const works = this.works && (self?.roles.includes('worker') ?? false);
    // In an order in which whoever goes can still say goodbye, and whoever comes finds who is there.
    if (!works) await this.stopWorker();
    if (!coordinates) await this.stopCoordinator();
    await this.signpost?.close();
    this.signpost = undefined;
    if (coordinates) await this.startCoordinator();
    else if (roster !== undefined && self !== undefined) await this.startSignpost(roster);
    if (works) await this.startWorker();
    this.announce(roster, self);
    for (const listener of [...this.listeners]) listener();
    if (roster !== undefined && self === undefined) this.fail('this device was removed from the farm');
    if (this.device.roster.current === undefined) this.fail('this device left its farm');
  }

  private async startCoordinator(): Promise<void> {
    if (this.coordinator !== undefined) return;
    this.coordinator = await startCoordinator(this.coordinatorOptions());
    // Where it will be looked for, also when it has handed over and a signpost stands there.
    this.chosenPort = this.coordinator.ports.peer;
    await this.locator.learn([this.coordinator.connection.peer]);
  }

  private coordinatorOptions(): CoordinatorNodeOptions {
    const { device, settings, logger, dashboardFolder } = this.options;
    return {
      device,
      logger,
      follow: this.follower.follow,
      // It answers, or nobody would have asked.
      examine: () => examine({ device, settings, reach: async () => ({ coordinator: { url: this.coordinator?.url ?? '' } }) }),
      settings: { ...settings.coordinator, peerPort: this.chosenPort ?? settings.coordinator.peerPort },
      ...(dashboardFolder === undefined ? {} : { dashboardFolder }),
    };
  }

  private async stopCoordinator(): Promise<void> {
    const { coordinator } = this;
    this.coordinator = undefined;
    await coordinator?.close();
  }

  private async startWorker(): Promise<void> {
    if (this.worker !== undefined) return;
    const { device, logger, executors, senses } = this.options;
    await this.learnFromOtherProcess();
    const worker = await startWorker({
      device,
      locator: this.locator,
      settings: this.workerSettings,
      logger,
      onConnection: (isUp) => void (isUp ? this.follower.followCoordinator() : this.follower.askAround()),
      onFarmMessage: (message) => void this.onFarmMessage(message),
      ...(executors === undefined ? {} : { executors }),
      ...(senses === undefined ? {} : { senses }),
    });
    this.worker = worker;
    void worker.refused.then((reason) => this.onRefused(worker, reason));
  }

  /** The farm may have taken the role from this device, and cut it off before it could say so. */
  private async onRefused(worker: WorkerNode, reason: string): Promise<void> {
    await this.follower.followCoordinator();
    await this.settle();
    if (this.worker === worker) this.fail(reason);
  }

  private async stopWorker(): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    await worker?.close();
  }

  /** The coordinator may be another process of this device. */
  private async learnFromOtherProcess(): Promise<void> {
    const { dataFolder, identity, roster } = this.device;
    if (this.coordinator !== undefined || roster.current?.coordinator !== identity.id) return;
    try {
      const { peer } = JSON.parse(await readFile(join(dataFolder, CONNECTION_FILE), 'utf8')) as { peer?: unknown };
      if (typeof peer === 'string') await this.locator.learn([peer]);
    } catch {
      // It was never started; when it is, this device is found like any other.
    }
  }

  /** Who coordinated before points to who does now. */
  private async startSignpost(roster: Roster): Promise<void> {
    const { device, settings, logger, coordinates } = this.options;
    if (!coordinates || roster.term === 1) return;
    this.signpost = await startSignpost({
      device,
      settings: settings.coordinator,
      port: await this.peerPort(),
      logger,
      coordinatorAt: () => this.locator.lastKnown,
    });
  }

  private announce(roster: Roster | undefined, self: RosterDevice | undefined): void {
    if (roster === undefined || self === undefined) {
      this.discovery?.announce(null);
      return;
    }
    this.discovery?.announce({
      farmId: roster.farm.id,
      farmName: roster.farm.name,
      nodeId: self.id,
      nodeName: this.options.settings.worker.name ?? hostname(),
      roles: [
        ...(this.coordinator === undefined ? [] : ['coordinator' as const]),
        ...(this.worker === undefined ? [] : ['worker' as const]),
      ],
      version: VERSION,
      ports: this.coordinator?.ports ?? { api: null, peer: this.signpost?.port ?? null },
    });
  }

  // ------------------------------------------------------------------------------------------------ what the coordinator says of the farm

  private async onFarmMessage(message: FarmMessage): Promise<void> {
    try {
      if (message.type === 'take-over') await this.takeOver();
      else await this.follower.follow([message.roster], message.coordinatorAt);
    } catch (error) {
      this.options.logger.error('a message of the coordinator could not be followed', {
        type: message.type,
        error: (error as Error).message,
      });
      // Also when the answer that made this device the coordinator got lost on its way.
      await this.follower.followCoordinator();
    }
  }

  private async takeOver(): Promise<void> {
    // Asked again while it is at it.
    if (this.isTakingOver) return;
    this.isTakingOver = true;
    try {
      await this.takeOverNow();
    } finally {
      this.isTakingOver = false;
    }
  }

  private async takeOverNow(): Promise<void> {
    const { logger, device, coordinates } = this.options;
    const from = this.locator.endpoint();
    if (from === undefined) throw new Error('no address of the coordinator is known');
    const call = <Schema extends z.ZodType>(method: 'GET' | 'POST', path: string, schema: Schema, body?: object) =>
      pinnedRequest({ address: new URL(from.url).host, tls: from.tls ?? {}, method, path, body, answerMs: HANDOVER_ANSWER_MS }, schema);
    logger.info('taking coordination over', { from: from.url });
    const abandon = (reason: string) => call('POST', '/api/handover/abandon', z.unknown(), { reason: reason.slice(0, 1_000) });
    if (!coordinates) {
      await abandon('it was started as a worker only');
      throw new Error('this process was started as a worker only');
    }
    const peerPort = await this.peerPort();
    const chain = await takeOver({
      dataFolder: device.dataFolder,
      from,
      manifest: () => call('GET', '/api/handover/manifest', handoverManifestSchema),
      freeze: () => call('POST', '/api/handover/freeze', handoverManifestSchema, {}),
      check: () => checkCoordinator(this.coordinatorOptions(), this.signpost?.port),
      abandon,
      complete: async () => (await call('POST', '/api/handover/complete', rosterAnswerSchema, { peerPort })).chain,
    });
    await device.roster.follow(chain);
  }

  /** The one of the settings; where they leave it open, one that is free and stays the same for this process. */
  private async peerPort(): Promise<number> {
    const { peerPort } = this.options.settings.coordinator;
    if (peerPort !== 0) return peerPort;
    this.chosenPort ??= await freePort();
    return this.chosenPort;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
