import { hostname } from 'node:os';
import { LanyardError } from '../../shared/errors.ts';
import type { Finding } from '../../shared/finding.ts';
import type { NodeId } from '../../shared/ids.ts';
import type { FoundFarm, Membership } from '../../shared/ipc.ts';
import type { Receipt } from '../../shared/receipt.ts';
import type { WorkerSettings } from '../../shared/settings.ts';
import { type Client, createClient } from '../api/client.ts';
import type { Settings } from '../cli/settings.ts';
import { type Device, foundFarm, openDevice } from '../compose/device.ts';
import { examine, type Reached } from '../compose/examine.ts';
import { joinFarm, type PairOptions, pairWithFarm } from '../compose/join.ts';
import { lookForFarms } from '../compose/look.ts';
import { type LanyardNode, startNode } from '../compose/node.ts';
import type { OwnerSenses } from '../ports/machine.ts';
import type { Logger } from '../ports/system.ts';
import type { KeyProtection } from './key-protection.ts';

/** What this app is in a farm: nothing yet, or whatever roles the farm gives this device. */
export interface OwnFarm {
  /** This machine among the farm's. */
  readonly node: NodeId;
  /** @throws LanyardError CONFLICT while the device belongs to no farm */
  client(): Client;
  membership(): Membership;
  /** @throws LanyardError CONFLICT, and what `startNode` throws */
  create(farmName: string): Promise<void>;
  /** @throws LanyardError as `joinFarm` */
  join(invite: string, signal: AbortSignal, waiting: () => void): Promise<void>;
  /** Those that announce themselves on the local network. */
  find(): Promise<readonly FoundFarm[]>;
  /** Joins by six digits that two people compare. @throws LanyardError as `pairWithFarm` */
  pair(options: Pick<PairOptions, 'address' | 'expected' | 'compare' | 'signal' | 'waiting'>): Promise<void>;
  /** Calls back once it belongs to a farm, now or later. */
  onFarm(listener: () => void): void;
  /** Tasks that this machine runs now. */
  runningTasks(): number;
  isConnected(): boolean;
  /** As `pause` takes it. */
  pausedUntil(): Promise<number | null | undefined>;
  /** @param until wall clock, ms since 1970; null: until further notice; undefined: ends the pause */
  pause(until: number | null | undefined): Promise<void>;
  /** What ran on this machine, newest first. */
  receipts(limit: number): Promise<readonly Receipt[]>;
  /** The owner of this machine has changed what may run there and when. */
  changeOwner(settings: WorkerSettings): Promise<void>;
  /** Looks for some seconds what stands between this machine and a farm. */
  examine(): Promise<readonly Finding[]>;
  /** What `senses` would say has changed. */
  look(): void;
  /** Takes no new work while what runs goes on to its end. */
  drain(isDraining: boolean): void;
  close(): Promise<void>;
}

interface OwnFarmOptions {
  readonly dataFolder: string;
  readonly settings: Settings;
  readonly logger: Logger;
  readonly senses: Partial<OwnerSenses>;
  readonly protection: KeyProtection;
}

/** Opens this device, and starts what it is in its farm. @throws LanyardError when the data folder is in use, or a port is taken */
export async function openFarm(options: OwnFarmOptions): Promise<OwnFarm> {
  const { dataFolder, protection } = options;
  const device = await openDevice(dataFolder, protection.wrap === undefined ? {} : { wrap: protection.wrap });
  const farm = new DeviceFarm(device, options);
  if (device.roster.current !== undefined) await farm.start();
  return farm;
}

class DeviceFarm implements OwnFarm {
  private readonly device: Device;
  private options: OwnFarmOptions;
  private readonly listeners: (() => void)[] = [];
  private running: LanyardNode | undefined;
  private made: { readonly where: NonNullable<Reached['at']>; readonly client: Client } | undefined;

  constructor(device: Device, options: OwnFarmOptions) {
    this.device = device;
    this.options = options;
  }

  get node(): NodeId {
    return this.device.identity.id;
  }

