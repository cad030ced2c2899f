import type { AttemptId, BlobId, JobId, NodeId } from '../../shared/ids.ts';
import type { JobState, TaskState } from '../../shared/job.ts';
import type { LabelExpression } from '../../shared/label-expression.ts';
import type { Availability, Metrics, NodeDescription, NodeRow } from '../../shared/node.ts';
import type { Phase } from '../../shared/protocol.ts';
import type { Canary } from './canary.ts';
import type { JobPolicy, Until } from './events.ts';
import type { Gate } from './gate.ts';
import type { Heap } from './heap.ts';
import { TaskTable } from './task-table.ts';

/**
 * What a farm consists of: owners, the classes of the queue, jobs, tasks and nodes.
 *
 * Tasks are implicit until they leave QUEUED: a job is a cursor over its indices, and a `Task` object exists only
 * from a task's first assignment to its end. What a job needs beyond that lives in `Activity`, made when it is needed.
 */

export const NONE: readonly never[] = [];
const NO_BLOBS: ReadonlySet<BlobId> = new Set();

/** What one attempt reserves; whole numbers, so that sums never drift. */
export interface Demand {
  /** Thousandths of a CPU core, rounded up. */
  readonly cpuMilli: number;
  readonly ramMb: number;
  readonly diskMb: number;
  readonly gpus: number;
  readonly gpuRamMb: number;
  /** In small letters; empty: any. */
  readonly gpuModel: string;
  readonly limits: readonly { readonly limit: Limit; readonly amount: number }[];
  /** Nothing else runs on the node meanwhile. */
  readonly exclusive: boolean;
  /** What it takes of the farm, in cores; see `fairness.ts`. */
  readonly cost: number;
}

/** A farm-wide counter. */
export interface Limit {
  readonly name: string;
  readonly capacity: number;
  used: number;
  /** Queue classes that hold it. */
  readonly classes: Set<QueueClass>;
}

/** One who submits jobs. */
export class Owner {
  readonly name: string;
  /** Of two owners with equal usage, the one with the double weight is due the double. */
  readonly weight: number;
  /** Most tasks of theirs that run at once. */
  readonly maxTasks: number;
  /** What they have had, by weight; it only grows, see `fairness.ts`. */
  share = 0;
  /** Attempts that are ASSIGNED or RUNNING. */
  live = 0;
  /** Living jobs. */
  jobs = 0;
  /** Lanes that take no part while they have all that they may. */
  readonly blockedLanes = new Set<Lane>();
  /** What they have waiting, descending by priority. */
  readonly turns: Turn[] = [];

  constructor(name: string, weight: number, maxTasks: number) {
    this.name = name;
    this.weight = weight;
    this.maxTasks = maxTasks;
  }
}

/** The waiting jobs of one class, priority and owner, in the order of their positions. Entries may be stale; see `queue.ts`. */
export interface Lane {
  readonly bucket: Bucket;
  readonly owner: Owner;
  /** Jobs in ascending order; those before `first` are gone. */
  jobs: (Job | null)[];
  first: number;
  /** Jobs that came back after younger ones had entered, in descending order. */
  returned: Job[];
  /** Jobs whose entry is here and valid. */
  live: number;
  /** What it stands in its bucket by: the owner's share, perhaps of some time ago; then its age. */
  share: number;
  age: number;
  /** In its bucket's heap, set aside with its owner, or neither, because it is empty. */
  standing: 'in' | 'blocked' | 'out';
  readonly turn: Turn;
  /** It is among the lanes of its turn, and stands there by this position of its first job, perhaps of some time ago. */
  isRanked: boolean;
  position: number;
}

/** All that one owner has waiting at one priority. */
export interface Turn {
  readonly priority: number;
  readonly tier: Tier;
  readonly owner: Owner;
  readonly lanes: Heap<Lane>;
  /** What it stands in its tier by, perhaps of some time ago: the owner's share, then the position of their first job. */
  share: number;
  position: number;
  /** In its tier's heap, set aside because its owner has all that they may, or neither, because it is empty. */
  standing: 'in' | 'blocked' | 'out';
}

