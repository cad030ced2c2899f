import type { NodeCache } from '../../shared/cache.ts';
import { type AttemptId, attemptId, type JobId, type NodeId, parseAttemptId } from '../../shared/ids.ts';
import {
  type Assignment,
  type CoordinatorMessage,
  type Hello,
  PROTOCOL_VERSION,
  type Report,
  type Work,
  type WorkerMessage,
} from '../../shared/protocol.ts';
import type { CoordinatorEffect } from '../core/effects.ts';
import type { CoordinatorEvent } from '../core/events.ts';
import type { Blobs, LogStore } from '../ports/files.ts';
import type { LinkServerHandlers, WorkerConnection } from '../ports/link.ts';
import type { Logger } from '../ports/system.ts';
import type { Identity } from '../ports/trust.ts';
import { type Catalog, toAssignment } from './catalog.ts';

/** Time a task gets between being asked to end and being killed, when the coordinator stops it (ms). */
const STOP_GRACE_MS = 5_000;

export interface SessionsOptions {
  readonly farmName: string;
  readonly heartbeatMs: number;
  readonly blobs: Blobs;
  readonly logs: LogStore;
  readonly catalog: Catalog;
  readonly logger: Logger;
  readonly post: (event: CoordinatorEvent) => void;
  /** Resolves when all that was posted so far is done. */
  readonly settled: () => Promise<void>;
  readonly mayWriteLog: (node: NodeId, attempt: AttemptId) => boolean;
  /** A worker says what it keeps. */
  readonly cacheTold: (node: NodeId, request: number, cache: NodeCache) => void;
}

/** The connections of workers: their messages become events, and effects become messages to them. */
export interface Sessions {
  readonly handlers: LinkServerHandlers;
  /** Sends what one turn's effects ask for, each worker's assignments in as few messages as possible. */
  perform(effects: readonly CoordinatorEffect[]): void;
  /** Takes connections, and listens again to those there are. */
  open(): void;
  /** Listens to nobody any more, but drops nobody either: what is not heard is said again on the next connection. */
  freeze(): void;
  isConnected(node: NodeId): boolean;
  send(node: NodeId, message: CoordinatorMessage): void;
  /** Tells every worker. */
  broadcast(message: CoordinatorMessage): void;
  /** Drops every connection and refuses new ones until `open`; the workers come back by themselves and say what they hold. */
  close(reason: string): void;
}

interface Greeting {
  readonly name: string;
  readonly by: string;
  /** What the worker's logs reached on disk. */
  readonly offsets: { attempt: AttemptId; offset: number }[];
  /** Attempts that it says have ended. */
  readonly ended: ReadonlySet<AttemptId>;
}

