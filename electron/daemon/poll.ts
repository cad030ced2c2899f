import { LanyardError } from '../../shared/errors.ts';
import { type AttemptId, type AttemptKey, attemptId, type JobId, type NodeId, parseAttemptId } from '../../shared/ids.ts';
import type { AttemptEnd, LogStream } from '../../shared/protocol.ts';
import { fillCommand } from '../../shared/tasks.ts';
import type { JobDetail, NodeView, TaskView } from '../../shared/view.ts';
import type { CoordinatorEffect } from '../core/effects.ts';
import type { CoordinatorEvent } from '../core/events.ts';
import { assignedTo, holds } from '../core/queries.ts';
import type { FarmState } from '../core/state.ts';
import type { Blobs, LogStore } from '../ports/files.ts';
import type { Catalog } from './catalog.ts';
import type { PollWorkers } from './farm.ts';
import { mayWriteLog } from './leases.ts';

export interface PollOptions {
  readonly post: (event: CoordinatorEvent) => readonly CoordinatorEffect[];
  readonly settled: () => Promise<void>;
  readonly farm: () => FarmState;
  readonly detail: (job: JobId) => JobDetail;
  readonly task: (job: JobId, index: number) => TaskView;
  readonly node: (node: NodeId) => NodeView;
  readonly catalog: Catalog;
  readonly logs: LogStore;
  readonly blobs: Blobs;
}

/**
 * Workers without a connection, which ask over HTTP as those of the earlier system do. To the core they are nodes like
 * others, whose connection never closes and whose heartbeats alone count.
 */
export function createPollWorkers(options: PollOptions): PollWorkers {
  const { post, settled, farm, logs } = options;

  const mustHold = (node: NodeId, attempt: AttemptId): AttemptKey => {
    const key = parseAttemptId(attempt);
    if (key === undefined || !mayWriteLog(farm(), node, attempt))
      throw new LanyardError({
        code: 'CONFLICT',
        message: `Attempt ${attempt} is not ${node}'s: it was cancelled, or given to another worker.`,
      });
    return key;
  };

  return {
    async register(node, keeps = () => true) {
      // What it has not taken yet it cannot have lost.
      const held = assignedTo(farm(), node.id)
        .filter(({ attempt, state }) => state === 'ASSIGNED' || keeps(attempt))
        .map(({ attempt, state }) => ({ attempt, state: state === 'RUNNING' ? ('running' as const) : ('preparing' as const) }));
      post({ type: 'node-registered', node, carrier: 'poll', attempts: held, cached: [] });
      await settled();
      return options.node(node.id);
    },
    async heartbeat(node, metrics) {
      const { availability } = options.node(node).description;
      post({ type: 'heartbeat', node, metrics, availability });
      await settled();
      return options.node(node);
    },
    async take(node, has = () => true) {
      options.node(node);
      const next = assignedTo(farm(), node).find(({ attempt, state }) => state === 'ASSIGNED' || !has(attempt));
      const key = next === undefined ? undefined : parseAttemptId(next.attempt);
      if (next === undefined || key === undefined) return undefined;
      const { job, index } = key;
      const entry = options.catalog.entry(job);
      if (entry === undefined) throw new Error(`job ${job} was placed but is not stored`);
      post({ type: 'attempt-started', node, ...key });
      await settled();
      return {
        attempt: next.attempt,
        job: options.detail(job),
        task: options.task(job, index),
        command: fillCommand(entry.spec.command, entry.split.parameters(index)),
      };
    },
    async end(node, attempt, end: AttemptEnd) {
      const key = parseAttemptId(attempt);
      if (key === undefined) throw new LanyardError({ code: 'INVALID', field: 'attempt', message: `"${attempt}" is no attempt.` });
      const effects = post({ type: 'attempt-ended', node, ...key, end });
      await settled();
      const taken = effects.some((effect) => effect.type === 'acknowledge' && effect.accepted);
      if (!taken)
        throw new LanyardError({ code: 'CONFLICT', message: `The result of ${attempt} came too late: the attempt is no longer current.` });
      return options.task(key.job, key.index);
    },
    async appendLog(node, attempt, stream: LogStream, text: Uint8Array) {
      const { job, index, number } = mustHold(node, attempt);
      await logs.appendText(attemptId(job, index, number), stream, text);
    },
    shouldStop: (node, attempt) => !holds(farm(), node, attempt),
  };
}
