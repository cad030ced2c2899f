import type { WriteBatch } from '../../electron/ports/store.ts';
import type { Logger } from '../../electron/ports/system.ts';
import type { BlobId, JobId, NodeId } from '../../shared/ids.ts';
import { type AttemptRow, type JobRow, type JobSpecInput, jobSpecSchema, type TaskCounts, type TaskRow } from '../../shared/job.ts';
import type { NodeRow } from '../../shared/node.ts';

/** Rows as the coordinator writes them, for tests that only care about a field or two. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export function batch(parts: Partial<WriteBatch>): WriteBatch {
  return {
    specs: [],
    inputs: [],
    canaries: [],
    jobs: [],
    tasks: [],
    attempts: [],
    nodes: [],
    owners: [],
    removedNodes: [],
    removedJobs: [],
    ...parts,
  };
}

export function counts(some: Partial<TaskCounts>): TaskCounts {
  return { SUBMITTED: 0, QUEUED: 0, ASSIGNED: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, TIMED_OUT: 0, CANCELLED: 0, ...some };
}

export function jobRow(id: number, some: Partial<JobRow> = {}): JobRow {
  const taskCount = some.taskCount ?? 1;
  return {
    id: id as JobId,
    state: 'QUEUED',
    priority: 50,
    position: id,
    held: false,
    taskCount,
    restState: 'QUEUED',
    counts: counts({ QUEUED: taskCount }),
    retries: 0,
    submittedAt: 1_700_000_000_000 + id,
    queuedAt: null,
    startedAt: null,
    finishedAt: null,
    reason: null,
    ...some,
  };
}

export function newJob(
  id: number,
  some: {
    readonly row?: Partial<JobRow>;
    readonly spec?: Partial<JobSpecInput>;
    readonly owner?: string;
    readonly inputBytes?: number;
  } = {},
): Pick<WriteBatch, 'specs' | 'jobs'> {
  const spec = jobSpecSchema.parse({ name: `job ${id}`, command: 'true', ...some.spec });
  const stored = { spec, owner: some.owner ?? 'ana', inputBytes: some.inputBytes ?? null };
  return { specs: [{ job: id as JobId, stored }], jobs: [jobRow(id, some.row)] };
}

export function taskRow(job: number, index: number, some: Partial<TaskRow> = {}): TaskRow {
  return {
    job: job as JobId,
    index,
    state: 'RUNNING',
    attempt: 1,
    retriesUsed: 0,
    requeues: 0,
    preemptions: 0,
    node: 'node-a' as NodeId,
    avoid: [],
    assignedAt: 1_700_000_000_100,
    startedAt: 1_700_000_000_200,
    finishedAt: null,
    exitCode: null,
    reason: null,
    message: null,
    ...some,
  };
}

export function attemptRow(job: number, index: number, number: number, some: Partial<AttemptRow> = {}): AttemptRow {
  return {
    job: job as JobId,
    index,
    number,
    node: 'node-a' as NodeId,
    reason: 'completed',
    message: null,
    exitCode: 0,
    assignedAt: 1_700_000_000_100,
    startedAt: 1_700_000_000_200,
    finishedAt: 1_700_000_000_300,
    outputs: [],
    ranForMs: 100,
    cpuMs: 1_250,
    peakRamMb: 96,
    ...some,
  };
}

export function nodeRow(id: string, some: Partial<NodeRow> = {}): NodeRow {
  return {
    description: {
      id: id as NodeId,
      name: id,
      os: 'linux',
      arch: 'x64',
      version: '1.0.0',
      capacity: { cpu: 8, ramMb: 16_384, diskMb: 100_000, gpus: [] },
      labels: { rack: '2' },
      zone: 'attic',
      maxParallel: 4,
      executors: ['docker'],
      availability: 'available',
    },
    adminAvailability: 'available',
    carrier: 'link',
    registeredAt: 1_700_000_000_000,
    lastSeenAt: 1_700_000_000_500,
    health: null,
    ...some,
  };
}

/** A blob's id made of one repeated hexadecimal digit. */
export function blob(digit: string): BlobId {
  return digit.repeat(64) as BlobId;
}
