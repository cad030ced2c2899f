import type { JobId, NodeId } from '../../shared/ids.ts';
import type { JobView, NodeView, Totals, ViewEvent } from '../../shared/view.ts';
import type { Clock, Dispose } from '../ports/system.ts';

/** Deltas are at least this far apart, and what changes in between shares one (ms): the first change after a silence is told at once. */
const GATHER_MS = 50;

export interface WatchersOptions {
  readonly clock: Clock;
  readonly snapshot: () => Omit<Extract<ViewEvent, { type: 'snapshot' }>, 'type' | 'cursor'>;
  readonly job: (job: JobId) => JobView | undefined;
  readonly node: (node: NodeId) => NodeView | undefined;
  readonly totals: () => Totals;
}

/** Tells viewers what changed: a snapshot first, then deltas. Costs nothing while nobody watches. */
export interface Watchers {
  watch(listener: (event: ViewEvent) => void): Dispose;
  jobChanged(job: JobId): void;
  nodeChanged(node: NodeId): void;
  /** Everything may have changed: all viewers get a new snapshot. */
  reset(): void;
  /** Nobody is told anything any more. */
  close(): void;
}

export function createWatchers(options: WatchersOptions): Watchers {
  const listeners = new Set<(event: ViewEvent) => void>();
  let jobs = new Set<JobId>();
  let nodes = new Set<NodeId>();
  let cursor = 0;
  let timer: Dispose | undefined;
  let publishedMs = Number.NEGATIVE_INFINITY;

  const snapshot = (): ViewEvent => ({ type: 'snapshot', cursor, ...options.snapshot() });

  const publish = () => {
    timer = undefined;
    publishedMs = options.clock.elapsedMs();
    const changedJobs = [...jobs];
    const changedNodes = [...nodes];
    jobs = new Set();
    nodes = new Set();
    cursor += 1;
    const jobViews = changedJobs.map(options.job);
    const nodeViews = changedNodes.map(options.node);
    const event: ViewEvent = {
      type: 'delta',
      cursor,
      jobs: jobViews.filter((view) => view !== undefined),
      removedJobs: changedJobs.filter((_, position) => jobViews[position] === undefined),
      nodes: nodeViews.filter((view) => view !== undefined),
      removedNodes: changedNodes.filter((_, position) => nodeViews[position] === undefined),
      totals: options.totals(),
    };
    for (const listener of [...listeners]) listener(event);
  };

  const schedule = () => {
    timer ??= options.clock.after(Math.max(0, publishedMs + GATHER_MS - options.clock.elapsedMs()), publish);
  };

  const forget = () => {
    jobs.clear();
    nodes.clear();
    timer?.();
    timer = undefined;
  };

  return {
    watch(listener) {
      listeners.add(listener);
      listener(snapshot());
      return () => listeners.delete(listener);
    },
    jobChanged(job) {
      if (listeners.size === 0) return;
      jobs.add(job);
      schedule();
    },
    nodeChanged(node) {
      if (listeners.size === 0) return;
      nodes.add(node);
      schedule();
    },
    reset() {
      forget();
      cursor += 1;
      for (const listener of [...listeners]) listener(snapshot());
    },
    close() {
      listeners.clear();
      forget();
    },
  };
}