export function createSessions(options: SessionsOptions): Sessions {
  const { blobs, logs, catalog, logger, post } = options;
  /** The connection that each registered node is served on: the one whose hello became its last `node-registered`. */
  const connections = new Map<NodeId, WorkerConnection>();
  /** The newest connection of each node that said hello, registered or about to be. */
  const newest = new Map<NodeId, WorkerConnection>();
  /** What each hello said and found, until its welcome is sent. */
  const greetings = new Map<NodeId, Greeting>();
  /** What a connection said after something that waits for the disk waits too: order is what its worker relies on. */
  const waiting = new WeakMap<WorkerConnection, Promise<void>>();
  /** Why no connection is taken, as long as none is. */
  let refusal: string | undefined = 'the coordinator is starting';
  let isFrozen = false;

  const isCurrent = (connection: WorkerConnection) => connections.get(connection.node) === connection;

  const hello = async (connection: WorkerConnection, message: Hello, identity: Identity) => {
    if (refusal !== undefined) return connection.close(refusal);
    newest.set(connection.node, connection);
    const offsets = await Promise.all(message.attempts.map(async ({ attempt }) => ({ attempt, offset: await logs.size(attempt) })));
    // What there is to say of earlier events is for the connection before this one.
    await options.settled();
    // While the disk was waited for, the worker may have gone, or come again on another connection.
    if (newest.get(connection.node) !== connection) return;
    connections.set(connection.node, connection);
    const ended = new Set(message.attempts.filter(({ state }) => state === 'ended').map(({ attempt }) => attempt));
    greetings.set(connection.node, { name: message.node.name, by: identity.subject, offsets, ended });
    post({ type: 'node-registered', node: message.node, carrier: 'link', attempts: message.attempts, cached: message.cached });
  };

  /** Takes it now, or after what this connection said before and is still being looked into. */
  const inOrder = (connection: WorkerConnection, take: () => void, ready?: Promise<void>) => {
    const before = waiting.get(connection);
    if (before === undefined && ready === undefined) return take();
    const now = Promise.all([before, ready])
      .then(() => {
        if (isCurrent(connection)) take();
      })
      .catch((error: Error) => {
        logger.error('a message of a worker could not be taken', { node: connection.node, error: error.message });
        connection.close('internal error');
      })
      .finally(() => {
        if (waiting.get(connection) === now) waiting.delete(connection);
      });
    waiting.set(connection, now);
  };

  const report = (connection: WorkerConnection, message: Report) => {
    const key = parseAttemptId(message.attempt);
    if (key === undefined) return;
    const node = connection.node;
    switch (message.kind) {
      case 'phase':
        post({ type: 'attempt-phase', node, ...key, phase: message.phase });
        return;
      case 'started':
        post({ type: 'attempt-started', node, ...key });
        return;
      case 'ended':
        post({ type: 'attempt-ended', node, ...key, end: message.end });
    }
  };

  const reports = (connection: WorkerConnection, received: readonly Report[]) => {
    const take = (all: readonly Report[]) => {
      for (const one of all) report(connection, one);
    };
    if (!received.some(hasOutputs)) return inOrder(connection, () => take(received));
    let checked: readonly Report[] = [];
    const check = Promise.all(received.map((one) => (hasOutputs(one) ? withCheckedOutputs(one, blobs) : one)));
    inOrder(
      connection,
      () => take(checked),
      check.then((all) => {
        checked = all;
      }),
    );
  };

  const message = (connection: WorkerConnection, received: Exclude<WorkerMessage, { type: 'hello' }>) => {
    const node = connection.node;
    switch (received.type) {
      case 'heartbeat': {
        const { metrics, availability, cached } = received;
        post({ type: 'heartbeat', node, metrics, availability, ...(cached === undefined ? {} : { cached }) });
        return;
      }
      case 'reports':
        return reports(connection, received.reports);
      case 'describe':
        if (received.node.id === node) post({ type: 'node-described', node: received.node });
        return;
      case 'cache':
        return options.cacheTold(node, received.request, received.cache);
      case 'goodbye':
        inOrder(connection, () => post({ type: 'node-goodbye', node }));
    }
  };

  const log = async (connection: WorkerConnection, attempt: AttemptId, offset: number, bytes: Uint8Array) => {
    if (isFrozen) return;
    // Of an attempt that is not this worker's (any more) nothing is kept; it is told so by the answer to its reports.
    if (!options.mayWriteLog(connection.node, attempt)) return;
    const size = await logs.append(attempt, offset, bytes);
    connection.send({ type: 'log-acknowledge', attempt, offset: size });
  };

  const refuseResult = (node: NodeId, attempt: AttemptId) =>
    logger.warn('a result came too late, or a second time, and changed nothing', { node, attempt });

  const welcome = ({ node, keep, stop }: Extract<CoordinatorEffect, { type: 'welcome' }>) => {
    const greeting = greetings.get(node);
    greetings.delete(node);
    const kept = new Set(keep);
    const logs = greeting?.offsets.filter(({ attempt }) => kept.has(attempt)) ?? [];
    const { farmName: farm, heartbeatMs } = options;
    connections.get(node)?.send({ type: 'welcome', protocol: PROTOCOL_VERSION, farm, heartbeatMs, stop: [...stop], logs });
    if (greeting === undefined) return;
    logger.info('worker connected', { node, name: greeting.name, by: greeting.by });
    for (const attempt of stop) if (greeting.ended.has(attempt)) refuseResult(node, attempt);
  };

  const perform = (effects: readonly CoordinatorEffect[]) => {
    const outgoing = new Outgoing(catalog, logger);
    for (const [position, effect] of effects.entries()) {
      switch (effect.type) {
        case 'welcome':
          // What this turn had to say before the hello was for the connection before it.
          outgoing.forget(effect.node);
          welcome(effect);
          break;
        case 'assign':
          outgoing.assign(effect.node, effect.job, effect.index, effect.number, effect.gpus);
          break;
        case 'stop':
          outgoing.of(effect.node).stops.push({ attempt: effect.attempt, reason: effect.reason, graceMs: effect.graceMs ?? STOP_GRACE_MS });
          break;
        case 'acknowledge':
          if (!effect.accepted) refuseResult(effect.node, effect.attempt);
          outgoing.of(effect.node).acknowledged.push(effect.attempt);
          break;
        case 'save-attempt':
          logs.finish(attemptId(effect.row.job, effect.row.index, effect.row.number));
          break;
        case 'disconnect':
          // Not the connection that the node came back on, later in the same turn.
          if (!isWelcomed(effects, effect.node, position)) connections.get(effect.node)?.close(effect.reason);
          break;
      }
    }
    outgoing.send((node) => connections.get(node));
  };

  return {
    perform,
    handlers: {
      hello: (connection, received, identity) => {
        hello(connection, received, identity).catch((error: Error) => {
          logger.error('a worker could not be welcomed', { node: connection.node, error: error.message });
          connection.close('internal error');
        });
      },
      message: (connection, received) => {
        if (isCurrent(connection) && !isFrozen) message(connection, received);
      },
      log,
      closed: (connection, reason) => {
        const node = connection.node;
        if (newest.get(node) === connection) newest.delete(node);
        if (!isCurrent(connection)) return;
        logger.info('worker disconnected', { node, reason });
        // What it said before it went counts; after that the node is not there.
        inOrder(connection, () => {
          connections.delete(node);
          post({ type: 'node-disconnected', node });
        });
      },
    },
    open() {
      refusal = undefined;
      if (!isFrozen) return;
      isFrozen = false;
      // They said things that nobody heard.
      for (const connection of connections.values()) connection.close('the coordinator goes on');
    },
    freeze() {
      refusal = 'coordination is being handed over';
      isFrozen = true;
    },
    isConnected: (node) => connections.has(node),
    send: (node, what) => connections.get(node)?.send(what),
    broadcast(what) {
      for (const connection of connections.values()) connection.send(what);
    },
    close(reason) {
      refusal = reason;
      const open = new Set([...connections.values(), ...newest.values()]);
      connections.clear();
      newest.clear();
      for (const connection of open) connection.close(reason);
    },
  };
}

