import { mkdtemp, rm } from 'node:fs/promises';
import { networkInterfaces, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { splitAddress } from '../../shared/address.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { Device } from '../compose/device.ts';
import { lookAround } from '../compose/look.ts';
import { type DoctorFacts, diagnose, renderFindings } from '../discovery/doctor.ts';
import { unmatchedEntries } from '../discovery/interfaces.ts';
import { type LanReading, type PortReading, probeHttpClock, probePort } from '../discovery/probes.ts';
import { createClock } from '../machine/clock.ts';
import { createLogger } from '../machine/logger.ts';
import { type Connection, dataFolderOf, findConnection, findDevice } from './connection.ts';
import type { Context, Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { readSettingsFile, resolveSettings, type Settings } from './settings.ts';
import { plain } from './text.ts';

const PROBE_MS = 3_000;

/** Measures what stands between this machine and a farm, and says what to do. Ends with 1 when something cannot work. */
export const doctor: Handler = async (context) => {
  const { terminal, env } = context;
  const dataFolder = dataFolderOf(context.options, env);
  const settings = resolveSettings({ flags: {}, environment: env, file: await readSettingsFile(dataFolder) });
  const device = await findDevice(dataFolder);
  terminal.progress('looking around for a few seconds');
  const findings = diagnose(await measure(context, device, settings));
  terminal.progress(undefined);
  const isSound = findings.every(({ level }) => level !== 'fail');
  if (context.options.json === true) terminal.json({ isSound, findings });
  else await terminal.write(renderFindings(findings));
  return isSound ? EXIT.ok : EXIT.jobFailed;
};

async function measure(context: Context, device: Device | undefined, settings: Settings): Promise<DoctorFacts> {
  const [lan, reached, engines] = await Promise.all([lookAround(settings.worker), reach(context, device), engineStatuses(settings)]);
  const isOwnCoordinator = device !== undefined && device.roster.current?.coordinator === device.identity.id;
  const places = device?.roster.current === undefined ? [] : await listeners(device, isOwnCoordinator, settings, lan);
  const { connection } = reached;
  return {
    platform: process.platform,
    release: release(),
    interfaces: lan.interfaces,
    unmatched: unmatchedEntries(networkInterfaces(), settings.worker.interfaces),
    foundNodes: lan.found.filter(({ announcement }) => announcement.nodeId !== device?.identity.id).length,
    ports: await Promise.all(places.map(({ name, host, port }) => probePort(name, host, port, PROBE_MS))),
    isOwnCoordinator,
    coordinator: reached.coordinator,
    // This machine's own clock is the same.
    clock: connection === undefined || isOwnCoordinator ? undefined : await readClock(connection),
    engines,
  };
}

/** Talks with the coordinator as any command would. */
async function reach(
  context: Context,
  device: Device | undefined,
): Promise<{ readonly coordinator: DoctorFacts['coordinator']; readonly connection?: Connection }> {
  const { url, data } = context.options;
  const isNamed = url !== undefined || (data === undefined && (context.env.LANYARD_URL ?? '') !== '');
  if (!isNamed && device?.roster.current === undefined) return { coordinator: undefined };
  try {
    const connection = await findConnection(context.options, context.env);
    const { createClient } = await import('../api/client.ts');
    const client = createClient(connection);
    // What every device and every token may ask; so far ahead that nothing needs to be sent.
    await client.call('roster', { query: { since: Number.MAX_SAFE_INTEGER }, signal: context.signal });
    return { coordinator: { url: client.url }, connection };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof LanyardError)) throw error;
    return { coordinator: { failure: `${plain(error.message)}.`, fix: error.hint === undefined ? null : `${plain(error.hint)}.` } };
  }
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
  const { knownAddresses } = await import('../compose/locator.ts');
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

function readClock({ url, tls }: Connection) {
  return probeHttpClock(createClock(), new URL('/api/health', url).href, PROBE_MS, tls);
}

/** What the executors of this machine would say of themselves if it worked. */
async function engineStatuses({ worker }: Settings): Promise<DoctorFacts['engines']> {
  const { createExecutors } = await import('../compose/worker.ts');
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-doctor-'));
  const executors = createExecutors(worker, { farm: 'doctor', node: 'doctor', slots: 1, folder, logger: createLogger({ level: 'error' }) });
  try {
    return await Promise.all(executors.map(async (executor) => ({ name: executor.kind, status: await executor.status() })));
  } finally {
    for (const executor of executors) await executor.close();
    await rm(folder, { recursive: true, force: true });
  }
}
