import { z } from 'zod';
import { canaryDecisionSchema } from '../../shared/canary.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { BlobId, JobId, NodeId } from '../../shared/ids.ts';
import {
  type AttemptRow,
  type EndReason,
  type JobRow,
  type JobSpec,
  type JobState,
  jobSpecSchema,
  type OutputFile,
  type OwnerRow,
  type TaskCounts,
  type TaskRow,
  type TaskState,
} from '../../shared/job.ts';
import { type NodeRow, nodeDescriptionSchema, nodeHealthSchema, nodeIdSchema } from '../../shared/node.ts';
import type { ListedJob, StoredOutput, StoredSpec } from '../ports/store.ts';

/**
 * Rows <-> domain. The codes stand in files on people's disks: a number is never given to another word. Rows are
 * parsed with zod when they are read, because a file can be edited or damaged; what is written is believed.
 */
export const STATE_CODES = {
  SUBMITTED: 0,
  QUEUED: 1,
  ASSIGNED: 2,
  RUNNING: 3,
  COMPLETED: 4,
  FAILED: 5,
  TIMED_OUT: 6,
  CANCELLED: 7,
} as const satisfies Record<TaskState, number>;

export const REASON_CODES = {
  completed: 0,
  exit: 1,
  'out-of-memory': 2,
  timeout: 3,
  'output-missing': 4,
  'input-refused': 5,
  'image-unavailable': 6,
  'input-unavailable': 7,
  'executor-unavailable': 8,
  infrastructure: 9,
  'node-lost': 10,
  'owner-interrupted': 11,
  preempted: 12,
  'limit-unavailable': 13,
  'coordinator-restarted': 14,
  cancelled: 15,
} as const satisfies Record<EndReason, number>;

export const AVAILABILITY_CODES = { available: 0, draining: 1, paused: 2 } as const satisfies Record<NodeRow['adminAvailability'], number>;
export const CARRIER_CODES = { link: 0, poll: 1 } as const satisfies Record<NodeRow['carrier'], number>;

/** What node:sqlite binds and returns. */
export type Cell = null | number | string | Uint8Array;
export type Cells = Readonly<Record<string, unknown>>;

/** The words for nodes' numbers, kept by the writer. */
export type NodeNames = (number: number) => NodeId;

function inverse<Word extends string>(codes: Readonly<Record<Word, number>>): readonly Word[] {
  const words: Word[] = [];
  for (const [word, code] of Object.entries(codes) as [Word, number][]) words[code] = word;
  return words;
}

/** A code of a table; parsed into its word. */
function coded<Word extends string>(codes: Readonly<Record<Word, number>>) {
  const words = inverse(codes);
  return z
    .number()
    .int()
    .min(0)
    .max(words.length - 1)
    .transform((code) => words[code] as Word);
}

const count = z.number().int().min(0);
const time = z.number().int();
const state = coded<TaskState>(STATE_CODES);
const STATE_WORDS = inverse<TaskState>(STATE_CODES);

const liveJobCells = z.object({
  id: z.number().int().positive(),
  state,
  priority: z.number().int(),
  position: z.number(),
  held: z.union([z.literal(0), z.literal(1)]),
  task_count: count,
  rest_state: state.pipe(z.enum(['SUBMITTED', 'QUEUED', 'CANCELLED', 'FAILED'])),
  retries: count,
  submitted_at: time,
  queued_at: time.nullable(),
  started_at: time.nullable(),
  finished_at: time.nullable(),
  reason: z.string().nullable(),
});
const jobCells = liveJobCells.extend({ name: z.string(), owner: z.string(), counts: z.string() });
const countsCell = z.array(count).length(STATE_WORDS.length);

const taskCells = z.object({
  job: z.number().int().positive(),
  task_index: count,
  state,
  attempt: count,
  retries_used: count,
  requeues: count,
  node: count.nullable(),
  avoid: z.string().nullable(),
  assigned_at: time.nullable(),
  started_at: time.nullable(),
  finished_at: time.nullable(),
  exit_code: z.number().int().nullable(),
  reason: coded<EndReason>(REASON_CODES).nullable(),
  message: z.string().nullable(),
  preemptions: count,
});
const avoidCell = z.array(nodeIdSchema);