/** The waiting jobs of one class and one priority. */
export interface Bucket {
  readonly priority: number;
  readonly queueClass: QueueClass;
  readonly lanes: Map<Owner, Lane>;
  readonly heap: Heap<Lane>;
  /** Jobs in its lanes. */
  live: number;
}

/** The owners who wait at one priority. */
export interface Tier {
  readonly priority: number;
  readonly turns: Heap<Turn>;
}

/** Jobs that need the same of a node. */
export interface QueueClass {
  readonly key: string;
  readonly policy: JobPolicy;
  readonly demand: Demand;
  readonly executor: 'docker' | 'host';
  /** The condition on labels that a node must meet. */
  readonly where: LabelExpression | null;
  /** Descending by priority. */
  readonly buckets: Bucket[];
  /** By ordinal of node: whether the class fits it at all (`FIT`; 0 unknown), and whether it is in `open`. */
  fit: Uint8Array;
  /** Every node that fits now is in here; others may be, until somebody looks. Empty: the class is saturated. */
  readonly open: FarmNode[];
  /** Where the next look into `open` begins, so that load spreads. */
  cursor: number;
  /** Jobs that no node which is there can serve (see `Activity.cannotServe`). */
  readonly parked: Set<Job>;
  /** Steady clock; since when it has waited without anything being placed. */
  waitingSinceMs: number;
  /** Nodes that are kept free for it. */
  readonly earmarks: Set<FarmNode>;
  /** Living jobs. */
  jobs: number;
  /** It is among the farm's `dirtyClasses`. */
  isDirty: boolean;
}

/** A policy shared by all jobs whose policies say the same. */
export interface SharedPolicy {
  readonly key: string;
  readonly policy: JobPolicy;
  readonly queueClass: QueueClass;
  /** Conditions that a node should meet. */
  readonly prefer: readonly LabelExpression[];
  jobs: number;
}

/** A job that has not ended. Kept small: a farm can hold a million of them. What is looked at first is together at the front of its memory. */
export class Job {
  readonly id: JobId;
  /** Among those of its owner and priority, ascending: its id, unless a person has moved it. */
  position: number;
  /** The lane that has its valid entry. */
  lane: Lane | null;
  readonly taskCount: number;
  /** The task of a job that has just one, from its first assignment to its end. */
  task: Task | null;
  activity: Activity | null;
  readonly owner: Owner;
  shared: SharedPolicy;
  /** Wall clock, in parts that are small enough to lie in the object itself: a number that is not is an object more for the collector. */
  private readonly submittedHigh: number;
  private readonly submittedLow: number;
  /** After its submission, ms. */
  private queuedAfterMs: number | null;
  private startedAfterMs: number | null;
  state: JobState;
  priority: number;
  held: boolean;
  input: BlobId | null;
  inputReady: boolean;
  /** Tasks from here on never left QUEUED, but for those in `Activity.skipped`. */
  cursor: number;

  constructor(id: JobId, owner: Owner, shared: SharedPolicy, taskCount: number, submittedAt: number) {
    this.id = id;
    this.owner = owner;
    this.shared = shared;
    this.taskCount = taskCount;
    this.submittedHigh = Math.floor(submittedAt / 2 ** 30);
    this.submittedLow = submittedAt - this.submittedHigh * 2 ** 30;
    this.queuedAfterMs = null;
    this.startedAfterMs = null;
    this.state = 'SUBMITTED';
    this.priority = 0;
    this.position = id;
    this.held = false;
    this.input = null;
    this.inputReady = true;
    this.cursor = 0;
    this.lane = null;
    this.task = null;
    this.activity = null;
  }

  get submittedAt(): number {
    return this.submittedHigh * 2 ** 30 + this.submittedLow;
  }

  get queuedAt(): number | null {
    return this.queuedAfterMs === null ? null : this.submittedAt + this.queuedAfterMs;
  }

  set queuedAt(at: number | null) {
    this.queuedAfterMs = at === null ? null : at - this.submittedAt;
  }

  get startedAt(): number | null {
    return this.startedAfterMs === null ? null : this.submittedAt + this.startedAfterMs;
  }

