import type { CanaryPlan, CanaryRun, SomeNeeds } from '../../shared/canary.ts';
import type { BlobId, JobId, NodeId } from '../../shared/ids.ts';
import type { JobRow, OwnerRow, Requirements, TaskRow } from '../../shared/job.ts';
import type { Availability, Metrics, NodeDescription, NodeRow } from '../../shared/node.ts';
import type { AttemptEnd, HeldAttempt, Phase } from '../../shared/protocol.ts';

/** What the scheduler needs to know of a job; its texts stay in the store. */
export interface JobPolicy {
  readonly requirements: Requirements;
  /** Null: the host executor. */
  readonly image: string | null;
  readonly network: boolean;
  readonly timeoutMs: number;
  readonly maxRetries: number;
  readonly preemptible: boolean;
  /** Most of its tasks that run at once; null: as many as there is room for. */
  readonly maxTasks: number | null;
  /** Failed attempts with nothing complete after which the job is stopped; 0: never. */
  readonly stopAfterFailures: number;
}

/** What of another job is waited for: all of it COMPLETED, its end whatever it is, or each task's own counterpart COMPLETED. */
export type Until = 'complete' | 'ended' | 'tasks';

/** A dependency, with its state when it has already ended (the core forgets ended jobs). */
export interface Dependency {
  readonly job: JobId;
  readonly until: Until;
  readonly ended: JobRow['state'] | null;
  /** With `tasks`: the indices of those of its tasks that are COMPLETED by now; the core forgets those too. */
  readonly completed?: readonly number[];
}

/** A job that enters the farm. */
export interface NewJob {
  readonly id: JobId;
  readonly owner: string;
  readonly policy: JobPolicy;
  readonly taskCount: number;
  readonly priority: number;
  readonly input: BlobId | null;
  /** False while its input is still on the way: it stays SUBMITTED until `input-ready`. */
  readonly inputReady: boolean;
  readonly after: readonly Dependency[];
  /** Null: all its tasks may go at once. */
  readonly canary: CanaryPlan | null;
}

/** How long a completed task ran, ms; always more than 0. */
export interface TaskRun {
  readonly node: NodeId;
  readonly ranForMs: number;
}

/** A job that was stored before and comes back: at a start, or because a person retries it. */
export interface StoredJob {
  readonly row: JobRow;
  readonly owner: string;
  readonly policy: JobPolicy;
  readonly input: BlobId | null;
  readonly inputReady: boolean;
  readonly after: readonly Dependency[];
  /** As long as nothing is decided: with what those of its first tasks that are COMPLETED have used. */
  readonly canary: (CanaryPlan & { readonly runs: readonly CanaryRun[] }) | null;
  /** The tasks that have rows of their own. */
  readonly tasks: readonly TaskRow[];
  /** How long its newest completed tasks ran, oldest first; empty for a job of one task. */
  readonly runs: readonly TaskRun[];
}

/**
 * What can happen to the coordinator. Times arrive beside the event (`Now`); an event holds no callbacks and
 * no clocks, so that a run can be written down and replayed.
 */
export type CoordinatorEvent =
  | {
      readonly type: 'recovered';
      readonly jobs: readonly StoredJob[];
      readonly nodes: readonly NodeRow[];
      readonly owners: readonly OwnerRow[];
    }
  | { readonly type: 'job-submitted'; readonly job: NewJob }
  | { readonly type: 'input-ready'; readonly job: JobId; readonly input: BlobId }
  | { readonly type: 'input-failed'; readonly job: JobId; readonly message: string }
  /** Without `index`: the whole job. */
  | { readonly type: 'cancel'; readonly job: JobId; readonly index?: number; readonly by: string }
  /** Failed, timed-out and cancelled tasks begin anew; the job is handed over whole because the core may have forgotten it. */
  | { readonly type: 'retry'; readonly job: StoredJob }
  /** The rest of a job may run after its canary, with what was proposed but for what `needs` names. */
  | { readonly type: 'approve-canary'; readonly job: JobId; readonly needs: SomeNeeds; readonly by: string }
  | { readonly type: 'hold'; readonly job: JobId; readonly held: boolean }
  /** Among the jobs of its owner and priority: to one end, or just before another. */
  | { readonly type: 'move'; readonly job: JobId; readonly to: Move }
  | { readonly type: 'set-priority'; readonly job: JobId; readonly priority: number }
  /** A worker said hello over a link, or registered over HTTP (`poll`; then `attempts` names what it is known to hold). */
  | {
      readonly type: 'node-registered';
      readonly node: NodeDescription;
      readonly carrier: NodeRow['carrier'];
      readonly attempts: readonly HeldAttempt[];
      readonly cached: readonly BlobId[];
    }
  | { readonly type: 'node-described'; readonly node: NodeDescription }
  | {
      readonly type: 'heartbeat';
      readonly node: NodeId;
      readonly metrics: Metrics;
      readonly availability: Availability;
      readonly cached?: readonly BlobId[];
    }
  | { readonly type: 'node-disconnected'; readonly node: NodeId }
  | { readonly type: 'node-goodbye'; readonly node: NodeId }
  | { readonly type: 'node-admin'; readonly node: NodeId; readonly availability: NodeRow['adminAvailability'] }
  | { readonly type: 'node-removed'; readonly node: NodeId }
  | {
      readonly type: 'attempt-phase';
      readonly node: NodeId;
      readonly job: JobId;
      readonly index: number;
      readonly number: number;
      readonly phase: Phase;
    }
  | { readonly type: 'attempt-started'; readonly node: NodeId; readonly job: JobId; readonly index: number; readonly number: number }
  | {
      readonly type: 'attempt-ended';
      readonly node: NodeId;
      readonly job: JobId;
      readonly index: number;
      readonly number: number;
      readonly end: AttemptEnd;
    }
  /** A deadline of `nextDeadline` may have passed. */
  | { readonly type: 'time-passed' }
  /** The turn's events are all in: place what can be placed. */
  | { readonly type: 'turn-ended' };

/** Where a person moves a job to. */
export type Move = 'first' | 'last' | { readonly before: JobId };

/** Both clocks at the moment of an event. */
export interface Now {
  /** Wall clock, ms since 1970; for what people see. It may jump. */
  readonly wallMs: number;
  /** Steady clock, ms since some beginning, which goes on while the machine sleeps; for every duration. */
  readonly elapsedMs: number;
}
