import type { CanaryPlan, CanaryProposal, CanaryRun } from '../../shared/canary.ts';
import type { AttemptId, JobId, NodeId } from '../../shared/ids.ts';
import { attemptId, parseAttemptId } from '../../shared/ids.ts';
import type { JobRow, TaskRow, TaskState } from '../../shared/job.ts';
import type { Availability, Metrics, NodeRow, NodeStatus } from '../../shared/node.ts';
import type { Phase } from '../../shared/protocol.ts';
import type { JobView, LimitView, OwnerView, Totals } from '../../shared/view.ts';
import { proposalOf } from './canary-decision.ts';
import { estimateOf } from './estimates.ts';
import { usageOf } from './fairness.ts';
import { findTask } from './live-tasks.ts';
import { type FarmNode, NONE } from './model.ts';
import { hasWaiting } from './queue.ts';
import { canaryEnded, isFresh, rowOfJob, rowOfNode, rowOfTask } from './rows.ts';
import type { FarmState } from './state.ts';

/**
 * What others may read of the farm. Everything here is a copy, and costs what its answer is long
 * (`totals`: the number of nodes).
 */

/** A node as it stands now. */
export interface NodeSummary {
  readonly status: NodeStatus;
  readonly availability: Availability;
  /** Why it is UNHEALTHY, OFFLINE or on probation, in a sentence. */
  readonly reason: string | null;
  /** CPU in cores. `slots` counts attempts that are being stopped too. */
  readonly used: { readonly cpu: number; readonly ramMb: number; readonly gpus: number; readonly slots: number };
  readonly metrics: Metrics | null;
  /** Its current attempts, ASSIGNED and RUNNING. */
  readonly running: readonly AttemptId[];
}

/** An attempt that is its task's current one. */
export interface LiveAttempt {
  readonly attempt: AttemptId;
  readonly job: JobId;
  readonly index: number;
  readonly number: number;
  readonly state: Extract<TaskState, 'ASSIGNED' | 'RUNNING'>;
  readonly node: NodeId;
  /** Wall clock. */
  readonly assignedAt: number;
  readonly startedAt: number | null;
  readonly phase: Phase | null;
  readonly gpus: readonly string[];
}

/** @returns the row of a job that has not ended; undefined when it has, or never was */
export function jobRow(farm: FarmState, job: JobId): JobRow | undefined {
  const found = farm.jobs.get(job);
  return found === undefined ? undefined : rowOfJob(found, null);
}

/** The first tasks of a job, as long as it is not decided how the rest is to run. */
export interface LiveCanary {
  readonly approval: CanaryPlan['approval'];
  readonly tasks: readonly number[];
  /** How many of them have ended. */
  readonly ended: number;
  readonly runs: readonly CanaryRun[];
  /** There once all of them have ended: the job waits for approval. */
  readonly proposal: CanaryProposal | null;
}

/** @returns whether the first tasks of a job still run, or it waits for approval; null for every other job */
export function canaryPhase(farm: FarmState, id: JobId): JobView['canaryPhase'] {
  const job = farm.jobs.get(id);
  const canary = job?.activity?.canary;
  if (job === undefined || canary === null || canary === undefined) return null;
  return canaryEnded(job, canary) === canary.tasks.length ? 'waiting' : 'running';
}

/** @returns null for a job that has none, has decided, or has ended */
export function liveCanary(farm: FarmState, id: JobId): LiveCanary | null {
  const job = farm.jobs.get(id);
  const canary = job?.activity?.canary;
  if (job === undefined || canary === null || canary === undefined) return null;
  const { plan, tasks, runs } = canary;
  const proposal = proposalOf(farm, job) ?? null;
  return { approval: plan.approval, tasks, ended: canaryEnded(job, canary), runs: [...runs.values()], proposal };
}

/** @returns the jobs that wait for a job, or for tasks of it */
export function dependents(farm: FarmState, job: JobId): JobId[] {
  return [...(farm.dependents.get(job) ?? [])];
}

/** @returns the wall-clock times between which the job will be done; null as long as nothing is known */
export function jobEta(farm: FarmState, id: JobId): JobView['eta'] {
  const job = farm.jobs.get(id);
  const estimate = job === undefined ? undefined : estimateOf(farm, job);
  if (estimate === undefined) return null;
  const { wallMs } = farm.now;
  return { earliest: Math.round(wallMs + estimate.earliestMs), latest: Math.round(wallMs + estimate.latestMs) };
}

export function jobIds(farm: FarmState): JobId[] {
  return Array.from(farm.jobs.values(), ({ id }) => id);
}

/**
 * @returns the row of a task that has one and has not ended; undefined for those that wait for their first
 * attempt (`isWaiting`) and for those that have ended (the store has them)
 */
export function taskRow(farm: FarmState, job: JobId, index: number): TaskRow | undefined {
  const task = findTask(farm, job, index);
  return task === undefined ? undefined : rowOfTask(task);
}

/** @returns true when the task waits for its first attempt (SUBMITTED or QUEUED) */
export function isWaiting(farm: FarmState, job: JobId, index: number): boolean {
  const found = farm.jobs.get(job);
  return found !== undefined && isFresh(found, index);
}