function isWelcomed(effects: readonly CoordinatorEffect[], node: NodeId, after: number): boolean {
  return effects.some((effect, position) => position > after && effect.type === 'welcome' && effect.node === node);
}

type EndedReport = Extract<Report, { kind: 'ended' }>;

function hasOutputs(report: Report): report is EndedReport {
  return report.kind === 'ended' && report.end.outputs.length > 0;
}

/** A worker may only name outputs that it has brought here, whole. */
async function withCheckedOutputs(report: EndedReport, blobs: Blobs): Promise<EndedReport> {
  const { end } = report;
  const sizes = await Promise.all(end.outputs.map(({ blob }) => blobs.size(blob)));
  const missing = end.outputs.find((output, position) => sizes[position] !== output.bytes);
  if (missing === undefined) return report;
  const message = `The output "${missing.path}" did not arrive at the coordinator.`;
  return { ...report, end: { ...end, reason: 'infrastructure', message, outputs: [] } };
}

interface ToWorker {
  readonly assignments: Map<Work, Assignment[]>;
  readonly stops: Extract<CoordinatorMessage, { type: 'stop' }>['attempts'];
  readonly acknowledged: AttemptId[];
}

/** What one turn has to say to each worker. */
class Outgoing {
  private readonly byNode = new Map<NodeId, ToWorker>();
  private readonly catalog: Catalog;
  private readonly logger: Logger;

  constructor(catalog: Catalog, logger: Logger) {
    this.catalog = catalog;
    this.logger = logger;
  }

  of(node: NodeId): ToWorker {
    let to = this.byNode.get(node);
    if (to === undefined) {
      to = { assignments: new Map(), stops: [], acknowledged: [] };
      this.byNode.set(node, to);
    }
    return to;
  }

  forget(node: NodeId): void {
    this.byNode.delete(node);
  }

  assign(node: NodeId, job: JobId, index: number, number: number, gpus: readonly string[]): void {
    const entry = this.catalog.entry(job);
    if (entry === undefined) {
      this.logger.error('a job that is not stored was placed', { attempt: attemptId(job, index, number) });
      return;
    }
    const { assignments } = this.of(node);
    const work = entry.work();
    const assignment = toAssignment(entry, job, index, number, gpus);
    const others = assignments.get(work);
    if (others === undefined) assignments.set(work, [assignment]);
    else others.push(assignment);
  }

  send(connectionOf: (node: NodeId) => WorkerConnection | undefined): void {
    for (const [node, { acknowledged, stops, assignments }] of this.byNode) {
      const connection = connectionOf(node);
      // A worker that polls has no connection: it asks.
      if (connection === undefined) continue;
      if (acknowledged.length > 0) connection.send({ type: 'acknowledge', attempts: acknowledged });
      if (stops.length > 0) connection.send({ type: 'stop', attempts: stops });
      if (assignments.size > 0)
        connection.send({ type: 'assign', groups: Array.from(assignments, ([work, attempts]) => ({ work, attempts })) });
      // A start waits for it; for what else follows from this turn, nobody does.
      connection.flush();
    }
  }
}
