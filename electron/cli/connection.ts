import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { LanyardError } from '../../shared/errors.ts';
import { defaultDataFolder } from './data-folder.ts';

export interface Connection {
  readonly url: string;
  readonly token: string;
}

export interface ConnectionOptions {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  readonly data?: string | undefined;
}

const connectionSchema = z.object({ url: z.url(), token: z.string().min(1), workerToken: z.string().min(1) });
/** What a coordinator writes into its data folder for its own user. */
export type StoredConnection = z.infer<typeof connectionSchema>;

/**
 * Which coordinator to talk to, first match first: `--url`, `--data`, `LANYARD_URL`, the default data folder. A token that is not
 * given with `--token` or `LANYARD_TOKEN` comes from the data folder's `connection.json`, if that is of the same coordinator.
 * @throws LanyardError UNAVAILABLE without any coordinator, UNAUTHENTICATED without a token
 */
export async function findConnection(options: ConnectionOptions, env: Readonly<Record<string, string | undefined>>): Promise<Connection> {
  const folder = options.data === undefined ? defaultDataFolder(env) : resolve(options.data);
  const url = options.url ?? (options.data === undefined ? filled(env.LANYARD_URL) : undefined);
  const token = options.token ?? (options.data === undefined ? filled(env.LANYARD_TOKEN) : undefined);
  if (url !== undefined && token !== undefined) return { url, token };
  const stored = await readConnection(folder);
  if (url === undefined) {
    if (stored === undefined) throw noCoordinator(folder);
    return { url: stored.url, token: token ?? stored.token };
  }
  if (stored === undefined || new URL(stored.url).origin !== originOf(url))
    throw new LanyardError({
      code: 'UNAUTHENTICATED',
      message: `there is no token for ${url}`,
      hint: 'give one with --token, or in LANYARD_TOKEN',
    });
  return { url, token: stored.token };
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
    message: `no coordinator is known: there is no connection.json in ${folder}`,
    hint: 'start one with `lanyard up`, or name one with --url and --token (LANYARD_URL and LANYARD_TOKEN)',
  });
}
