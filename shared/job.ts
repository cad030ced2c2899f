import { z } from 'zod';
import { canarySchema } from './canary.ts';
import type { BlobId, JobId, NodeId } from './ids.ts';
import { isBlobId } from './ids.ts';
import { isExpressionError, parseLabelExpression } from './label-expression.ts';
import { LIMITS } from './limits.ts';

/** The eight states of a task; a job's state is derived from its tasks and uses the same words. */
export const TASK_STATES = ['SUBMITTED', 'QUEUED', 'ASSIGNED', 'RUNNING', 'COMPLETED', 'FAILED', 'TIMED_OUT', 'CANCELLED'] as const;
export type TaskState = (typeof TASK_STATES)[number];
export type JobState = TaskState;

/**
 * Which state may follow which. A terminal state is left only when a person retries the task, which
 * is a new beginning (`retry`), never by a message from a worker.
 */
export const TRANSITIONS: Readonly<Record<TaskState, readonly TaskState[]>> = {
  SUBMITTED: ['QUEUED', 'FAILED', 'CANCELLED'],
  QUEUED: ['ASSIGNED', 'FAILED', 'CANCELLED'],
  ASSIGNED: ['RUNNING', 'COMPLETED', 'QUEUED', 'FAILED', 'TIMED_OUT', 'CANCELLED'],
  RUNNING: ['COMPLETED', 'QUEUED', 'FAILED', 'TIMED_OUT', 'CANCELLED'],
  COMPLETED: [],
  FAILED: [],
  TIMED_OUT: [],
  CANCELLED: [],
};

/** @returns true when nothing may follow; asked at every step, and so not of the table */
export function isTerminal(state: TaskState): boolean {
  return state === 'COMPLETED' || state === 'FAILED' || state === 'TIMED_OUT' || state === 'CANCELLED';
}

/** Why an attempt ended; `END_REASONS` says what each costs. */
export const END_REASONS = {
  /** The command ended with 0 and every output check held. */
  completed: { usesRetry: false, blames: 'nobody' },
  /** The command ended with another exit code, or was killed by a signal. */
  exit: { usesRetry: true, blames: 'job' },
  /** The command went over its memory limit and was killed. */
  'out-of-memory': { usesRetry: true, blames: 'job' },
  timeout: { usesRetry: true, blames: 'job' },
  /** An output that the job promises was not there, or has a name that is refused. */
  'output-missing': { usesRetry: true, blames: 'job' },
  /** The input is refused on every node alike (a zip with a traversal, say): no retry helps. */
  'input-refused': { usesRetry: true, blames: 'job' },
  /** The image cannot be had on this node: this node cannot serve the job. */
  'image-unavailable': { usesRetry: false, blames: 'node' },
  'input-unavailable': { usesRetry: false, blames: 'node' },
  /** The executor the job needs is switched off or absent on this node. */
  'executor-unavailable': { usesRetry: false, blames: 'node' },
  /** Engine down, disk full, cannot unpack, cannot upload. */
  infrastructure: { usesRetry: false, blames: 'node' },
  'node-lost': { usesRetry: false, blames: 'nobody' },
  'owner-interrupted': { usesRetry: false, blames: 'nobody' },
  preempted: { usesRetry: false, blames: 'nobody' },
  'limit-unavailable': { usesRetry: false, blames: 'nobody' },
  'coordinator-restarted': { usesRetry: false, blames: 'nobody' },
  cancelled: { usesRetry: false, blames: 'nobody' },
} as const satisfies Record<string, { usesRetry: boolean; blames: 'job' | 'node' | 'nobody' }>;
export type EndReason = keyof typeof END_REASONS;
export const endReasonSchema = z.enum(Object.keys(END_REASONS) as [EndReason, ...EndReason[]]);

export const blobIdSchema = z
  .string()
  .refine(isBlobId, 'expected 64 lower-case hexadecimal digits (a SHA-256)')
  .transform((text) => text as BlobId);
export const jobIdSchema = z.coerce
  .number()
  .int()
  .positive()
  .transform((number) => number as JobId);

const expressionSchema = z
  .string()
  .max(LIMITS.expressionLength)
  .superRefine((text, context) => {
    const result = parseLabelExpression(text);
    if (isExpressionError(result)) context.addIssue({ code: 'custom', message: result.message });
  });

