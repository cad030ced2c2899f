import type { CanaryDecision } from '../../shared/canary.ts';
import type { BlobId, JobId, NodeId } from '../../shared/ids.ts';
import type { AttemptRow, JobRow, JobSpec, JobState, OutputFile, OwnerRow, TaskRow, TaskState } from '../../shared/job.ts';
import type { NodeRow } from '../../shared/node.ts';

export interface StoredSpec {
  readonly spec: JobSpec;
  readonly owner: string;
  /** Bytes of the input blob; null without an input. */
  readonly inputBytes: number | null;
  /** How the job goes on after its canary; `spec` then asks for what was decided. */
  readonly decision?: CanaryDecision;
}

/** What one turn writes, in one transaction. */
export interface WriteBatch {
  /** New jobs' specifications, written once. */
  readonly specs: readonly { readonly job: JobId; readonly stored: StoredSpec }[];
  /** A later change of a specification: the input that arrived by URL. */
  readonly inputs: readonly { readonly job: JobId; readonly input: BlobId; readonly bytes: number }[];
  /** Another: what was decided after the canary of a job. */
  readonly canaries: readonly { readonly job: JobId; readonly decision: CanaryDecision }[];
  readonly jobs: readonly JobRow[];
  readonly tasks: readonly TaskRow[];
  readonly attempts: readonly AttemptRow[];
  readonly nodes: readonly NodeRow[];
  /** What owners have had of the farm. */
  readonly owners: readonly OwnerRow[];
  readonly removedNodes: readonly NodeId[];
  /** Whole jobs with tasks, attempts and outputs. */
  readonly removedJobs: readonly JobId[];
}

export interface JobQuery {
  readonly states?: readonly JobState[];
  readonly owner?: string;
  /** Part of the name, case-insensitive. */
  readonly search?: string;
  readonly order: 'newest' | 'oldest' | 'priority';
  readonly limit: number;
  readonly offset: number;
}

export interface ListedJob {
  readonly row: JobRow;
  readonly name: string;
  readonly owner: string;
}

export interface StoredOutput extends OutputFile {
  readonly index: number;
}

/**
 * All that must outlive the program. Synchronous on purpose, but for the waiting for the disk: one writer, group commit, no locks in the
 * daemon.
 */
export interface Store {
  /** The first id that was never used. */
  nextJobId(): JobId;
  /** Jobs that have not ended, their specifications and their tasks' rows; and all nodes. */
  load(): {
    readonly jobs: readonly { readonly row: JobRow; readonly stored: StoredSpec; readonly tasks: readonly TaskRow[] }[];
    readonly nodes: readonly NodeRow[];
    readonly owners: readonly OwnerRow[];
  };
  /**
   * Writes all of a batch or nothing: to be read from now on, and on disk after `sync`.
   * @returns how many rows it has written. @throws LanyardError DISK_FULL
   */
  commit(batch: WriteBatch): number;
  /**
   * Brings what is committed to the disk. Nothing is to be committed meanwhile, so that all of the log can be put in order.
   * After a failure it is not known what has reached the disk: `load` makes sure of it, and must come next. @throws LanyardError DISK_FULL
   */
  sync(): Promise<void>;
  /** As `sync`, keeping everybody waiting. @throws LanyardError DISK_FULL */
  syncNow(): void;
  /** What is read meanwhile is one state of the database, found once; otherwise each read finds its own, which costs more than to read a row. */
  readTogether<T>(read: () => T): T;
  spec(job: JobId): StoredSpec | undefined;
  job(job: JobId): ListedJob | undefined;
  jobs(query: JobQuery): { readonly jobs: readonly ListedJob[]; readonly total: number };
  task(job: JobId, index: number): TaskRow | undefined;
  /** Rows that exist, ordered by index, from `fromIndex` on. */
  tasks(
    job: JobId,
    query: { readonly fromIndex: number; readonly limit: number; readonly states?: readonly TaskState[] },
  ): readonly TaskRow[];
  attempts(job: JobId, index: number): readonly AttemptRow[];
  /** How long the `count` last of a job's completed tasks ran, ms, in the order in which they ended. */
  runs(job: JobId, count: number): readonly { readonly node: NodeId; readonly ranForMs: number }[];
  /** Those that ended on a node, newest first. */
  nodeAttempts(
    node: NodeId,
    query: { readonly limit: number; readonly offset: number },
  ): {
    readonly attempts: readonly { readonly row: AttemptRow; readonly jobName: string; readonly owner: string }[];
    readonly total: number;
  };
  /** The newest job whose input it is. */
  newestJobOf(input: BlobId): { readonly id: JobId; readonly name: string } | undefined;
  outputs(job: JobId, index?: number): readonly StoredOutput[];
  node(node: NodeId): NodeRow | undefined;
  /** Every blob that a job or an output names, for the sweep of unnamed ones. */
  referencedBlobs(): ReadonlySet<BlobId>;
  /** A consistent copy while the farm works. */
  backup(path: string): Promise<void>;
  close(): Promise<void>;
}
