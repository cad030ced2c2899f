import type { BlobId, JobId, NodeId } from '../../shared/ids.ts';
import type { JobState, TaskState } from '../../shared/job.ts';
import type { FarmConfig } from './config.ts';
import type { CoordinatorEffect } from './effects.ts';
import type { Now } from './events.ts';
import { JobTable } from './job-table.ts';
import type { FarmNode, Job, Limit, Owner, QueueClass, SharedPolicy, Task, Tier } from './model.ts';

/** The whole farm in memory. Only the files of this folder write to it; everybody else reads through `queries.ts`. */
export interface FarmState {
  readonly config: FarmConfig;
  readonly jobs: JobTable;
  /** The highest id of a job so far. */
  lastJob: number;
  readonly nodes: Map<NodeId, FarmNode>;
  readonly owners: Map<string, Owner>;
  /** Steady clock; since when owners' shares are summed. */
  sharesSinceMs: number;
  /** What waits, descending by priority. */
  readonly tiers: Tier[];
  readonly policies: Map<string, SharedPolicy>;
  readonly classes: Map<string, QueueClass>;
  /** Ordinals of nodes that are gone. */
  readonly freeOrdinals: number[];
  readonly limits: Map<string, Limit>;
  /** Jobs that wait for a job. */
  readonly dependents: Map<JobId, Set<JobId>>;
  /** Nodes that have a blob in their cache. */
  readonly holders: Map<BlobId, Set<FarmNode>>;
  /** Binary heap by time; an entry is valid when it equals its node's `checkAtMs`. */
  readonly deadlines: { readonly atMs: number; readonly node: FarmNode }[];
  /** Nodes that may have more to give since the last placement (`FarmNode.isDirty`). */
  readonly dirtyNodes: FarmNode[];
  /** Attempts that may be asked to make room, by the priority of their jobs. */
  readonly preemptible: Map<number, Set<Task>>;
  /** Classes that a node is kept free for. */
  readonly earmarked: Set<QueueClass>;
  /** Classes that may have more to place since the last placement (`QueueClass.isDirty`). */
  readonly dirtyClasses: QueueClass[];
  /** Placements that this turn may still make. */
  placementsLeft: number;
  /** Tasks that completed in this step and whose job has dependents that have yet to hear of it. */
  readonly completed: { readonly job: JobId; readonly index: number }[];
  /** Jobs that fail everywhere, and why they are to be stopped; at the end of this step. */
  readonly hopeless: { readonly job: JobId; readonly reason: string }[];
  /** Jobs whose first tasks may have ended in this step. */
  readonly canaries: Set<Job>;
  /** Jobs that ended in this step and whose dependents have yet to hear of it. */
  readonly ended: { readonly id: JobId; readonly state: JobState }[];
  readonly jobCounts: Record<JobState, number>;
  readonly taskCounts: Record<TaskState, number>;
  /** Of the current step. */
  now: Now;
  stepNumber: number;
  effects: CoordinatorEffect[];
}

export function noCounts(): Record<TaskState, number> {
  return { SUBMITTED: 0, QUEUED: 0, ASSIGNED: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, TIMED_OUT: 0, CANCELLED: 0 };
}

/** Counts so many more in the state. Each is named: what is looked up by a text that varies takes several times as long. */
export function addTo(counts: Record<TaskState, number>, state: TaskState, by: number): void {
  if (state === 'SUBMITTED') counts.SUBMITTED += by;
  else if (state === 'QUEUED') counts.QUEUED += by;
  else if (state === 'ASSIGNED') counts.ASSIGNED += by;
  else if (state === 'RUNNING') counts.RUNNING += by;
  else if (state === 'COMPLETED') counts.COMPLETED += by;
  else if (state === 'FAILED') counts.FAILED += by;
  else if (state === 'TIMED_OUT') counts.TIMED_OUT += by;
  else counts.CANCELLED += by;
}

/** @returns a farm without jobs and nodes; `recovered` fills it */
export function createFarm(config: FarmConfig): FarmState {
  const limits = new Map<string, Limit>();
  for (const [name, capacity] of Object.entries(config.limits)) limits.set(name, { name, capacity, used: 0, classes: new Set() });
  return {
    config,
    jobs: new JobTable(),
    lastJob: 0,
    nodes: new Map(),
    owners: new Map(),
    sharesSinceMs: 0,
    tiers: [],
    policies: new Map(),
    classes: new Map(),
    freeOrdinals: [],
    limits,
    dependents: new Map(),
    holders: new Map(),
    deadlines: [],
    dirtyNodes: [],
    preemptible: new Map(),
    earmarked: new Set(),
    dirtyClasses: [],
    placementsLeft: 0,
    completed: [],
    hopeless: [],
    canaries: new Set(),
    ended: [],
    jobCounts: noCounts(),
    taskCounts: noCounts(),
    now: { elapsedMs: 0, wallMs: 0 },
    stepNumber: 0,
    effects: [],
  };
}

/** Tells the screens, once a step. */
export function jobChanged(farm: FarmState, job: Job): void {
  if (job.activity !== null) {
    if (job.activity.announced === farm.stepNumber) return;
    job.activity.announced = farm.stepNumber;
  }
  farm.effects.push({ type: 'job-changed', job: job.id });
}

/** Tells the screens, once a step. */
export function nodeChanged(farm: FarmState, node: FarmNode): void {
  if (node.announced === farm.stepNumber) return;
  node.announced = farm.stepNumber;
  farm.effects.push({ type: 'node-changed', node: node.id });
}

/** The node may have more to give: it is looked at by the next placement. */
export function markNode(farm: FarmState, node: FarmNode): void {
  if (node.isDirty) return;
  node.isDirty = true;
  farm.dirtyNodes.push(node);
}

/** The class may have more to place: it is looked at by the next placement. */
export function markClass(farm: FarmState, queueClass: QueueClass): void {
  if (queueClass.isDirty) return;
  queueClass.isDirty = true;
  farm.dirtyClasses.push(queueClass);
}