/** What one task needs of a node. Reserved at assignment and released once, at the attempt's end. */
export const requirementsSchema = z.strictObject({
  cpu: z.number().min(0.01).max(4096).default(1).describe('CPU cores; a fraction is a share of one'),
  ramMb: z.number().int().min(1).max(16_777_216).default(512).describe('memory, MiB; also the limit of the container'),
  gpus: z.number().int().min(0).max(64).default(0).describe('whole GPUs'),
  gpuRamMb: z.number().int().min(0).max(1_048_576).default(0).describe('memory that each GPU must have, MiB'),
  gpuModel: z.string().trim().min(1).max(200).optional().describe('a part of the name that each GPU must have, such as `RTX 4090`'),
  diskMb: z.number().int().min(0).max(1_073_741_824).default(0).describe('free disk space, MiB'),
  labels: z
    .array(z.string().min(1).max(LIMITS.labelLength))
    .max(LIMITS.labels)
    .default([])
    .describe('labels a node must carry: `name` or `name=value`'),
  where: expressionSchema
    .optional()
    .describe('a condition on labels, and on os, arch, zone, name, cpu, ramMb and gpus: `os == linux && room != "3b"`'),
  prefer: z
    .array(expressionSchema)
    .max(LIMITS.preferences)
    .optional()
    .describe('conditions like `where`; nodes that meet more of them are taken first'),
  zone: z.string().min(1).max(LIMITS.labelLength).optional().describe('the only zone that may run it'),
  zones: z.enum(['together', 'apart']).optional().describe('`together`: in one zone if that can be; `apart`: spread over the zones'),
  exclusive: z.boolean().optional().describe('nothing else runs on the node meanwhile'),
  limits: z
    .record(z.string().min(1).max(LIMITS.labelLength), z.number().int().min(1).max(1_000_000))
    .default({})
    .describe('farm-wide counters (licences) that a running task holds'),
});
export type Requirements = Readonly<z.infer<typeof requirementsSchema>>;

const parameterName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'expected a letter or _ and then letters, digits and _');
const parameterValue = z.union([z.string().max(4_096), z.number(), z.boolean()]);

/** How a job is split into tasks. */
export const tasksSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('single') }),
  z.strictObject({
    kind: z.literal('frames'),
    frames: z.string().min(1).max(100_000).describe('a range as render programs write it: 1-240, 1-240x2, 1,5,9-12'),
    chunk: z.number().int().min(1).max(1_000_000).default(1).describe('frames that one task renders'),
  }),
  z.strictObject({ kind: z.literal('count'), count: z.number().int().min(1).max(LIMITS.tasksPerJob) }),
  z.strictObject({
    kind: z.literal('matrix'),
    parameters: z.record(parameterName, z.array(parameterValue).min(1).max(LIMITS.valuesPerParameter)),
    exclude: z.array(z.record(parameterName, parameterValue)).max(LIMITS.matrixExcludes).default([]),
  }),
]);
export type TaskPlan = Readonly<z.infer<typeof tasksSchema>>;

/**
 * What a person submits, as `lanyard.json` and `POST /api/jobs` carry it.
 * Everything but the command has a default.
 */
export const jobSpecSchema = z.strictObject({
  $schema: z
    .string()
    .max(1_024)
    .optional()
    .describe(
      'where an editor finds the schema of this file, for example `/api/lanyard.schema.json` of a coordinator; nothing else reads it',
    ),
  name: z.string().min(1).max(LIMITS.nameLength).default('untitled'),
  command: z
    .union([z.string().min(1).max(LIMITS.commandLength), z.array(z.string().max(LIMITS.commandLength)).min(1).max(LIMITS.commandArguments)])
    .describe('a shell line, or a program and its arguments; {frame}, {index}, {param.NAME} and so on are filled in'),
  image: z
    .string()
    .min(1)
    .max(512)
    .nullable()
    .optional()
    .describe("container image; null runs the command on the machine itself (host executor); absent means the farm's default image"),
  input: blobIdSchema.optional().describe('the blob of a zip that becomes the working folder'),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(LIMITS.environmentValueLength))
    .refine((env) => Object.keys(env).length <= LIMITS.environmentVariables, `expected at most ${LIMITS.environmentVariables} variables`)
    .default({}),
  workdir: z.string().max(LIMITS.pathLength).default('.').describe('folder inside the input in which the command starts'),
  outputs: z
    .array(z.string().min(1).max(LIMITS.pathLength))
    .max(LIMITS.outputGlobs)
    .default([])
    .describe('globs of the files to keep, relative to the working folder; {frame} and so on are filled in; each must match a file'),
  tasks: tasksSchema.default({ kind: 'single' }),
  requirements: requirementsSchema.prefault({}),
  priority: z.number().int().min(0).max(100).default(50),
  after: z.array(jobIdSchema).max(LIMITS.dependencies).default([]).describe('jobs that must be complete first'),
  afterAny: z.array(jobIdSchema).max(LIMITS.dependencies).default([]).describe('jobs that must have ended first, in whatever way'),
  afterTasks: z
    .array(jobIdSchema)
    .max(LIMITS.taskDependencies)
    .default([])
    .describe('jobs with the same split, of which task N must be complete before task N of this one'),
  inputsFrom: z
    .array(jobIdSchema)
    .max(LIMITS.dependencies)
    .default([])
    .describe('of those, jobs whose outputs are laid over the input (of `afterTasks`: the outputs of task N); others are added to `after`'),
  timeoutMs: z.number().int().min(1_000).max(LIMITS.timeoutMs).default(3_600_000).describe('longest run of one attempt, ms'),
  maxRetries: z.number().int().min(0).max(LIMITS.retries).default(3),
  stopAfterFailures: z
    .number()
    .int()
    .min(0)
    .max(LIMITS.tasksPerJob)
    .default(10)
    .describe('failed attempts, on several nodes and with nothing complete, after which a job of several tasks is stopped; 0: never'),
  network: z.boolean().default(false).describe('a network for the container, where the owner of the machine allows it'),
  maxTasks: z
    .number()
    .int()
    .min(1)
    .max(LIMITS.tasksPerJob)
    .optional()
    .describe('most of its tasks that run at once; default: as many as there is room for'),
  preemptible: z.boolean().default(false),
  canary: canarySchema
    .optional()
    .describe('of a job of more than three tasks the first, the middle and the last run before all others, to learn what they need'),
  notify: z.enum(['none', 'failure', 'end']).default('end'),
});
/** A submission with all defaults filled in. */
export type JobSpec = Readonly<z.infer<typeof jobSpecSchema>>;
/** A submission as a person writes it. */
export type JobSpecInput = z.input<typeof jobSpecSchema>;

