import { once } from 'node:events';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { createServer as createPlainServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { formatAddress } from '../../shared/address.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { Finding } from '../../shared/finding.ts';
import type { NodeId } from '../../shared/ids.ts';
import type { CoordinatorSettings } from '../../shared/settings.ts';
import type { Roster } from '../../shared/trust.ts';
import { createGate, type Gate } from '../api/gate.ts';
import { isLoopback } from '../api/guard.ts';
import { createApi } from '../api/server.ts';
import { type CoordinatorDaemon, startCoordinatorDaemon } from '../daemon/coordinator.ts';
import type { Farm } from '../daemon/farm.ts';
import { openBlobs } from '../files/blobs.ts';
import { openLogStore } from '../files/log-store.ts';
import { openTemplates } from '../files/templates.ts';
import { fileThreads } from '../files/threads/file-threads.ts';
import { openThumbnails } from '../files/thumbnails/thumbnails.ts';
import { DATABASE } from '../handover/files.ts';
import { createGiver } from '../handover/giver.ts';
import { LINK_PATH } from '../link/codec.ts';
import { attachLinkServer } from '../link/server.ts';
import { createClock } from '../machine/clock.ts';
import { createMachinePower } from '../machine/machine-power.ts';
import type { Store } from '../ports/store.ts';
import type { Logger } from '../ports/system.ts';
import type { Identity } from '../ports/trust.ts';
import { openStore } from '../store/store.ts';
import { type Audit, openAudit } from '../trust/audit.ts';
import { findDevice, moveCoordinator } from '../trust/farm.ts';
import { createMembership, deviceIdentity } from '../trust/membership.ts';
import { apiServerOptions, guardPeers, type PeerGuard, peerServerOptions } from '../trust/tls.ts';
import { openTokens, type Tokens } from '../trust/tokens.ts';
import { VERSION } from '../version.ts';
import type { Device } from './device.ts';
import type { Follower } from './follower.ts';

export interface CoordinatorNodeOptions {
  /** Of a farm that it coordinates. Everything that the coordinator keeps lies in its data folder. */
  readonly device: Device;
  readonly settings: CoordinatorSettings;
  readonly logger: Logger;
  /** Takes a roster that names another coordinator, and remembers where that one is. */
  readonly follow: Follower['follow'];
  readonly examine: () => Promise<readonly Finding[]>;
  /** The built dashboard, when there is one. */
  readonly dashboardFolder?: string;
}

export interface CoordinatorNode {
  /** For this machine, for example `http://127.0.0.1:7420`. */
  readonly url: string;
  /** `host:port` of the API for other machines; none without one. */
  readonly addresses: readonly string[];
  /** Of the listeners for other machines; `api` is null without one. */
  readonly ports: { readonly api: number | null; readonly peer: number };
  readonly farm: Farm;
  /** What a client on this machine needs; also in `connection.json`. */
  readonly connection: Connection;
  close(): Promise<void>;
}

const connectionSchema = z.object({ url: z.string(), token: z.string(), workerToken: z.string(), peer: z.string() });
/** How to reach a coordinator from its own machine: its address, an administrator's token, one for workers that poll, and its peer listener. */
export type Connection = z.infer<typeof connectionSchema>;

/** How long a coordinator that ends waits for its last answers to go out (ms). */
const LAST_ANSWER_MS = 1_000;

/** The file in a coordinator's data folder that lets its own user's commands in (mode 0600). */
export const CONNECTION_FILE = 'connection.json';

/**
 * Three listeners: one without TLS for this machine, one with TLS for people and tools elsewhere, who show a token, and one
 * where both sides show certificates, for the devices of the farm.
 * @throws LanyardError when the data folder is in use, damaged or not writable, or a port is taken
 */
export async function startCoordinator(options: CoordinatorNodeOptions): Promise<CoordinatorNode> {
  const { device, settings, logger } = options;
  const { dataFolder, identity, roster } = device;
  if (!isLoopback(settings.host))
    throw new LanyardError({
      code: 'INVALID',
      field: 'host',
      message: `The listener without TLS is for this machine only, so host cannot be ${settings.host}.`,
      hint: 'Other machines connect to lanHost, with TLS.',
    });
  const { farm } = coordinatedRoster(device);
  const clock = createClock();
  const ends: (() => void | Promise<void>)[] = [];
  const close = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const store = openStore({ path: join(dataFolder, DATABASE), farm: farm.id, wallMs: clock.wallMs, logger });
    ends.push(() => store.close());
    const [tokens, blobs, logs, audit] = await Promise.all([
      openTokens(join(dataFolder, 'tokens.json')),
      openBlobs(join(dataFolder, 'blobs')),
      openLogStore(join(dataFolder, 'logs'), settings.logBytesPerAttempt),
      openAudit({ folder: dataFolder, wallMs: clock.wallMs, logger }),
    ]);
    const thumbnails = await openThumbnails({ folder: join(dataFolder, 'thumbnails'), blobs, logger });
    ends.push(
      () => thumbnails.close(),
      () => logs.close(),
      () => audit.close(),
      () => tokens.close(),
    );
    const gate = createGate();
    const daemon = startCoordinatorDaemon({
      farm,
      store,
      blobs,
      logs,
      clock,
      logger,
      settings,
      power: createMachinePower(settings),
      backup: () => backUp(store, dataFolder, clock.wallMs()),
      checkInput: fileThreads.checkZip,
    });
    ends.push(() => daemon.close());
    const peerServer = createServer(peerServerOptions(identity, coordinatedRoster(device)));
    const guard = guardPeers(peerServer, identity, coordinatedRoster(device));
    const deviceOf = (socket: object): Identity | undefined => {
      const found = guard.deviceOf(socket);
      return found === undefined ? undefined : deviceIdentity(found);
    };
    const ports = { api: null as number | null, peer: 0 };
    const addresses = () => (ports.api === null ? [] : reachableAddresses(settings, ports.api));
    const next: Next = { at: [] };
    const hosts = new Map<NodeId, string>();
    const membership = createMembership({ identity, roster, tokens, audit, clock, logger, addresses, peerPort: () => ports.peer });
    const api = await createApi({
      farm: daemon,
      blobs,
      logs,
      templates: openTemplates(join(dataFolder, 'templates'), logger),
      thumbnails,
      authenticator: tokens,
      deviceOf,
      membership,
      handover: createHandover(options, { daemon, store, gate, audit, hosts }, next),
      gate,
      examine: options.examine,
      settings,
      version: VERSION,
      logger,
      ...(options.dashboardFolder === undefined ? {} : { dashboardFolder: options.dashboardFolder }),
    });
    ends.push(() => api.close());
    const identify = ({ socket }: { readonly socket: Socket }) => {
      const identity = deviceOf(socket);
      // A listener for both families writes IPv4 addresses as those of the other.
      const host = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '');
      if (identity?.device !== undefined && host !== undefined) hosts.set(identity.device, host);
      return identity;
    };
    const link = attachLinkServer({ server: peerServer, path: LINK_PATH, identify, handlers: daemon.linkHandlers, logger });
    ends.push(
      () => endServer(peerServer),
      () => link.close(),
    );
    ends.push(followRoster(options, guard, daemon, next));
    const url = `http://${formatAddress(settings.host, await api.listen(settings.host, settings.port))}`;
    ports.peer = await api.listenOn(peerServer, settings.lanHost ?? '127.0.0.1', settings.peerPort);
    if (settings.lanHost !== null) {
      const apiServer = createServer(apiServerOptions(identity));
      ends.push(() => closeServer(apiServer));
      ports.api = await api.listenOn(apiServer, settings.lanHost, settings.apiPort);
    }
    const peer = formatAddress(isWildcard(settings.lanHost) ? '127.0.0.1' : (settings.lanHost ?? '127.0.0.1'), ports.peer);
    const connection = await writeConnection(join(dataFolder, CONNECTION_FILE), { url, peer }, tokens);
    logger.info('the coordinator is up', { url, farm: farm.name, addresses: addresses() });
    return { url, ports, farm: daemon, connection, close, addresses: addresses() };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @throws LanyardError CONFLICT unless this device coordinates its farm */
function coordinatedRoster({ identity, roster }: Device): Roster {
  const { current } = roster;
  if (current?.coordinator === identity.id) return current;
  throw new LanyardError({
    code: 'CONFLICT',
    message:
      current === undefined ? 'This device belongs to no farm.' : `This device is not the coordinator of the farm "${current.farm.name}".`,
    hint: current === undefined ? '`lanyard farm create NAME` makes one.' : '`lanyard devices` says which device is.',
  });
}

/** Where the device that coordinates next is reached. */
interface Next {
  at: readonly string[];
}

/** Whoever is removed is cut off, and its tasks go back; everybody else hears of the change, also of the one that ends this coordinator. */
function followRoster(
  { device: { identity, roster }, logger }: CoordinatorNodeOptions,
  guard: PeerGuard,
  daemon: CoordinatorDaemon,
  next: Next,
): () => void {
  let before = roster.current;
  return roster.subscribe((changed) => {
    const removed = before?.devices.filter(({ id }) => changed === undefined || findDevice(changed, id) === undefined) ?? [];
    before = changed;
    if (changed === undefined) return;
    const isStill = changed.coordinator === identity.id;
    if (isStill) guard.update(changed);
    const signed = roster.since(0).at(-1);
    if (signed !== undefined) daemon.broadcast({ type: 'roster-changed', roster: signed, coordinatorAt: isStill ? [] : [...next.at] });
    if (!isStill) return;
    for (const { id } of removed)
      daemon
        .removeNode(id, { subject: 'roster', roles: ['admin'] })
        // Most devices never worked here.
        .catch((error: Error) => logger.debug('a removed device was no node', { device: id, error: error.message }));
  });
}

function createHandover(
  { device, logger, follow }: CoordinatorNodeOptions,
  parts: {
    readonly daemon: CoordinatorDaemon;
    readonly store: Store;
    readonly gate: Gate;
    readonly audit: Audit;
    readonly hosts: ReadonlyMap<NodeId, string>;
  },
  next: Next,
) {
  const { dataFolder, identity, roster } = device;
  const { daemon, store, gate, audit, hosts } = parts;
  return createGiver({
    dataFolder,
    clock: createClock(),
    logger,
    ask(to: NodeId) {
      const held = coordinatedRoster(device);
      // Refuses what cannot be moved before anything is copied.
      moveCoordinator(held, identity, to);
      if (!daemon.isConnected(to))
        throw new LanyardError({
          code: 'CONFLICT',
          message: `Device ${findDevice(held, to)?.name ?? to} is not connected.`,
          hint: 'Start Lanyard there, as a worker, and try again.',
        });
      daemon.send(to, { type: 'take-over' });
    },
    hostOf: (device) => hosts.get(device) ?? null,
    async freeze(to, by) {
      await gate.close();
      await daemon.freeze();
      // Now, so that the line moves along with the log.
      audit.record('coordinator-moved', by.subject, { target: to });
      await audit.flush();
    },
    copyDatabase: (path) => store.backup(path),
    thaw() {
      daemon.thaw();
      gate.open();
    },
    async move(to, address) {
      const signed = moveCoordinator(coordinatedRoster(device), identity, to);
      next.at = [address];
      // On disk first: whoever hears of it may act on it at once, and this device must not coordinate again after a crash.
      await follow([signed], [address]);
      return roster.since(0);
    },
  });
}

/**
 * Looks whether this device could coordinate: its ports are free, and the database in its data folder is sound.
 * @param signpostPort one that it holds itself, and gives up before it coordinates
 * @throws LanyardError with what is in the way
 */
export async function checkCoordinator(
  { device, settings, logger }: CoordinatorNodeOptions,
  signpostPort: number | undefined,
): Promise<void> {
  const { host, port, lanHost, apiPort, peerPort } = settings;
  const wanted = [
    [host, port] as const,
    ...(lanHost === null ? [] : [[lanHost, apiPort] as const]),
    [lanHost ?? '127.0.0.1', peerPort] as const,
  ];
  for (const [at, number] of wanted) if (number !== signpostPort) await assertFree(at, number);
  const { current } = device.roster;
  if (current !== undefined)
    await openStore({ path: join(device.dataFolder, DATABASE), farm: current.farm.id, wallMs: Date.now, logger }).close();
}

async function assertFree(host: string, port: number): Promise<void> {
  const server = createPlainServer().listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new LanyardError(
      {
        code: 'UNAVAILABLE',
        message: `Port ${port} of ${host} is taken at the device that was to take over (${(cause as Error).message}).`,
      },
      { cause },
    );
  }
  await new Promise((resolve) => server.close(resolve));
}