const attemptCells = z.object({
  job: z.number().int().positive(),
  task_index: count,
  number: z.number().int().positive(),
  node: count,
  reason: coded<EndReason>(REASON_CODES),
  message: z.string().nullable(),
  exit_code: z.number().int().nullable(),
  assigned_at: time,
  started_at: time.nullable(),
  finished_at: time,
  ran_for_ms: count.nullable(),
  cpu_ms: count.nullable(),
  peak_ram_mb: count.nullable(),
});

const blobCell = z.instanceof(Uint8Array).refine((bytes) => bytes.length === 32, 'expected the 32 bytes of a SHA-256');
const outputCells = z.object({ task_index: count, path: z.string().min(1), bytes: count, blob: blobCell });

const nodeCells = z.object({
  description: z.string(),
  admin_availability: coded(AVAILABILITY_CODES),
  carrier: coded(CARRIER_CODES),
  registered_at: time,
  last_seen_at: time,
  health: z.string().nullable(),
});

const ownerCells = z.object({ owner: z.string(), usage: z.number().min(0), at: time });

const specCells = z.object({
  owner: z.string(),
  input: blobCell.nullable(),
  input_bytes: count.nullable(),
  json: z.string(),
  canary: z.string().nullable(),
});

/** What `readJob`, `readLiveJob`, `readTask` and `readAttempt` read. */
export const JOB_COLUMNS = Object.keys(jobCells.shape);
export const LIVE_JOB_COLUMNS = Object.keys(liveJobCells.shape);
export const TASK_COLUMNS = Object.keys(taskCells.shape);
export const ATTEMPT_COLUMNS = Object.keys(attemptCells.shape);

/** Parses or throws a LanyardError that names the table and the value: the file holds something that we never write. */
function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw unreadable(`${what}: ${issue?.path.map(String).join('.') ?? ''} ${issue?.message ?? ''}`);
}

function parseJson<T>(schema: z.ZodType<T>, text: string, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unreadable(`${what} is not JSON`);
  }
  return parse(schema, value, what);
}

function unreadable(detail: string): LanyardError {
  return new LanyardError({
    code: 'INTERNAL',
    message: `The database holds a row that cannot be read (${detail}).`,
    hint: 'Restore a backup, or ask for help with the database file; do not delete it.',
  });
}

export function readJob(cells: Cells | object): ListedJob {
  const job = parse(jobCells, cells, 'a job');
  return { name: job.name, owner: job.owner, row: jobRow(job, readCounts(job.counts)) };
}

/**
 * A job that has not ended, its counts taken from its tasks: a job's row is not written each time a task moves. Every task
 * without a row is in `restState`.
 */
export function readLiveJob(cells: Cells, tasks: readonly TaskRow[]): JobRow {
  const job = parse(liveJobCells, cells, 'a job');
  const counts = zeroCounts();
  for (const task of tasks) counts[task.state]++;
  counts[job.rest_state] += job.task_count - tasks.length;
  return jobRow(job, counts);
}

function jobRow(job: z.infer<typeof liveJobCells>, counts: TaskCounts): JobRow {
  return {
    id: job.id as JobId,
    state: job.state,
    priority: job.priority,
    position: job.position,
    held: job.held === 1,
    taskCount: job.task_count,
    restState: job.rest_state,
    counts,
    retries: job.retries,
    submittedAt: job.submitted_at,
    queuedAt: job.queued_at,
    startedAt: job.started_at,
    finishedAt: job.finished_at,
    reason: job.reason,
  };
}

function zeroCounts(): Record<TaskState, number> {
  return { SUBMITTED: 0, QUEUED: 0, ASSIGNED: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, TIMED_OUT: 0, CANCELLED: 0 };
}

function readCounts(text: string): TaskCounts {
  const values = parseJson(countsCell, text, "a job's counts");
  const counts = zeroCounts();
  for (const [code, word] of STATE_WORDS.entries()) counts[word] = values[code] as number;
  return counts;
}

export function readTask(cells: Cells, nodeName: NodeNames): TaskRow {
  const task = parse(taskCells, cells, 'a task');
  return {
    job: task.job as JobId,
    index: task.task_index,
    state: task.state,
    attempt: task.attempt,
    retriesUsed: task.retries_used,
    requeues: task.requeues,
    node: task.node === null ? null : nodeName(task.node),
    avoid: task.avoid === null ? [] : parseJson(avoidCell, task.avoid, "a task's nodes to avoid"),
    assignedAt: task.assigned_at,
    startedAt: task.started_at,
    finishedAt: task.finished_at,
    exitCode: task.exit_code,
    reason: task.reason,
    message: task.message,
    preemptions: task.preemptions,
  };
}

