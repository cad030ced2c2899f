import { z } from 'zod';
import type { Route } from './api-route.ts';
import { isNodeId, type NodeId, parseAttemptId, parseTaskId } from './ids.ts';
import { blobIdSchema, type JobState, TASK_STATES } from './job.ts';
import { LIMITS } from './limits.ts';
import { LOG_STREAMS, type LogStream } from './protocol.ts';

/**
 * The interface of the earlier system, which scripts go on to use: its routes and field names beside those of `api.ts`.
 * What comes in is read with tolerance: numbers as text, lower-case states, older names of fields, unknown fields. What goes
 * out has one form: `jobId` is the job's number and `id` the attempt's id (`12.0.1`) where work is handed out, else
 * the job's number again; both as text, and each is accepted where the other is.
 *
 * With `Accept: text/plain` an answer is lines of `name='value'` that a shell can `eval`.
 */

/** Older names of fields, by the name they have here. */
type Aliases = Readonly<Record<string, readonly string[]>>;

/** Renames what has an older name, and drops empty values, so that a form's empty field counts as absent unless it is in `keepEmpty`. */
function tolerant<S extends z.ZodType>(aliases: Aliases, schema: S, keepEmpty: readonly string[] = []) {
  return z.preprocess((given) => {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
    const source = new Map(Object.entries(given));
    const result: Record<string, unknown> = {};
    for (const [name, value] of source) if (isGiven(value) || keepEmpty.includes(name)) result[name] = value;
    for (const [name, others] of Object.entries(aliases)) {
      if (isGiven(result[name])) continue;
      const other = others.find((older) => isGiven(source.get(older)));
      if (other !== undefined) result[name] = source.get(other);
    }
    return result;
  }, schema);
}