  set startedAt(at: number | null) {
    this.startedAfterMs = at === null ? null : at - this.submittedAt;
  }
}

/** A node's word that it cannot serve a job. */
export interface Refusal {
  readonly reason: 'image-unavailable' | 'executor-unavailable';
  /** The node's `epoch` then; it lapses when the node begins anew or changes. */
  readonly epoch: number;
  /** Steady clock; it lapses then, because a registry may be back. */
  readonly untilMs: number;
}

/** What a job of several tasks needs once one of them has moved, and any job while it waits for others or when its task has failed. */
export class Activity {
  /** Of a job that has several; `live-tasks.ts` says which. */
  readonly tasks = new TaskTable<Task>();
  /** Indices of tasks that are QUEUED again; taken from the end. */
  requeued: number[] | null = null;
  /** Tasks at or after the cursor that have left QUEUED or ended. */
  skipped: Set<number> | null = null;
  /** How many of several tasks are in these states; an only task says it itself. */
  assigned = 0;
  running = 0;
  completed = 0;
  failed = 0;
  timedOut = 0;
  cancelled = 0;
  retries = 0;
  reason: string | null = null;
  /** Nodes that said they cannot serve this job. */
  cannotServe: Map<NodeId, Refusal> | null = null;
  /** Nodes its tasks failed on since one last completed, and how many attempts did. */
  failedOn: Set<NodeId> | null = null;
  failures = 0;
  /** Mean run of its completed tasks by node, ms; only of jobs with several tasks. */
  speeds: Map<NodeId, number> | null = null;
  /** Mean run of its completed tasks on all nodes, ms, and the variance of it; newer ones weigh more. */
  meanRunMs = 0;
  runVariance = 0;
  /** Runs that these are made of. */
  measuredRuns = 0;
  /** Live attempts by zone; only of jobs that are to be spread over the zones. */
  zones: Map<string, number> | null = null;
  /** Zone of the node that took its newest attempt. */
  zone: string | null = null;
  /** Jobs that must complete first, or at least end. */
  waitsFor: Map<JobId, Exclude<Until, 'tasks'>> | null = null;
  /** Holds tasks back one by one; null: all that are fresh may go. */
  gate: Gate | null = null;
  /** Holds all but its first tasks back; null: it has none, or it is decided how the rest is to run. */
  canary: Canary | null = null;
  /** The step that last announced a change of it. */
  announced = 0;

  skip(index: number): void {
    this.skipped ??= new Set();
    this.skipped.add(index);
  }

  requeue(index: number): void {
    this.requeued ??= [];
    this.requeued.push(index);
  }
}

/** A task between its first assignment and its end. */
export class Task {
  readonly job: Job;
  readonly index: number;
  state: TaskState = 'QUEUED';
  attempt = 0;
  retriesUsed = 0;
  requeues = 0;
  node: FarmNode | null = null;
  avoid: readonly NodeId[] = NONE;
  /** After the submission of its job, ms. */
  private assignedAfterMs: number | null = null;
  private startedAfterMs: number | null = null;
  /** Steady clock: the last sign of progress while ASSIGNED; the start while RUNNING. */
  sinceMs = 0;
  /** Steady clock: since then its worker keeps it frozen; 0: it does not. */
  frozenSinceMs = 0;
  /** Steady clock; until when the current attempt is counted in its owner's share. */
  paidUntilMs = 0;
  /** The job for which the current attempt was asked to end, and when (steady clock). */
  makesRoomFor: JobId | null = null;
  askedMs = 0;
  /** Times that it made room. */
  preemptions = 0;
  phase: Phase | null = null;
  gpus: readonly string[] = NONE;

  constructor(job: Job, index: number) {
    this.job = job;
    this.index = index;
  }

  get assignedAt(): number | null {
    return this.assignedAfterMs === null ? null : this.job.submittedAt + this.assignedAfterMs;
  }

  set assignedAt(at: number | null) {
    this.assignedAfterMs = at === null ? null : at - this.job.submittedAt;
  }

  get startedAt(): number | null {
    return this.startedAfterMs === null ? null : this.job.submittedAt + this.startedAfterMs;
  }

