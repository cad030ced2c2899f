import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coordinatorSettingsSchema } from '../../../shared/settings.ts';
import { ROLES, type Role } from '../../../shared/trust.ts';
import type { Farm } from '../../daemon/farm.ts';
import { openBlobs } from '../../files/blobs.ts';
import { openLogStore } from '../../files/log-store.ts';
import { openTemplates } from '../../files/templates.ts';
import type { Blobs, LogStore, Thumbnails } from '../../ports/files.ts';
import type { Logger } from '../../ports/system.ts';
import type { Authenticator, Handover, Membership } from '../../ports/trust.ts';
import { createGate } from '../gate.ts';
import { createApi } from '../server.ts';

/** An API on a real port with real blobs and logs, in front of a farm made by hand. */
export interface TestApi {
  readonly url: string;
  readonly port: number;
  readonly blobs: Blobs;
  readonly logs: LogStore;
  /** What was logged as an error. */
  readonly errors: string[];
  send(request: Sent): Promise<Answered>;
  close(): Promise<void>;
}

export interface Sent {
  readonly method?: string;
  readonly path: string;
  /** A role's token; none when absent. */
  readonly as?: Role;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface Answered {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** The code of the error that it carries. */
  readonly code: string | undefined;
}

/** Each role's token is its name with `-token` after it. */
export const authenticator: Authenticator = {
  authenticate(token) {
    const role = ROLES.find((one) => token === `${one}-token`);
    return role === undefined ? undefined : { subject: `the ${role}`, roles: [role] };
  },
};

/** A farm that must not be reached, but for the parts given. */
export function farmOf(parts: Partial<Farm>): Farm {
  return nowhere('farm', parts);
}

function nowhere<T extends object>(what: string, parts: Partial<T>): T {
  return new Proxy(parts as T, {
    get(target, name) {
      if (name in target) return target[name as keyof T];
      throw new Error(`secret detail: the ${what}'s ${String(name)} was reached`);
    },
  });
}

const NO_THUMBNAILS: Thumbnails = {
  of: async () => {
    throw new Error('this test gave no thumbnails');
  },
  async close() {},
};

export async function startApi(
  options: {
    readonly farm?: Partial<Farm>;
    readonly logs?: Partial<LogStore>;
    readonly thumbnails?: (blobs: Blobs, folder: string) => Promise<Thumbnails>;
    readonly settings?: Record<string, unknown>;
    readonly dashboardFolder?: string;
    readonly port?: number;
  } = {},
): Promise<TestApi> {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-api-'));
  const blobs = await openBlobs(join(folder, 'blobs'));
  const logs = (options.logs as LogStore | undefined) ?? (await openLogStore(join(folder, 'logs'), 1024 * 1024));
  const thumbnails = await options.thumbnails?.(blobs, join(folder, 'thumbnails'));
  const errors: string[] = [];
  const logger: Logger = { debug() {}, info() {}, warn() {}, error: (_, fields) => errors.push(JSON.stringify(fields)) };
  const api = await createApi({
    farm: farmOf(options.farm ?? {}),
    blobs,
    logs,
    templates: openTemplates(join(folder, 'templates'), logger),
    thumbnails: thumbnails ?? NO_THUMBNAILS,
    authenticator,
    deviceOf: () => undefined,
    membership: nowhere<Membership>('membership', { record() {}, recordRefusal() {} }),
    handover: nowhere<Handover>('handover', {}),
    gate: createGate(),
    examine: async () => [],
    settings: coordinatorSettingsSchema.parse(options.settings ?? {}),
    version: '9.9.9',
    logger,
    ...(options.dashboardFolder === undefined ? {} : { dashboardFolder: options.dashboardFolder }),
  });
  const port = await api.listen('127.0.0.1', options.port ?? 0);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    blobs,
    logs,
    errors,
    send: (sent) => send(port, sent),
    async close() {
      await api.close();
      await thumbnails?.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A request with every header as it is given, the Host among them. */
export function send(port: number, sent: Sent): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      port,
      host: '127.0.0.1',
      path: sent.path,
      method: sent.method ?? 'GET',
      agent: false,
      headers: {
        ...(sent.as === undefined ? {} : { authorization: `Bearer ${sent.as}-token` }),
        ...(sent.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent.body)) }),
        ...sent.headers,
      },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = Buffer.concat(chunks);
        const text = body.toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, text, code: codeIn(text) });
      });
    });
    request.end(sent.body);
  });
}

function codeIn(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { error?: { code?: string } }).error?.code;
  } catch {
    return undefined;
  }
}
