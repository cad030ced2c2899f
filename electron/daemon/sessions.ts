import { type AttemptId, attemptId, type JobId, type NodeId, parseAttemptId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import {
  type AttemptEnd,
  type CoordinatorMessage,
  type Hello,
  PROTOCOL_VERSION,
  type Report,
  type Work,
  type WorkerMessage,
} from '../../shared/protocol.ts';
import type { CoordinatorEffect } from '../core/effects.ts';
import type { CoordinatorEvent } from '../core/events.ts';
import type { Blobs, Identity, LinkServerHandlers, Logger, LogStore, WorkerConnection } from '../ports.ts';
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
  readonly mayWriteLog: (node: NodeId, attempt: AttemptId) => boolean;
}

/** The connections of workers: their messages become events, and effects become messages to them. */
export interface Sessions {
  readonly handlers: LinkServerHandlers;
  /** Sends what one turn's effects ask for, each worker's assignments in as few messages as possible. */
  perform(effects: readonly CoordinatorEffect[]): void;
  /** Drops every connection; the workers come back by themselves and say what they hold. */
  closeAll(reason: string): void;
}

export function createSessions(options: SessionsOptions): Sessions {
  const { blobs, logs, catalog, logger, post } = options;
  const connections = new Map<NodeId, WorkerConnection>();
  /** What each hello's logs reached on disk, until its welcome is sent. */
  const logOffsets = new Map<NodeId, { attempt: AttemptId; offset: number }[]>();

  const isCurrent = (connection: WorkerConnection) => connections.get(connection.node) === connection;

  const hello = async (connection: WorkerConnection, message: Hello, identity: Identity) => {
    connections.set(connection.node, connection);
    logger.info('worker connected', { node: connection.node, name: message.node.name, token: identity.subject });
    const offsets = await Promise.all(message.attempts.map(async ({ attempt }) => ({ attempt, offset: await logs.size(attempt) })));
    // While the disk was asked, the worker may have gone, or come again on another connection.
    if (!isCurrent(connection)) return;
    logOffsets.set(connection.node, offsets);
    post({ type: 'node-registered', node: message.node, carrier: 'link', attempts: message.attempts, cached: message.cached });
  };

  const report = async (connection: WorkerConnection, message: Report) => {
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
      case 'ended': {
        const end = message.end.outputs.length === 0 ? message.end : await checkOutputs(message.end, blobs);
        if (isCurrent(connection)) post({ type: 'attempt-ended', node, ...key, end });
      }
    }
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
        for (const one of received.reports)
          report(connection, one).catch((error: Error) => logger.error('a report could not be taken', { node, error: error.message }));
        return;
      case 'describe':
        if (received.node.id === node) post({ type: 'node-described', node: received.node });
        return;
      case 'goodbye':
        post({ type: 'node-goodbye', node });
    }
  };

  const log = async (connection: WorkerConnection, attempt: AttemptId, offset: number, bytes: Uint8Array) => {
    // Of an attempt that is not this worker's (any more) nothing is kept; it is told so by the answer to its reports.
    if (!options.mayWriteLog(connection.node, attempt)) return;
    const size = await logs.append(attempt, offset, bytes);
    connection.send({ type: 'log-acknowledge', attempt, offset: size });
  };

  const perform = (effects: readonly CoordinatorEffect[]) => {
    const outgoing = new Outgoing(catalog, logger);
    for (const effect of effects) {
      switch (effect.type) {
        case 'welcome': {
          const kept = new Set(effect.keep);
          connections.get(effect.node)?.send({
            type: 'welcome',
            protocol: PROTOCOL_VERSION,
            farm: options.farmName,
            heartbeatMs: options.heartbeatMs,
            stop: [...effect.stop],
            logs: (logOffsets.get(effect.node) ?? []).filter(({ attempt }) => kept.has(attempt)),
          });
          logOffsets.delete(effect.node);
          break;
        }
        case 'assign':
          outgoing.assign(effect.node, effect.job, effect.index, effect.number, effect.gpus);
          break;
        case 'stop':
          outgoing.of(effect.node).stops.push({ attempt: effect.attempt, reason: effect.reason, graceMs: STOP_GRACE_MS });
          break;
        case 'acknowledge':
          outgoing.of(effect.node).acknowledged.push(effect.attempt);
          break;
        case 'save-attempt':
          logs.finish(attemptId(effect.row.job, effect.row.index, effect.row.number));
          break;
        case 'disconnect':
          connections.get(effect.node)?.close(effect.reason);
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
        if (isCurrent(connection)) message(connection, received);
      },
      log,
      closed: (connection, reason) => {
        if (!isCurrent(connection)) return;
        connections.delete(connection.node);
        logger.info('worker disconnected', { node: connection.node, reason });
        post({ type: 'node-disconnected', node: connection.node });
      },
    },
    closeAll(reason) {
      const open = [...connections.values()];
      connections.clear();
      for (const connection of open) connection.close(reason);
    },
  };
}

/** A worker may only name outputs that it has brought here, whole. */
async function checkOutputs(end: AttemptEnd, blobs: Blobs): Promise<AttemptEnd> {
  const sizes = await Promise.all(end.outputs.map(({ blob }) => blobs.size(blob)));
  const missing = end.outputs.find((output, position) => sizes[position] !== output.bytes);
  if (missing === undefined) return end;
  return { ...end, reason: 'infrastructure', message: `The output "${missing.path}" did not arrive at the coordinator.`, outputs: [] };
}

interface ToWorker {
  readonly work: Map<JobId, Work>;
  attempts: Extract<CoordinatorMessage, { type: 'assign' }>['attempts'];
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
      to = { work: new Map(), attempts: [], stops: [], acknowledged: [] };
      this.byNode.set(node, to);
    }
    return to;
  }

  assign(node: NodeId, job: JobId, index: number, number: number, gpus: readonly string[]): void {
    const entry = this.catalog.entry(job);
    if (entry === undefined) {
      this.logger.error('a job that is not stored was placed', { attempt: attemptId(job, index, number) });
      return;
    }
    const to = this.of(node);
    if (!to.work.has(job)) to.work.set(job, entry.work());
    to.attempts.push(toAssignment(entry, job, index, number, gpus));
  }

  send(connectionOf: (node: NodeId) => WorkerConnection | undefined): void {
    for (const [node, to] of this.byNode) {
      const connection = connectionOf(node);
      // A worker that polls has no connection: it asks.
      if (connection === undefined) continue;
      for (const attempts of chunks(to.acknowledged)) connection.send({ type: 'acknowledge', attempts });
      for (const attempts of chunks(to.stops)) connection.send({ type: 'stop', attempts });
      for (const attempts of chunks(to.attempts)) connection.send({ type: 'assign', work: workOf(to, attempts), attempts });
    }
  }
}

function workOf(to: ToWorker, attempts: ToWorker['attempts']): Work[] {
  if (to.attempts.length === attempts.length) return [...to.work.values()];
  const jobs = new Set(attempts.map(({ attempt }) => parseAttemptId(attempt)?.job as JobId));
  return [...to.work].filter(([job]) => jobs.has(job)).map(([, work]) => work);
}

function chunks<T>(list: T[]): T[][] {
  if (list.length === 0) return [];
  if (list.length <= LIMITS.attemptsPerMessage) return [list];
  const parts: T[][] = [];
  for (let from = 0; from < list.length; from += LIMITS.attemptsPerMessage) parts.push(list.slice(from, from + LIMITS.attemptsPerMessage));
  return parts;
}
