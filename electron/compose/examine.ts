import { mkdtemp, rm } from 'node:fs/promises';
import { networkInterfaces, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { splitAddress } from '../../shared/address.ts';
import type { Finding } from '../../shared/finding.ts';
import type { CoordinatorSettings, WorkerSettings } from '../../shared/settings.ts';
import { type DoctorFacts, diagnose } from '../discovery/doctor.ts';
import { unmatchedEntries } from '../discovery/interfaces.ts';
import { type LanReading, type PortReading, probeHttpClock, probePort } from '../discovery/probes.ts';
import { createClock } from '../machine/clock.ts';
import { createLogger } from '../machine/logger.ts';
import type { Device } from './device.ts';
import { knownAddresses } from './locator.ts';
import { lookAround } from './look.ts';
import { createExecutors } from './worker.ts';

const PROBE_MS = 3_000;

interface Settings {
  readonly coordinator: CoordinatorSettings;
  readonly worker: WorkerSettings;
}

/** How the coordinator answered to whoever asks, and where; without a place its clock cannot be read. */
export interface Reached {
  readonly coordinator: DoctorFacts['coordinator'];
  readonly at?: { readonly url: string; readonly tls?: ConnectionOptions | undefined };
}

export interface ExamineOptions {
  /** Undefined: this machine has none yet. */
  readonly device: Device | undefined;
  readonly settings: Settings;
  readonly reach: () => Promise<Reached>;
}

/** Measures for some seconds what stands between this machine and a farm, and says what to do. */
export async function examine({ device, settings, reach }: ExamineOptions): Promise<readonly Finding[]> {
  const [lan, reached, engines] = await Promise.all([lookAround(settings.worker), reach(), engineStatuses(settings)]);
  const isOwnCoordinator = device !== undefined && device.roster.current?.coordinator === device.identity.id;
  const places = device?.roster.current === undefined ? [] : await listeners(device, isOwnCoordinator, settings, lan);
  const { at } = reached;
  return diagnose({
    platform: process.platform,
    release: release(),
    interfaces: lan.interfaces,
    unmatched: unmatchedEntries(networkInterfaces(), settings.worker.interfaces),
    foundNodes: lan.found.filter(({ announcement }) => announcement.nodeId !== device?.identity.id).length,
    ports: await Promise.all(places.map(({ name, host, port }) => probePort(name, host, port, PROBE_MS))),
    isOwnCoordinator,
    coordinator: reached.coordinator,
    // This machine's own clock is the same.
    clock:
      at === undefined || isOwnCoordinator
        ? undefined
        : await probeHttpClock(createClock(), new URL('/api/health', at.url).href, PROBE_MS, at.tls),
    engines,
  });
}

type Place = Omit<PortReading, 'failure'>;

/** Where the coordinator should listen: on this machine by the settings, elsewhere by what is known and announced. */
async function listeners(device: Device, isOwn: boolean, { coordinator }: Settings, { interfaces, found }: LanReading): Promise<Place[]> {
  if (isOwn) {
    const { lanHost, apiPort, peerPort } = coordinator;
    const isWildcard = lanHost === '0.0.0.0' || lanHost === '::';
    const hosts = isWildcard
      ? interfaces.flatMap(({ used, address }) => (used && address !== null ? [address] : []))
      : [lanHost ?? '127.0.0.1'];
    return hosts.flatMap((host) => [
      ...(lanHost === null || apiPort === 0 ? [] : [{ name: 'API', host, port: apiPort }]),
      ...(peerPort === 0 ? [] : [{ name: 'peer', host, port: peerPort }]),
    ]);
  }
  const known = (await knownAddresses(device.dataFolder)).map((address) => ({ name: 'peer', ...splitAddress(address) }));
  const id = device.roster.current?.coordinator;
  const announced = found
    .filter(({ announcement }) => announcement.nodeId === id)
    .flatMap(({ announcement: { ports }, addresses }) =>
      addresses.flatMap((host) => [
        ...(ports.peer === null ? [] : [{ name: 'peer', host, port: ports.peer }]),
        ...(ports.api === null ? [] : [{ name: 'API', host, port: ports.api }]),
      ]),
    );
  const places = [...known, ...announced];
  return places.filter(
    (place, at) => places.findIndex((other) => other.name === place.name && other.host === place.host && other.port === place.port) === at,
  );
}

/** What the executors of this machine would say of themselves if it worked. */
async function engineStatuses({ worker }: Settings): Promise<DoctorFacts['engines']> {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-doctor-'));
  const executors = createExecutors(worker, { farm: 'doctor', node: 'doctor', slots: 1, folder, logger: createLogger({ level: 'error' }) });
  try {
    return await Promise.all(executors.map(async (executor) => ({ name: executor.kind, status: await executor.status() })));
  } finally {
    for (const executor of executors) await executor.close();
    await rm(folder, { recursive: true, force: true });
  }
}