/** @returns the attempt when it is its task's current one and is ASSIGNED or RUNNING */
export function liveAttempt(farm: FarmState, job: JobId, index: number, number: number): LiveAttempt | undefined {
  const task = findTask(farm, job, index);
  if (task === undefined || task.node === null || task.attempt !== number) return undefined;
  return {
    attempt: attemptId(job, index, number),
    job,
    index,
    number,
    state: task.state === 'RUNNING' ? 'RUNNING' : 'ASSIGNED',
    node: task.node.id,
    assignedAt: task.assignedAt ?? 0,
    startedAt: task.startedAt,
    phase: task.phase,
    gpus: task.gpus,
  };
}

/** @returns what the task's current attempt is at, by the worker's last word; null when it said nothing or none lives */
export function attemptPhase(farm: FarmState, job: JobId, index: number): Phase | null {
  return findTask(farm, job, index)?.phase ?? null;
}

/** @returns the node's current attempts, oldest first */
export function assignedTo(farm: FarmState, node: NodeId): LiveAttempt[] {
  const attempts: LiveAttempt[] = [];
  for (const task of farm.nodes.get(node)?.tasks ?? NONE) {
    const attempt = liveAttempt(farm, task.job.id, task.index, task.attempt);
    if (attempt !== undefined) attempts.push(attempt);
  }
  return attempts;
}

/** @returns attempts that are settled here and that the node has yet to stop */
export function stoppingOn(farm: FarmState, node: NodeId): AttemptId[] {
  return [...(farm.nodes.get(node)?.stopping.keys() ?? NONE)];
}

export function nodeIds(farm: FarmState): NodeId[] {
  return [...farm.nodes.keys()];
}

export function nodeRow(farm: FarmState, node: NodeId): NodeRow | undefined {
  const found = farm.nodes.get(node);
  return found === undefined ? undefined : rowOfNode(farm, found);
}

/** @returns true when the attempt is its task's current one and lives on this node */
export function holds(farm: FarmState, node: NodeId, attempt: AttemptId): boolean {
  const key = parseAttemptId(attempt);
  return key !== undefined && liveAttempt(farm, key.job, key.index, key.number)?.node === node;
}

export function nodeSummary(farm: FarmState, node: NodeId): NodeSummary | undefined {
  const found = farm.nodes.get(node);
  if (found === undefined) return undefined;
  let gpus = 0;
  for (const gpu of found.gpus) if (gpu.busy) gpus++;
  return {
    status: statusOf(farm, found),
    availability: availabilityOf(found),
    reason: reasonOf(found),
    used: { cpu: found.usedCpuMilli / 1000, ramMb: found.usedRamMb, gpus, slots: found.usedSlots },
    metrics: found.metrics,
    running: found.tasks.map((task) => attemptId(task.job.id, task.index, task.attempt)),
  };
}

export function totals(farm: FarmState): Totals {
  const nodes = { IDLE: 0, BUSY: 0, UNHEALTHY: 0, OFFLINE: 0 };
  let used = 0;
  let total = 0;
  for (const node of farm.nodes.values()) {
    const status = statusOf(farm, node);
    nodes[status]++;
    used += node.usedCpuMilli;
    if (status !== 'OFFLINE') total += node.cpuMilli;
  }
  return { jobs: { ...farm.jobCounts }, tasks: { ...farm.taskCounts }, nodes, cpu: { used: used / 1000, total: total / 1000 } };
}

/** @returns the owners, who goes first at the front */
export function ownerViews(farm: FarmState): OwnerView[] {
  const owners = [...farm.owners.values()].sort((one, other) => one.share - other.share || (one.name < other.name ? -1 : 1));
  return owners.map((owner) => ({
    owner: owner.name,
    coreHours: usageOf(farm, owner) / 3_600_000,
    weight: owner.weight,
    running: owner.live,
    maxTasks: Number.isFinite(owner.maxTasks) ? owner.maxTasks : null,
    jobs: owner.jobs,
  }));
}

/** @returns what the whole farm shares, by name */
export function limitViews(farm: FarmState): LimitView[] {
  return [...farm.limits.values()]
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ name, used, capacity, classes }) => ({ name, used, capacity, isWanted: [...classes].some(hasWaiting) }));
}

/** The administrator's word goes before the owner's. */
export function availabilityOf(node: FarmNode): Availability {
  return node.adminAvailability === 'available' ? node.ownerAvailability : node.adminAvailability;
}

/** UNHEALTHY is as of the last step. */
export function statusOf(farm: FarmState, node: FarmNode): NodeStatus {
  if (node.presence === 'offline') return 'OFFLINE';
  if (node.unhealthyUntilMs > farm.now.elapsedMs) return 'UNHEALTHY';
  return node.usedSlots > 0 ? 'BUSY' : 'IDLE';
}

function reasonOf(node: FarmNode): string | null {
  if (node.presence === 'offline') return 'it is not connected or has fallen silent';
  if (node.presence === 'grace') return 'its connection was lost; its attempts are kept for a moment';
  return node.healthReason;
}