  set startedAt(at: number | null) {
    this.startedAfterMs = at === null ? null : at - this.job.submittedAt;
  }
}

/** Resources of an attempt that is settled here while its worker may still run it. */
export interface StoppingLease {
  readonly attempt: AttemptId;
  readonly demand: Demand;
  readonly gpus: readonly string[];
  /** Steady clock; when the worker was told to stop. */
  readonly sinceMs: number;
}

/** `grace`: gone for a moment, its attempts are kept, nothing new is placed. */
export type Presence = 'online' | 'grace' | 'offline';

export interface GpuSlot {
  readonly id: string;
  readonly ramMb: number;
  /** In small letters. */
  readonly model: string;
  busy: boolean;
}

/** Bits of `QueueClass.fit`. */
export const FIT = { no: 1, yes: 2, listed: 4 } as const;

/** A machine of the farm. What every placement and every end looks at is together at the front of its memory. */
export class FarmNode {
  readonly id: NodeId;
  /** Its place in each class's `fit`; used again once the node is gone. Of a node that is not on the farm: none. */
  ordinal = -1;
  /** Its attempts, oldest first. */
  readonly tasks: Task[] = [];
  /** It is among the farm's `dirtyNodes`. */
  isDirty = false;
  presence: Presence = 'offline';
  /** UNHEALTHY until then (steady clock); 0 when healthy. */
  unhealthyUntilMs = 0;
  adminAvailability: NodeRow['adminAvailability'] = 'available';
  ownerAvailability: Availability;
  /** The class that it is kept free for; no other is placed here. */
  earmark: QueueClass | null = null;
  /** What of its description is asked for at every placement. */
  cpuMilli = 0;
  ramMb = 0;
  diskMb = 0;
  maxParallel = 0;
  zone = '';
  usedCpuMilli = 0;
  usedRamMb = 0;
  usedDiskMb = 0;
  usedSlots = 0;
  /** Attempts on it that want it for themselves: 0 or 1. */
  exclusive = 0;
  /** True while it holds more than it has, because its description shrank. */
  shrunk = false;
  /** Of `images`, the one that started last: the next attempt mostly has the same. */
  newestImage: string | null = null;
  /** Steady clock; when its entry in the deadlines is due; null: it has none. */
  checkAtMs: number | null = null;
  announced = 0;
  /** Cool-downs since it was last known to be well. */
  strikes = 0;
  probation = false;
  /** Tasks that failed here and completed elsewhere; forgotten after some completions in a row. */
  convictions: readonly string[] = NONE;
  completedSince = 0;
  /** The job whose task failed here last, with nothing completed since. */
  failedJob: JobId | null = null;
  healthReason: string | null = null;

  description: NodeDescription;
  carrier: NodeRow['carrier'];
  registeredAt: number;
  lastSeenAt: number;
  lastSeenMs = 0;
  /** Steady clock; the end of the grace. */
  graceUntilMs = 0;
  /** True from a start of the coordinator until the node speaks. */
  recovered = false;
  /** Raised when the node begins anew or changes, so that what jobs remember of it lapses. */
  epoch = 1;
  metrics: Metrics | null = null;
  cached: ReadonlySet<BlobId> = NO_BLOBS;
  /** Images that started here; bounded. */
  readonly images = new Set<string>();
  readonly stopping = new Map<AttemptId, StoppingLease>();
  gpus: GpuSlot[] = [];
  /** Attempts that hold GPUs of which a restart forgot which. */
  unknownGpus = 0;
  /** Steady clock; when its refusals lapse (`Refusal`), ascending by itself because each lasts equally long. */
  readonly refusalLapsesMs: number[] = [];

  constructor(description: NodeDescription, carrier: NodeRow['carrier'], registeredAt: number) {
    this.id = description.id;
    this.description = description;
    this.carrier = carrier;
    this.ownerAvailability = description.availability;
    this.registeredAt = registeredAt;
    this.lastSeenAt = registeredAt;
  }
}

/** @returns the job's activity, made when it had none */
export function activityOf(job: Job): Activity {
  job.activity ??= new Activity();
  return job.activity;
}
