import type { SomeNeeds } from '../../shared/canary.ts';
import type { LanyardError } from '../../shared/errors.ts';
import type { AttemptId, BlobId, JobId, NodeId } from '../../shared/ids.ts';
import type { JobSpec } from '../../shared/job.ts';
import type { Metrics, NodeDescription, NodeRow } from '../../shared/node.ts';
import type { AttemptEnd, LogStream } from '../../shared/protocol.ts';
import type { Submission } from '../../shared/stages.ts';
import type {
  AttemptView,
  Explanation,
  JobDetail,
  JobView,
  LimitView,
  NodeAttemptView,
  NodeCacheView,
  NodeExplanation,
  NodeView,
  OutputView,
  OwnerView,
  TaskView,
  Totals,
  ViewEvent,
} from '../../shared/view.ts';
import type { Move } from '../core/events.ts';
import type { JobQuery } from '../ports/store.ts';
import type { Dispose } from '../ports/system.ts';
import type { Identity } from '../ports/trust.ts';

/** What a person may change of a job that has not ended. */
export interface JobChange {
  readonly held?: boolean | undefined;
  readonly priority?: number | undefined;
  readonly move?: Move | undefined;
}

/**
 * What the coordinator offers to its API. Every promise of a change resolves only once the change is on disk, and
 * rejects with a `LanyardError` (NOT_FOUND, CONFLICT, INVALID, DISK_FULL and so on). `coordinator.ts` is the one
 * implementation.
 */
export interface Farm {
  readonly id: string;
  readonly name: string;
  totals(): Totals;

  /** @throws INVALID when the spec cannot be split into tasks, names an input that is not here, or an unknown dependency */
  submit(spec: JobSpec, by: Identity): Promise<JobView>;
  /** Submits jobs that have nothing to do with each other. @returns in their order the id of each, or why it was refused */
  submitAll(specs: readonly JobSpec[], by: Identity): Promise<readonly (JobId | LanyardError)[]>;
  /** Submits jobs that wait for each other, all or none, in the order of their ids. @throws INVALID also for a circle among them */
  submitStages(submission: Submission, by: Identity): Promise<JobView[]>;
  /** As `submit`, for an input that has yet to arrive; the job waits in SUBMITTED until one of the two is called. */
  submitAwaitingInput(
    spec: JobSpec,
    by: Identity,
  ): Promise<{ readonly job: JobView; inputReady(blob: BlobId): Promise<void>; inputFailed(message: string): Promise<void> }>;
  listJobs(query: JobQuery): { readonly jobs: JobView[]; readonly total: number };
  job(job: JobId): JobDetail;
  tasks(
    job: JobId,
    query: { readonly limit: number; readonly offset: number; readonly states?: readonly TaskView['state'][] | undefined },
  ): { readonly tasks: TaskView[]; readonly total: number };
  task(job: JobId, index: number): { readonly task: TaskView; readonly attempts: AttemptView[] };
  outputs(job: JobId, index?: number): OutputView[];
  /** Without `index`: the whole job. The log of the evidence is left empty: whoever shows it reads it. */
  explain(job: JobId, index?: number): Explanation;
  explainNode(node: NodeId): NodeExplanation;
  /** Without `index`: the whole job. Cancelling what has ended is a CONFLICT. */
  cancel(job: JobId, index: number | undefined, by: Identity): Promise<JobView>;
  retry(job: JobId, by: Identity): Promise<JobView>;
  /** @throws CONFLICT for a job that has ended, or a move before one that is not of its owner and priority */
  update(job: JobId, change: JobChange, by: Identity): Promise<JobView>;
  /** Lets the rest of a job go on after its canary, with what is proposed but for what `needs` names. @throws CONFLICT when it does not wait for that */
  approveCanary(job: JobId, needs: SomeNeeds, by: Identity): Promise<JobView>;
  removeJob(job: JobId, by: Identity): Promise<void>;

  listOwners(): OwnerView[];
  listLimits(): LimitView[];
  listNodes(): NodeView[];
  node(node: NodeId): NodeView;
  /** What has ended there, newest first. */
  nodeAttempts(
    node: NodeId,
    query: { readonly limit: number; readonly offset: number },
  ): { readonly attempts: NodeAttemptView[]; readonly total: number };
  /** Asks the machine. @param clear removes the inputs that nothing works on first. @throws UNAVAILABLE when it is not connected */
  nodeCache(node: NodeId, clear: boolean): Promise<NodeCacheView>;
  updateNode(node: NodeId, availability: NodeRow['adminAvailability'], by: Identity): Promise<NodeView>;
  removeNode(node: NodeId, by: Identity): Promise<void>;

  /** Calls `listener` with a snapshot at once and then with deltas, at most one every 50 ms. */
  watch(listener: (event: ViewEvent) => void): Dispose;

  backup(): Promise<string>;

  /** For workers that poll over HTTP, as those of the earlier system do. */
  readonly poll: PollWorkers;
}

export interface PolledTask {
  readonly attempt: AttemptId;
  readonly job: JobDetail;
  readonly task: TaskView;
  /** The command with this task's parameters filled in. */
  readonly command: string | readonly string[];
}

export interface PollWorkers {
  /** @param keeps what of its attempts it goes on with; the others are queued again. Absent: all of them. */
  register(node: NodeDescription, keeps?: (attempt: AttemptId) => boolean): Promise<NodeView>;
  /** @throws NOT_FOUND for a node that never registered */
  heartbeat(node: NodeId, metrics: Metrics): Promise<NodeView>;
  /**
   * The oldest task that is ASSIGNED to this worker, which becomes RUNNING; undefined when there is none.
   * @param has what it was given and has in hand; what it was given and has not is given again: the answer was lost. Absent: all of it.
   */
  take(node: NodeId, has?: (attempt: AttemptId) => boolean): Promise<PolledTask | undefined>;
  /** @throws CONFLICT when the attempt is no longer its task's current one, or is another worker's */
  end(node: NodeId, attempt: AttemptId, end: AttemptEnd): Promise<TaskView>;
  appendLog(node: NodeId, attempt: AttemptId, stream: LogStream, text: Uint8Array): Promise<void>;
  /** True once the attempt should stop: it was cancelled, or is no longer this worker's. */
  shouldStop(node: NodeId, attempt: AttemptId): boolean;
}
