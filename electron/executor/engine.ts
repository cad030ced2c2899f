import { Agent, type IncomingMessage } from 'node:http';
import { homedir } from 'node:os';
import type { Readable } from 'node:stream';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import { advice, type EngineAddress, type EngineTrouble, engineAddresses, type FailedAddress, knock, troubleOf } from './sockets.ts';

/** What a container engine says about itself. */
export interface EngineFacts {
  /** `Docker 20.10.24 (API 1.41)`. */
  readonly title: string;
  readonly apiVersion: string;
  readonly cpus: number;
  /** The engine runs as an ordinary user: root in a container is that user, and nobody else can write to the user's files. */
  readonly rootless: boolean;
  readonly isPodman: boolean;
}

/** The engine's API of Docker 19.03 and Podman 3: the first that takes device requests. */
const LEAST_API_VERSION = '1.40';

/** No engine could be reached; the message says what to do. */
export class EngineUnreachable extends Error {
  override readonly name = 'EngineUnreachable';
  readonly trouble: EngineTrouble;

  constructor(message: string, trouble: EngineTrouble) {
    super(message);
    this.trouble = trouble;
  }
}

/** The connection to a container engine, found again when it was lost. */
export interface Engine {
  /** @throws EngineUnreachable */
  client(): Promise<Docker>;
  /** @throws EngineUnreachable */
  facts(): Promise<EngineFacts>;
  /** Looks with a fresh connection whether an engine still accepts any: one that is shutting down does not. */
  answers(): Promise<boolean>;
  /** Forgets the connection; the next use looks for an engine anew. */
  forget(): void;
  close(): void;
}

interface Connection {
  readonly address: EngineAddress;
  readonly client: Docker;
  facts: Promise<EngineFacts> | undefined;
}

/**
 * The client library describes every request to its debug log, whether that is on or off, and with it the agent and all that
 * hangs on its sockets: milliseconds of the CPU for each request.
 */
class BriefAgent extends Agent {
  [inspect.custom](): string {
    return 'Agent';
  }
}

/** @param configured a socket's path or an address; without one the usual places are searched */
export function createEngine(configured: string | undefined): Engine {
  const surroundings = { platform: process.platform, home: homedir(), environment: process.env };
  const agent = new BriefAgent({ keepAlive: true });
  let connection: Promise<Connection> | undefined;

  const find = async (): Promise<Connection> => {
    const failures: FailedAddress[] = [];
    for (const address of engineAddresses(configured, surroundings)) {
      const code = await knock(address);
      if (code === undefined) return { address, client: new Docker(clientOptions(address, agent)), facts: undefined };
      failures.push({ address, code });
    }
    throw new EngineUnreachable(advice(failures, surroundings), troubleOf(failures, surroundings));
  };

  const connect = (): Promise<Connection> => {
    if (connection === undefined) {
      const attempt = find();
      connection = attempt;
      attempt.catch(() => {
        if (connection === attempt) connection = undefined;
      });
    }
    return connection;
  };

  return {
    client: async () => (await connect()).client,
    async facts() {
      const found = await connect();
      found.facts ??= readFacts(found.client);
      found.facts.catch(() => {
        found.facts = undefined;
      });
      return await found.facts;
    },
    async answers() {
      const found = await connect().catch(() => undefined);
      return found !== undefined && (await knock(found.address)) === undefined;
    },
    forget() {
      connection = undefined;
    },
    close() {
      agent.destroy();
    },
  };
}

/** @returns undefined when the engine is new enough, else a sentence */
export function tooOld(facts: EngineFacts): string | undefined {
  if (compareVersions(facts.apiVersion, LEAST_API_VERSION) >= 0) return undefined;
  return `${facts.title} is too old: its API must be ${LEAST_API_VERSION} or newer (Docker 19.03, Podman 3). Please update it.`;
}

/** Bytes of output that follow a container's life from before its start, stdout and stderr multiplexed. */
export async function attachOutput(client: Docker, container: string): Promise<Readable> {
  const output = await client.getContainer(container).attach({ stream: true, stdout: true, stderr: true, hijack: true });
  return output as unknown as Readable;
}

/**
 * Waits until the container does not run any more.
 * The client library's own `wait` never settles when the engine goes away while it waits, so the answer is read here.
 * @returns the exit code
 */
export async function waitForExit(client: Docker, container: string): Promise<number> {
  const answer = await post(client, `/containers/${container}/wait?`, { condition: 'not-running' });
  const text = (await answer.toArray()).join('');
  const { StatusCode: exitCode, Error: failure } = JSON.parse(text) as { StatusCode?: number; Error?: { Message?: string } | null };
  if (failure?.Message) throw new Error(failure.Message);
  if (exitCode === undefined) throw new Error('the engine did not say how the container ended');
  return exitCode;
}

/**
 * @param options the body; where `path` ends with a question mark, also the query
 * @returns the engine's answer, as it comes; @throws when it refuses, or does not answer
 */
export function post(client: Docker, path: string, options: object): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = {
      path,
      method: 'POST',
      options,
      isStream: true,
      statusCodes: { 200: true, 201: true, 400: 'bad parameter', 404: 'no such container', 500: 'server error' },
    };
    client.modem.dial(request, (error: unknown, response: unknown) => {
      if (error) reject(error);
      else resolve(response as IncomingMessage);
    });
  });
}

/** The HTTP status with which the engine refused, or undefined when there was no answer at all. */
export function statusOf(error: unknown): number | undefined {
  const status = (error as { statusCode?: unknown }).statusCode;
  return typeof status === 'number' ? status : undefined;
}

/** What the engine said, without the client library's wrapping. */
export function reasonOf(error: unknown): string {
  const said = (error as { json?: { message?: unknown } | null }).json?.message;
  const text = typeof said === 'string' ? said : error instanceof Error ? error.message : String(error);
  return text.trim().slice(0, 1_000);
}

function clientOptions(address: EngineAddress, agent: Agent): Docker.DockerOptions {
  // The library lets DOCKER_HOST win over a socket's path unless the host is explicitly absent. Its types do not know `agent`.
  const options = 'socketPath' in address ? { ...address, host: undefined, agent } : { ...address, protocol: 'http', agent };
  return options as unknown as Docker.DockerOptions;
}

async function readFacts(client: Docker): Promise<EngineFacts> {
  const [version, info] = await Promise.all([client.version(), client.info()]);
  const isPodman = version.Components?.some((component) => component.Name.startsWith('Podman')) ?? false;
  const security = (info.SecurityOptions ?? []) as readonly string[];
  return {
    title: `${isPodman ? 'Podman' : 'Docker'} ${version.Version} (API ${version.ApiVersion})`,
    apiVersion: version.ApiVersion,
    cpus: info.NCPU,
    rootless: security.some((option) => option.includes('rootless')),
    isPodman,
  };
}

function compareVersions(left: string, right: string): number {
  const [leftParts, rightParts] = [left, right].map((text) => text.split('.').map(Number));
  for (let part = 0; part < 2; part += 1) {
    const difference = (leftParts?.[part] ?? 0) - (rightParts?.[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