  async start(): Promise<void> {
    const { device } = this;
    const { settings, logger, senses } = this.options;
    const node = await startNode({ device, settings, logger, senses, coordinates: true, works: true });
    this.running = node;
    void node.failed.then((reason) => logger.error('this machine no longer takes part in its farm', { reason }));
    for (const listener of this.listeners) listener();
  }

  client(): Client {
    if (this.running === undefined)
      throw new LanyardError({ code: 'CONFLICT', message: 'This machine belongs to no farm yet.', hint: 'Make one, or join one.' });
    // On its own machine with the administrator's token; elsewhere with this device's key, and wherever coordination went.
    const where = this.running.coordinator?.connection ?? this.running.coordinatorEndpoint();
    if (where === undefined)
      throw new LanyardError({ code: 'UNAVAILABLE', message: 'It is not known where the coordinator of the farm is.' });
    if (this.made?.where !== where) this.made = { where, client: createClient(where) };
    return this.made.client;
  }

  membership(): Membership {
    const { identity, roster } = this.device;
    const { protection } = this.options;
    const farm = roster.current;
    return {
      farm: farm === undefined ? null : { id: farm.farm.id, name: farm.farm.name },
      device: { id: identity.id, fingerprint: identity.shortFingerprint, name: this.name() },
      roles: [...(farm?.devices.find(({ id }) => id === identity.id)?.roles ?? [])],
      coordinates: farm?.coordinator === identity.id,
      keyProtection: protection.state,
    };
  }

  async create(farmName: string): Promise<void> {
    await foundFarm(this.device, farmName, this.name());
    await this.start();
  }

  async join(invite: string, signal: AbortSignal, waiting: () => void): Promise<void> {
    await joinFarm(invite, { ...this.joining(), signal, waiting });
    await this.start();
  }

  async find(): Promise<readonly FoundFarm[]> {
    return await lookForFarms(this.options.settings.worker);
  }

  async pair(options: Parameters<OwnFarm['pair']>[0]): Promise<void> {
    await pairWithFarm({ ...this.joining(), usualPort: this.options.settings.coordinator.apiPort, ...options });
    await this.start();
  }

  onFarm(listener: () => void): void {
    this.listeners.push(listener);
    if (this.running !== undefined) listener();
  }

  runningTasks(): number {
    return this.running?.worker?.running() ?? 0;
  }

  isConnected(): boolean {
    return this.running?.worker?.isConnected() ?? false;
  }

  async pausedUntil(): Promise<number | null | undefined> {
    return await this.running?.worker?.owner.pausedUntil();
  }

  async pause(until: number | null | undefined): Promise<void> {
    await this.running?.worker?.owner.pause(until);
  }

  async receipts(limit: number): Promise<readonly Receipt[]> {
    return (await this.running?.worker?.owner.receipts(limit)) ?? [];
  }

  async changeOwner(settings: WorkerSettings): Promise<void> {
    this.options = { ...this.options, settings: { ...this.options.settings, worker: settings } };
    await this.running?.changeOwner(settings);
  }

  async examine(): Promise<readonly Finding[]> {
    const { device, options } = this;
    return await examine({ device, settings: options.settings, reach: () => this.reach() });
  }

  private async reach(): Promise<Reached> {
    if (this.device.roster.current === undefined) return { coordinator: undefined };
    try {
      const client = this.client();
      // What every device may ask; so far ahead that nothing needs to be sent.
      await client.call('roster', { query: { since: Number.MAX_SAFE_INTEGER } });
      return { coordinator: { url: client.url }, ...(this.made === undefined ? {} : { at: this.made.where }) };
    } catch (error) {
      if (!(error instanceof LanyardError)) throw error;
      return { coordinator: { failure: error.message, fix: error.hint ?? null } };
    }
  }

  look(): void {
    void this.running?.worker?.owner.look();
  }

  drain(isDraining: boolean): void {
    this.running?.worker?.drain(isDraining);
  }

  async close(): Promise<void> {
    await this.running?.close();
  }

  private joining() {
    return { device: this.device, name: this.name(), logger: this.options.logger };
  }

  private name(): string {
    return this.options.settings.worker.name ?? hostname();
  }
}