export function readAttempt(cells: Cells, nodeName: NodeNames, outputs: readonly OutputFile[]): AttemptRow {
  const attempt = parse(attemptCells, cells, 'an attempt');
  return {
    job: attempt.job as JobId,
    index: attempt.task_index,
    number: attempt.number,
    node: nodeName(attempt.node),
    reason: attempt.reason,
    message: attempt.message,
    exitCode: attempt.exit_code,
    assignedAt: attempt.assigned_at,
    startedAt: attempt.started_at,
    finishedAt: attempt.finished_at,
    outputs,
    ranForMs: attempt.ran_for_ms,
    cpuMs: attempt.cpu_ms,
    peakRamMb: attempt.peak_ram_mb,
  };
}

export function readOutput(cells: Cells): StoredOutput {
  const output = parse(outputCells, cells, 'an output');
  return { index: output.task_index, path: output.path, bytes: output.bytes, blob: readBlob(output.blob) };
}

/** A row of `owner`. */
export function readOwner(cells: Cells): OwnerRow {
  return parse(ownerCells, cells, 'an owner');
}

export function readNode(cells: Cells): NodeRow {
  const node = parse(nodeCells, cells, 'a node');
  return {
    description: parseJson(nodeDescriptionSchema, node.description, "a node's description"),
    adminAvailability: node.admin_availability,
    carrier: node.carrier,
    registeredAt: node.registered_at,
    lastSeenAt: node.last_seen_at,
    health: node.health === null ? null : parseJson(nodeHealthSchema, node.health, "a node's health"),
  };
}

/** What came later stands beside the specification as it was submitted, and is put into it here: an input, what a canary has led to. */
export function readSpec(cells: Cells): StoredSpec {
  const stored = parse(specCells, cells, 'a specification');
  const submitted: JobSpec = parseJson(jobSpecSchema, stored.json, 'a specification');
  const spec = stored.input === null ? submitted : { ...submitted, input: readBlob(stored.input) };
  const base = { owner: stored.owner, inputBytes: stored.input_bytes };
  if (stored.canary === null) return { ...base, spec };
  const decision = parseJson(canaryDecisionSchema, stored.canary, 'what was decided after a canary');
  const { cpu, ramMb, timeoutMs } = decision.decided;
  return { ...base, decision, spec: { ...spec, timeoutMs, requirements: { ...spec.requirements, cpu, ramMb } } };
}

export function readBlob(bytes: Uint8Array): BlobId {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex') as BlobId;
}

export function writeBlob(blob: BlobId): Uint8Array {
  return Buffer.from(blob, 'hex');
}

/** The columns of `job` that change, in the order of `jobValues`. */
export const JOB_VALUES = Object.keys(liveJobCells.shape)
  .filter((column) => column !== 'id')
  .concat('counts');

export function jobValues(row: JobRow): Cell[] {
  return [
    STATE_CODES[row.state],
    row.priority,
    row.position,
    row.held ? 1 : 0,
    row.taskCount,
    STATE_CODES[row.restState],
    row.retries,
    row.submittedAt,
    row.queuedAt,
    row.startedAt,
    row.finishedAt,
    row.reason,
    writeCounts(row.counts),
  ];
}

/** In the order of their codes; word by word, because a list made for each of a million rows costs as much as the rest of it. */
function writeCounts({ SUBMITTED, QUEUED, ASSIGNED, RUNNING, COMPLETED, FAILED, TIMED_OUT, CANCELLED }: TaskCounts): string {
  return `[${SUBMITTED},${QUEUED},${ASSIGNED},${RUNNING},${COMPLETED},${FAILED},${TIMED_OUT},${CANCELLED}]`;
}

/** What search compares: the name in lower case of all scripts, which SQLite's own LIKE does not do. */
export function foldName(name: string): string {
  return name.toLowerCase();
}

/** The states as SQL literals: a partial index is used only where the query shows its condition literally. */
export function stateLiterals(states: readonly JobState[]): number[] {
  return [...new Set(states)].map((word) => STATE_CODES[word]);
}
