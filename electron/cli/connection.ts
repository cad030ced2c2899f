import { access, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { z } from 'zod';
import { formatAddress, splitAddress } from '../../shared/address.ts';
import { LanyardError } from '../../shared/errors.ts';
import { coordinatorSettingsSchema } from '../../shared/settings.ts';
import type { Device } from '../compose/device.ts';
import type { Logger } from '../ports/system.ts';
import { parseConnectionString } from '../trust/connection-string.ts';
import { defaultDataFolder } from './data-folder.ts';

/** How a coordinator is spoken with: a token, or the key of this device. */
export interface Connection {
  readonly url: string;
  readonly token?: string;
  /** Whose key must answer, and whose is shown; without it the connection has no TLS, or one that an authority vouches for. */
  readonly tls?: TlsOptions;
}

export interface ConnectionOptions {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  readonly data?: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const connectionSchema = z.object({ url: z.url(), token: z.string().min(1), workerToken: z.string().min(1) });
/** What a coordinator writes into its data folder for its own user. */
export type StoredConnection = z.infer<typeof connectionSchema>;

/**
 * Which coordinator to talk to, first match first: `--url`, `--data`, `LANYARD_URL`, the default data folder. An address may be
 * a connection string, which holds all that is needed. A data folder leads to the coordinator that runs from it, with the
 * token of its `connection.json`, or to that of the farm which its device joined, with the device's own key.
 * @throws LanyardError UNAVAILABLE without any coordinator, UNAUTHENTICATED without a token, FORBIDDEN when another key answers
 */
export async function findConnection(options: ConnectionOptions, env: Environment): Promise<Connection> {
  const folder = dataFolderOf(options, env);
  const url = options.url ?? (options.data === undefined ? filled(env.LANYARD_URL) : undefined);
  const token = options.token ?? (options.data === undefined ? filled(env.LANYARD_TOKEN) : undefined);
  if (url?.startsWith('lanyard+')) return pinnedConnection(url);
  if (url !== undefined && token !== undefined) return { url, token };
  if (url === undefined) return connectionOfFolder(folder, token, env);
  const stored = await readConnection(folder);
  if (stored === undefined || new URL(stored.url).origin !== originOf(url))
    throw new LanyardError({
      code: 'UNAUTHENTICATED',
      message: `there is no token for ${url}`,
      hint: 'give one with --token, or in LANYARD_TOKEN; or use a connection string, as `lanyard token create` prints it',
    });
  return { url, token: stored.token };
}

/**
 * The API of the device that has taken coordination over, as whoever was named with `--url` is no coordinator any more: the same token is good there,
 * and the device shows that it is the one by its key.
 * @throws LanyardError UNAVAILABLE when it does not answer at the usual port, FORBIDDEN when another key answers
 */
export async function connectionAfterMove({ token }: Connection, device: string, host: string): Promise<Connection> {
  const { fetchPinnedCertificate, pinnedClientOptions } = await import('../trust/tls.ts');
  const { apiPort } = coordinatorSettingsSchema.parse({});
  const certificate = await fetchPinnedCertificate(host, apiPort, device);
  return {
    url: `https://${formatAddress(host, apiPort)}`,
    ...(token === undefined ? {} : { token }),
    tls: pinnedClientOptions(certificate),
  };
}

/** The folder of `--data`, `LANYARD_DATA`, or the platform's usual place. */
export function dataFolderOf({ data }: Pick<ConnectionOptions, 'data'>, env: Environment): string {
  return data === undefined ? defaultDataFolder(env) : resolve(data);
}

/**
 * The device that a data folder holds.
 * @returns undefined where there never was one; it is not made here
 * @throws LanyardError INVALID when a file in it is damaged
 */
export async function findDevice(folder: string): Promise<Device | undefined> {
  const { IDENTITY_FILE } = await import('../trust/identity.ts');
  const isThere = await access(join(folder, IDENTITY_FILE)).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  const { openDevice } = await import('../compose/device.ts');
  return openDevice(folder);
}

async function pinnedConnection(text: string): Promise<Connection> {
  const { token, address, fingerprint } = parseConnectionString(text);
  const { fetchPinnedCertificate, pinnedClientOptions } = await import('../trust/tls.ts');
  const { host, port } = splitAddress(address);
  const certificate = await fetchPinnedCertificate(host, port, fingerprint);
  return { url: `https://${address}`, token, tls: pinnedClientOptions(certificate) };
}

async function connectionOfFolder(folder: string, token: string | undefined, env: Environment): Promise<Connection> {
  const device = await findDevice(folder);
  const roster = device?.roster.current;
  if (device !== undefined && roster !== undefined && roster.coordinator !== device.identity.id) return reachAsDevice(device, env);
  const stored = await readConnection(folder);
  if (stored === undefined) throw noCoordinator(folder);
  return { url: stored.url, token: token ?? stored.token };
}

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

async function reachAsDevice(device: Device, environment: Environment): Promise<Connection> {
  const { readSettingsFile, resolveSettings } = await import('./settings.ts');
  const { worker } = resolveSettings({ flags: {}, environment, file: await readSettingsFile(device.dataFolder) });
  const { reachCoordinator } = await import('../compose/reach.ts');
  return reachCoordinator({ device, logger: SILENT, look: worker.discovery, interfaces: worker.interfaces });
}

/** @returns what the coordinator of this data folder wrote when it started; undefined when none ever did */
export async function readConnection(folder: string): Promise<StoredConnection | undefined> {
  const path = join(folder, 'connection.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LanyardError(
      { code: 'INVALID', message: `cannot read ${path} (${(error as NodeJS.ErrnoException).code})` },
      { cause: error },
    );
  }
  try {
    return connectionSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new LanyardError(
      { code: 'INVALID', message: `${path} is not a connection file`, hint: 'the coordinator writes it anew when it starts' },
      { cause },
    );
  }
}

function filled(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function originOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).origin : undefined;
}

function noCoordinator(folder: string): LanyardError {
  return new LanyardError({
    code: 'UNAVAILABLE',
    message: `no coordinator is known: the device of ${folder} belongs to no farm, or coordinates it but never ran`,
    hint: 'start one with `lanyard up`, join a farm with `lanyard join`, or name one with --url (LANYARD_URL)',
  });
}
