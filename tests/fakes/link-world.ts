import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLinkClient, type LinkClientOptions } from '../../electron/link/client.ts';
import { LINK_PATH } from '../../electron/link/codec.ts';
import { attachLinkServer, type LinkServer, type LinkServerOptions } from '../../electron/link/server.ts';
import type { LinkClient, LinkClientHandlers, WorkerConnection } from '../../electron/ports/link.ts';
import type { Clock, Logger } from '../../electron/ports/system.ts';
import type { Identity } from '../../electron/ports/trust.ts';
import type { AttemptId, NodeId } from '../../shared/ids.ts';
import { type CoordinatorMessage, type Hello, PROTOCOL_VERSION, type Welcome, type WorkerMessage } from '../../shared/protocol.ts';
import { ROLES } from '../../shared/trust.ts';

/** A real coordinator's link and real workers' links on 127.0.0.1, with what their handlers saw. */

export const quietLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export const steadyClock: Clock = {
  wallMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Tokens are `<role>-token`. */
export function identifyByRole(request: IncomingMessage): Identity | undefined {
  const role = ROLES.find((name) => request.headers.authorization === `Bearer ${name}-token`);
  return role === undefined ? undefined : { subject: `the ${role}`, roles: [role] };
}

export const welcome: Welcome = { type: 'welcome', protocol: PROTOCOL_VERSION, farm: 'farm-1', heartbeatMs: 10_000, stop: [], logs: [] };

export function helloOf(node: string): Hello {
  return {
    type: 'hello',
    protocol: PROTOCOL_VERSION,
    node: {
      id: node as NodeId,
      name: node,
      os: 'linux',
      arch: 'x64',
      version: '0.1.0',
      capacity: { cpu: 4, ramMb: 4096, diskMb: 10_000, gpus: [] },
      labels: {},
      zone: '',
      maxParallel: 2,
      executors: [],
      availability: 'available',
    },
    attempts: [],
    cached: [],
  };
}

/** A list that can be waited for: `at(i)` resolves with the i-th element once it is there. */
export class Sequence<T> {
  readonly items: T[] = [];
  #waiting: { readonly index: number; readonly resolve: (item: T) => void }[] = [];

  push(item: T): void {
    this.items.push(item);
    const ready = this.#waiting.filter(({ index }) => index < this.items.length);
    this.#waiting = this.#waiting.filter(({ index }) => index >= this.items.length);
    for (const { index, resolve } of ready) resolve(this.items[index] as T);
  }

  at(index: number): Promise<T> {
    if (index < this.items.length) return Promise.resolve(this.items[index] as T);
    return new Promise((resolve) => this.#waiting.push({ index, resolve }));
  }
}

export interface ReceivedLog {
  readonly attempt: AttemptId;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface Coordinator {
  readonly server: Server;
  readonly link: LinkServer;
  readonly port: number;
  readonly hellos: Sequence<{ readonly connection: WorkerConnection; readonly hello: Hello }>;
  readonly messages: Sequence<Exclude<WorkerMessage, { type: 'hello' }>>;
  readonly logs: Sequence<ReceivedLog>;
  readonly closed: Sequence<{ readonly connection: WorkerConnection; readonly reason: string }>;
  /** Names of handlers in the order they were called, with the node. */
  readonly order: string[];
  close(): Promise<void>;
}

/** Welcomes every worker at once, unless `options.handlers` says otherwise. */
export async function startLinkCoordinator(
  options: Partial<Omit<LinkServerOptions, 'handlers'>> & {
    readonly handlers?: Partial<LinkServerOptions['handlers']>;
    readonly port?: number;
  } = {},
): Promise<Coordinator> {
  const server = createServer((_request, response) => response.writeHead(404).end());
  const hellos: Coordinator['hellos'] = new Sequence();
  const messages: Coordinator['messages'] = new Sequence();
  const logs: Coordinator['logs'] = new Sequence();
  const closed: Coordinator['closed'] = new Sequence();
  const order: string[] = [];
  const link = attachLinkServer({
    path: LINK_PATH,
    identify: identifyByRole,
    logger: quietLogger,
    ...options,
    server,
    handlers: {
      hello(connection, hello, identity) {
        order.push(`hello ${connection.node}`);
        if (options.handlers?.hello === undefined) connection.send(welcome);
        else options.handlers.hello(connection, hello, identity);
        hellos.push({ connection, hello });
      },
      message(connection, message) {
        order.push(`${message.type} ${connection.node}`);
        options.handlers?.message?.(connection, message);
        messages.push(message);
      },
      async log(connection, attempt, offset, bytes) {
        logs.push({ attempt, offset, bytes });
        await options.handlers?.log?.(connection, attempt, offset, bytes);
      },
      closed(connection, reason) {
        order.push(`closed ${connection.node}`);
        options.handlers?.closed?.(connection, reason);
        closed.push({ connection, reason });
      },
    },
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const port = (server.address() as AddressInfo).port;
  const close = async () => {
    await link.close();
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return { server, link, port, hellos, messages, logs, closed, order, close };
}

export interface Worker {
  readonly client: LinkClient;
  readonly welcomes: Sequence<Welcome>;
  readonly messages: Sequence<Exclude<CoordinatorMessage, { type: 'welcome' }>>;
  readonly closed: Sequence<{ readonly reason: string; readonly final: boolean }>;
}

/** Connects at once, and again after pauses of at most 40 ms. */
export function startLinkWorker(
  port: number,
  node = 'node-1',
  options: Partial<Omit<LinkClientOptions, 'handlers'>> & { readonly handlers?: Partial<LinkClientHandlers> } = {},
): Worker {
  const welcomes: Worker['welcomes'] = new Sequence();
  const messages: Worker['messages'] = new Sequence();
  const closed: Worker['closed'] = new Sequence();
  const client = createLinkClient({
    endpoint: () => ({ url: `http://127.0.0.1:${port}`, token: 'worker-token' }),
    clock: steadyClock,
    logger: quietLogger,
    random: Math.random,
    reconnect: { firstMs: 10, longestMs: 40 },
    ...options,
    handlers: {
      hello: () => options.handlers?.hello?.() ?? helloOf(node),
      welcome(message) {
        options.handlers?.welcome?.(message);
        welcomes.push(message);
      },
      message: (message) => messages.push(message),
      closed(reason, final) {
        options.handlers?.closed?.(reason, final);
        closed.push({ reason, final });
      },
    },
  });
  return { client, welcomes, messages, closed };
}