/** The name of a job description inside a zip. */
export const JOB_FILE = 'lanyard.json';

/** Tasks of a job by state; the values add up to the number of its tasks. */
export type TaskCounts = Readonly<Record<TaskState, number>>;

/** A job as it is stored: what changes while it lives. The specification is stored once, apart. */
export interface JobRow {
  readonly id: JobId;
  readonly state: JobState;
  readonly priority: number;
  /** Among the jobs of its owner and priority, ascending: its id, unless a person has moved it. */
  readonly position: number;
  /** True while a person holds the job back: nothing of it is placed. */
  readonly held: boolean;
  readonly taskCount: number;
  /** The state of every task that has no row of its own. */
  readonly restState: 'SUBMITTED' | 'QUEUED' | 'CANCELLED' | 'FAILED';
  readonly counts: TaskCounts;
  readonly retries: number;
  /** Wall-clock times, ms since 1970. */
  readonly submittedAt: number;
  readonly queuedAt: number | null;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  /** Why it ended, or why it waits, in a sentence. */
  readonly reason: string | null;
}

/** A task as it is stored, from the moment it first leaves QUEUED. */
export interface TaskRow {
  readonly job: JobId;
  readonly index: number;
  readonly state: TaskState;
  /** The number of its newest attempt; 0 when it never had one. */
  readonly attempt: number;
  readonly retriesUsed: number;
  /** Requeues that cost no retry. */
  readonly requeues: number;
  /** Times that it made room for work of higher priority. */
  readonly preemptions: number;
  readonly node: NodeId | null;
  /** Nodes it failed on, newest last; avoided while another can serve it. */
  readonly avoid: readonly NodeId[];
  readonly assignedAt: number | null;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly exitCode: number | null;
  readonly reason: EndReason | null;
  readonly message: string | null;
}

/** What an attempt has used of its machine; null what nobody could tell, such as the memory of a command that was over at once. */
export interface Usage {
  /** CPU time, of all cores together. */
  readonly cpuMs: number | null;
  /** The most memory that was seen in use at once, MiB. */
  readonly peakRamMb: number | null;
}

/** A file that an attempt produced. */
export interface OutputFile {
  /** Relative, `/`-separated, inside the working folder. */
  readonly path: string;
  readonly bytes: number;
  readonly blob: BlobId;
}

/** One placement of a task, stored once, when it has ended. */
export interface AttemptRow extends Usage {
  readonly job: JobId;
  readonly index: number;
  readonly number: number;
  readonly node: NodeId;
  readonly reason: EndReason;
  readonly message: string | null;
  readonly exitCode: number | null;
  readonly assignedAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number;
  /** How long its command ran, by its worker's own clock; null when it is not known. */
  readonly ranForMs: number | null;
  /** Filled only when the reason is `completed`. */
  readonly outputs: readonly OutputFile[];
}

/** What an owner has had of the farm, as it was at a moment. */
export interface OwnerRow {
  readonly owner: string;
  /** Core-milliseconds; half of it is forgotten after the half-life of fair shares. */
  readonly usage: number;
  /** Wall clock. */
  readonly at: number;
}