async function backUp(store: Store, dataFolder: string, wallMs: number): Promise<string> {
  const path = join(dataFolder, `backup-${new Date(wallMs).toISOString().replaceAll(':', '-')}.sqlite`);
  await store.backup(path);
  return path;
}

/** What an invite carries: the address itself, or those of this machine when it listens on all. */
function reachableAddresses({ lanHost, hostNames }: CoordinatorSettings, port: number): string[] {
  const hosts = isWildcard(lanHost)
    ? Object.values(networkInterfaces())
        .flatMap((list) => list ?? [])
        .filter(({ internal, family }) => !internal && family === 'IPv4')
        .map(({ address }) => address)
    : [lanHost ?? '127.0.0.1'];
  return [...hosts, ...hostNames].map((host) => formatAddress(host, port));
}

function isWildcard(host: string | null): boolean {
  return host === '0.0.0.0' || host === '::';
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** As `closeServer`, but answers under way get a moment: one of them may be the one that ends this coordinator. */
async function endServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const late = setTimeout(() => server.closeAllConnections(), LAST_ANSWER_MS);
  await closed;
  clearTimeout(late);
}

/** Keeps the tokens of earlier starts, so that scripts go on working after a restart. */
async function writeConnection(
  path: string,
  where: Pick<Connection, 'url' | 'peer'>,
  tokens: Pick<Tokens, 'authenticate' | 'create'>,
): Promise<Connection> {
  const before = connectionSchema.partial({ peer: true }).safeParse(await readJson(path));
  const known =
    before.success && tokens.authenticate(before.data.token) !== undefined && tokens.authenticate(before.data.workerToken) !== undefined;
  const connection = known
    ? { ...before.data, ...where }
    : {
        ...where,
        token: await tokens.create('local administrator', 'admin', { lifeMs: null }),
        workerToken: await tokens.create('polling worker', 'worker', { lifeMs: null }),
      };
  await writeFile(path, `${JSON.stringify(connection, null, 2)}\n`, { mode: 0o600 });
  await chmod(path, 0o600);
  return connection;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}