/** What `sha256sum` prints, for callers without JSON: a line for each file. */
function linesOfHashes(given: unknown): unknown {
  if (typeof given !== 'string') return given;
  const lines = given.split('\n').filter((line) => line !== '');
  return lines.map((line) => ({ blob: line.slice(0, 64), path: line.slice(66) }));
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

const WORKER_NAMES = ['worker_id', 'worker', 'nodeId', 'node'];
const REFERENCE: Aliases = { id: ['attemptId', 'attempt', 'taskId', 'jobId', 'job_id', 'job'], workerId: WORKER_NAMES };

const number = z.coerce.number();
const flag = z.union([z.boolean(), z.stringbool()]);
const text = (length: number) => z.coerce.string().max(length);
/** Names of the earlier system may have had any letters; here they become an id's. */
const workerIdSchema = z.coerce
  .string()
  .max(256)
  .transform((given) => given.replace(/[^A-Za-z0-9._-]/g, '-').replace(/^[^A-Za-z0-9]+/, ''))
  .refine((id) => isNodeId(id), 'expected letters, digits, ".", "_" and "-", at most 128')
  .transform((id) => id as NodeId);

/** What an id of any of the three kinds names. */
export interface Reference {
  readonly job: number;
  readonly index?: number;
  readonly number?: number;
}

function parseReference(given: string): Reference | undefined {
  if (/^[1-9]\d{0,14}$/.test(given)) return { job: Number(given) };
  return parseAttemptId(given) ?? parseTaskId(given);
}

const referenceSchema = z.coerce.string().transform((given, context): Reference => {
  const reference = parseReference(given);
  if (reference !== undefined) return reference;
  context.addIssue({ code: 'custom', message: 'expected the number of a job (12), or the id of a task (12.0) or of an attempt (12.0.1)' });
  return z.NEVER;
});

const stateSchema = z
  .string()
  .transform((given) => given.toUpperCase().replace(/[- ]/g, '_'))
  .transform((given) => OLDER_STATES[given] ?? given)
  .pipe(z.enum(TASK_STATES));
const OLDER_STATES: Readonly<Record<string, JobState>> = {
  PENDING: 'QUEUED',
  WAITING: 'QUEUED',
  IN_PROGRESS: 'RUNNING',
  DONE: 'COMPLETED',
  SUCCESS: 'COMPLETED',
  ERROR: 'FAILED',
  TIMEOUT: 'TIMED_OUT',
  CANCELED: 'CANCELLED',
};

const streamSchema = z
  .string()
  .transform((given) => given.toLowerCase())
  .pipe(z.enum(Object.keys(LOG_STREAMS) as [LogStream, ...LogStream[]]));

const MEASURES: Aliases = {
  workerId: ['id', ...WORKER_NAMES],
  cpuUsage: ['cpuPercent', 'cpu_usage', 'cpuLoad', 'load'],
  freeRamMb: ['ramFreeMb', 'free_ram_mb', 'freeRam', 'availableRamMb', 'freeMemoryMb'],
  totalRamMb: ['ramMb', 'ramTotalMb', 'total_ram_mb', 'totalRam', 'ram', 'memoryMb', 'totalMemoryMb'],
  freeDiskMb: ['diskFreeMb', 'free_disk_mb'],
  running: ['runningJobs', 'jobIds', 'jobs', 'currentJobId', 'currentJob'],
};

/** A list, or text with commas; a lone value is a list of one. */
const listOf = <T extends z.ZodType>(item: T, most: number) =>
  z.preprocess(
    (given) => (Array.isArray(given) ? given : typeof given === 'string' ? given.split(/[\s,]+/).filter((part) => part !== '') : [given]),
    z.array(item).max(most),
  );

/** What a worker has in hand. Left out it says nothing; empty it says "nothing". */
const runningSchema = listOf(z.string().max(64), 4096).optional();

const measures = {
  cpuUsage: number
    .min(0)
    .transform((percent) => Math.min(percent, 100))
    .optional(),
  freeRamMb: number.min(0).optional(),
  totalRamMb: number.min(0).optional(),
  freeDiskMb: number.min(0).optional(),
};

const jobAnswer = z.object({
  id: z.string(),
  jobId: z.string(),
  name: z.string(),
  owner: z.string(),
  status: z.enum(TASK_STATES),
  command: z.string(),
  fileUrl: z.string().nullable(),
  filename: z.string().nullable(),
  image: z.string().nullable(),
  requiredCpu: z.number(),
  requiredRamMb: z.number(),
  timeoutMs: z.number(),
  maxRetries: z.number(),
  retries: z.number(),
  priority: z.number(),
  taskCount: z.number(),
  workerId: z.string().nullable(),
  exitCode: z.number().nullable(),
  error: z.string().nullable(),
  /** Wall clock, ISO 8601. */
  createdAt: z.string(),
  assignedAt: z.string().nullable(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
});
export type SeedJob = z.infer<typeof jobAnswer>;

/** The beginning of the newest attempt's output; `truncated` says that there is more at `stream-output`. */
const outputAnswer = z.object({ stdout: z.string(), stderr: z.string(), output: z.string(), truncated: z.boolean() });
export type SeedOutput = z.infer<typeof outputAnswer>;

/** A task as a worker that polls gets it. */
const workAnswer = jobAnswer.extend({
  taskId: z.string(),
  index: z.number(),
  workdir: z.string(),
  outputs: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  /** The same environment as a line for `eval`, so that a shell needs no JSON. */
  exports: z.string(),
});
export type SeedWork = z.infer<typeof workAnswer>;

const workerAnswer = z.object({
  id: z.string(),
  workerId: z.string(),
  name: z.string(),
  status: z.string(),
  availability: z.string(),
  cpuCores: z.number(),
  totalRamMb: z.number(),
  freeRamMb: z.number().nullable(),
  cpuUsage: z.number().nullable(),
  maxParallelJobs: z.number(),
  runningJobs: z.array(z.string()),
  registeredAt: z.string(),
  lastHeartbeat: z.string(),
});
export type SeedWorker = z.infer<typeof workerAnswer>;

const JOB_NAMES: Aliases = {
  command: ['cmd', 'script'],
  fileUrl: ['file_url', 'url', 'inputUrl'],
  filename: ['fileName', 'file_name'],
  requiredCpu: ['required_cpu', 'cpu', 'cpus', 'cpuCores'],
  requiredRamMb: ['required_ram_mb', 'requiredRam', 'ramMb', 'ram', 'memoryMb'],
  timeoutMs: ['timeout_ms', 'timeout'],
  maxRetries: ['max_retries', 'retries'],
};

const JOB_FIELDS = {
  filename: text(LIMITS.pathLength).optional(),
  name: text(LIMITS.nameLength).optional(),
  requiredCpu: number.optional(),
  requiredRamMb: number.transform(Math.ceil).optional(),
  timeoutMs: number.transform(Math.ceil).optional(),
  maxRetries: number.optional(),
  priority: number.optional(),
  /** Empty: on the machine itself, without a container. */
  image: z.string().max(512).nullable().optional(),
  outputs: listOf(z.string(), LIMITS.outputGlobs).optional(),
};

/** The fields of `POST /api/execute` beside the file; the command may also stand in the zip's `lanyard.json`. */
export const executeFieldsSchema = tolerant(
  JOB_NAMES,
  z.object({ command: z.string().max(LIMITS.commandLength).optional(), ...JOB_FIELDS }),
  ['image'],
);
export type ExecuteFields = z.infer<typeof executeFieldsSchema>;

const READERS = ['viewer', 'submitter', 'worker', 'admin'] as const;
/** A worker hears of the work that it is given, and of no other. */
const JOB_READERS = ['viewer', 'submitter', 'admin'] as const;
const SUBMITTERS = ['submitter', 'admin'] as const;
const WORKERS = ['worker', 'admin'] as const;

const outputFile = z.object({ path: z.string().min(1).max(LIMITS.pathLength), blob: blobIdSchema });
const endSchema = tolerant(
  { ...REFERENCE, exitCode: ['exit_code', 'code'], message: ['error', 'errorMessage', 'reason'], output: ['result'] },
  z.object({
    id: referenceSchema,
    workerId: workerIdSchema.optional(),
    exitCode: number.int().optional(),
    status: stateSchema.optional(),
    message: z.unknown().optional(),
    stdout: z.string().optional(),
    stderr: z.string().optional(),
    output: z.unknown().optional(),
    ranForMs: number.min(0).optional(),
    /** What it has used, for those who know. */
    cpuMs: number.min(0).optional(),
    peakRamMb: number.int().min(0).optional(),
    /** Files that were put with `PATCH /api/blobs/HASH` before; a list, or what `sha256sum` prints. */
    outputs: z.preprocess(linesOfHashes, z.array(outputFile).max(LIMITS.outputFiles)).optional(),
  }),
);
const endAnswer = z.object({ success: z.literal(true), id: z.string(), jobId: z.string(), status: z.enum(TASK_STATES) });

export const SEED_ROUTES = {
  seedRegister: {
    method: 'POST',
    path: '/api/workers/register',
    roles: WORKERS,
    summary: 'Registers a worker that polls',
    body: tolerant(
      {
        ...MEASURES,
        name: ['hostname', 'workerName'],
        cpuCores: ['cpu', 'cpus', 'cpu_cores', 'totalCpu', 'cores'],
        os: ['platform'],
        maxParallel: ['maxParallelJobs', 'max_parallel_jobs', 'MAX_PARALLEL_JOBS', 'slots'],
      },
      z.object({
        ...measures,
        workerId: workerIdSchema,
        name: text(LIMITS.nameLength).optional(),
        cpuCores: number.min(0.01).max(4096).default(1),
        maxParallel: number.int().min(1).max(4096).optional(),
        os: text(64).default('unknown'),
        arch: text(32).default('unknown'),
        labels: z.record(z.string().min(1).max(LIMITS.labelLength), z.string().max(LIMITS.labelLength)).default({}),
        zone: text(LIMITS.labelLength).default(''),
        /** `docker`: it runs images; `host`: it runs commands as they are. */
        executors: listOf(z.enum(['docker', 'host']), 2).default(['docker', 'host']),
        /** Of what it had before, what it goes on with; the rest is queued again. */
        running: runningSchema,
      }),
      ['running'],
    ),
    answer: z.object({ success: z.literal(true), heartbeatMs: z.number(), worker: workerAnswer }),
  },
  seedHeartbeat: {
    method: 'POST',
    path: '/api/workers/heartbeat',
    roles: WORKERS,
    summary: 'Says that a worker lives; the answer names what it should stop',
    body: tolerant(MEASURES, z.object({ ...measures, workerId: workerIdSchema, running: runningSchema })),
    answer: z.object({ success: z.literal(true), workerId: z.string(), status: z.string(), stop: z.array(z.string()) }),
  },
  seedWorkers: {
    method: 'GET',
    path: '/api/workers/list',
    roles: READERS,
    summary: 'Workers, in the form of the earlier system',
    answer: z.object({ workers: z.array(workerAnswer) }),
  },
  seedCreate: {
    method: 'POST',
    path: '/api/jobs/create',
    roles: SUBMITTERS,
    summary: 'Submits a job, in the form of the earlier system',
    body: tolerant(
      JOB_NAMES,
      z.object({ command: z.string().min(1).max(LIMITS.commandLength), fileUrl: z.string().max(8_192).optional(), ...JOB_FIELDS }),
      ['image'],
    ),
    answer: jobAnswer,
  },
  seedGetJob: {
    method: 'POST',
    path: '/api/jobs/get-job',
    roles: WORKERS,
    summary: 'The next task that is assigned to this worker, which begins to run; null when there is none',
    body: tolerant(
      { workerId: ['id', ...WORKER_NAMES], running: MEASURES.running ?? [] },
      z.object({
        workerId: workerIdSchema,
        /** What it has in hand: a task that it was given and does not name here is given again, because the answer was lost. */
        running: runningSchema,
      }),
      ['running'],
    ),
    answer: z.object({ job: workAnswer.nullable() }),
  },
  seedStatus: {
    method: 'GET',
    path: '/api/jobs/status',
    roles: JOB_READERS,
    summary: 'One job with its output (`?id=` or `?jobId=`), or all, newest first',
    query: tolerant(
      { ...REFERENCE, status: ['state'] },
      z.object({
        id: referenceSchema.optional(),
        status: stateSchema.optional(),
        limit: number.int().min(1).max(LIMITS.pageRows).default(100),
        offset: number.int().min(0).default(0),
      }),
    ),
    answer: z.union([jobAnswer.extend(outputAnswer.shape), z.object({ jobs: z.array(jobAnswer), total: z.number() })]),
  },
  seedSucceed: {
    method: 'POST',
    path: '/api/jobs/submit-result',
    roles: WORKERS,
    summary: 'A task ended well (or, with another exit code than 0 or another status, did not)',
    body: endSchema,
    answer: endAnswer,
  },
  seedFail: {
    method: 'PUT',
    path: '/api/jobs/submit-result',
    roles: WORKERS,
    summary: 'A task failed: it is tried again or ends as FAILED',
    body: endSchema,
    answer: endAnswer,
  },
  seedCancel: {
    method: 'POST',
    path: '/api/jobs/cancel',
    roles: SUBMITTERS,
    summary: 'Cancels a job or a task; with `status` only while it is in that state (QUEUED or RUNNING)',
    body: tolerant({ ...REFERENCE, status: ['state'] }, z.object({ id: referenceSchema, status: stateSchema.optional() })),
    answer: jobAnswer,
  },
  seedWriteOutput: {
    method: 'POST',
    path: '/api/jobs/stream-output',
    roles: WORKERS,
    summary: 'Appends output: JSON, or the bytes themselves with the rest in the query; `stop` says that the task was cancelled',
    query: tolerant(
      { ...REFERENCE, stream: ['type'] },
      z.object({ id: referenceSchema.optional(), workerId: workerIdSchema.optional(), stream: streamSchema.default('stdout') }),
    ),
    body: z.union([
      z.instanceof(Uint8Array),
      tolerant(
        { ...REFERENCE, stream: ['type'], output: ['data', 'chunk', 'line', 'text', 'message'] },
        z.object({
          id: referenceSchema.optional(),
          workerId: workerIdSchema.optional(),
          stream: streamSchema.optional(),
          output: z.string().optional(),
          stdout: z.string().optional(),
          stderr: z.string().optional(),
        }),
      ),
    ]),
    answer: z.object({ success: z.literal(true), stop: z.boolean() }),
  },
  seedReadOutput: {
    method: 'GET',
    path: '/api/jobs/stream-output',
    roles: JOB_READERS,
    summary: 'The output of the newest (or the named) attempt; as events when `Accept` asks for text/event-stream',
    query: tolerant(
      { ...REFERENCE, stream: ['type'] },
      z.object({
        id: referenceSchema,
        stream: streamSchema.optional(),
        follow: flag.optional(),
        offset: number.int().min(0).default(0),
      }),
    ),
    bytes: { answer: 'text/plain' },
  },
  seedExecute: {
    method: 'POST',
    path: '/api/execute',
    roles: SUBMITTERS,
    summary: 'A zip and a command in one form: submits a job',
    bytes: { body: 'multipart/form-data' },
    answer: jobAnswer,
  },
} as const satisfies Record<string, Route>;
