import { z } from 'zod';
import { nodeCacheSchema } from './cache.ts';
import { type AttemptId, type BlobId, isAttemptId } from './ids.ts';
import { blobIdSchema, endReasonSchema, requirementsSchema } from './job.ts';
import { LIMITS } from './limits.ts';
import { availabilitySchema, metricsSchema, nodeDescriptionSchema } from './node.ts';
import { createRepeatedParse } from './repeated-parse.ts';
import { addressSchema, type Role, signedRosterSchema } from './trust.ts';

/**
 * The messages between coordinator and worker, as JSON text frames of one WebSocket; logs travel as
 * binary frames beside them (`electron/link/log-frame.ts`). `docs/protocol.md` tells the story.
 *
 * Raise PROTOCOL_VERSION when an old peer could misread a new message: a field removed, or given
 * another meaning. A new optional field or a new message that an old peer may ignore needs no new
 * version. Peers of different versions refuse each other at `hello`, with both numbers in the error.
 */
export const PROTOCOL_VERSION = 2;

/** One check, and no more: the messages are full of them. */
export const attemptIdSchema = z.custom<AttemptId>(
  (value) => typeof value === 'string' && isAttemptId(value),
  'expected an attempt id such as 12.0.1',
);

const outputFileSchema = z.object({
  path: z.string().min(1).max(LIMITS.pathLength),
  bytes: z.number().int().min(0),
  blob: blobIdSchema,
});

/** How an attempt ended, as the worker saw it. */
export const attemptEndSchema = z.object({
  reason: endReasonSchema,
  exitCode: z.number().int().nullable().default(null),
  /** One sentence for a person. */
  message: z.string().max(4_096).nullable().default(null),
  outputs: z.array(outputFileSchema).max(LIMITS.outputFiles).default([]),
  /** Its command ran. A `started` that would be told in the same moment is left out. */
  started: z.boolean().default(false),
  /** How long the command ran, ms, by the worker's own steady clock. */
  ranForMs: z.number().min(0).default(0),
  /** CPU time of all its cores, and the most memory that was seen in use at once (MiB); null where nobody could tell. */
  cpuMs: z.number().min(0).nullable().default(null),
  peakRamMb: z.number().int().min(0).nullable().default(null),
  /** The full length of the attempt's log in bytes of its framed form. */
  logBytes: z.number().int().min(0).default(0),
});
export type AttemptEnd = Readonly<z.infer<typeof attemptEndSchema>>;

/**
 * What an attempt is at: `done` of `total` bytes, 0 of 0 when that is not known. `paused`: its command is frozen, because the owner of
 * the machine needs it, and `running` follows; that time does not count towards its timeout.
 */
export const phaseSchema = z.object({
  phase: z.enum(['fetching', 'unpacking', 'pulling', 'starting', 'running', 'paused', 'collecting', 'uploading']),
  done: z.number().min(0).default(0),
  total: z.number().min(0).default(0),
});
export type Phase = Readonly<z.infer<typeof phaseSchema>>;

export const reportSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('phase'), attempt: attemptIdSchema, phase: phaseSchema }),
  z.object({ kind: z.literal('started'), attempt: attemptIdSchema }),
  z.object({ kind: z.literal('ended'), attempt: attemptIdSchema, end: attemptEndSchema }),
]);
export type Report = Readonly<z.infer<typeof reportSchema>>;

/** What a worker still has in hand when it connects; the coordinator says which of them to stop. */
const heldAttemptSchema = z.object({
  attempt: attemptIdSchema,
  state: z.enum(['preparing', 'running', 'ended']),
  /** Those it was given, so that a coordinator that starts anew gives them to nobody else. */
  gpus: z.array(z.string().max(128)).max(64).optional(),
});
export type HeldAttempt = Readonly<z.infer<typeof heldAttemptSchema>>;

/** Worker to coordinator. */
export const workerMessageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    protocol: z.number().int(),
    node: nodeDescriptionSchema,
    attempts: z.array(heldAttemptSchema).max(LIMITS.unacknowledgedEnds * 2),
    /** Blobs already in its cache, newest first. */
    cached: z.array(blobIdSchema).max(10_000).default([]),
  }),
  z.object({
    type: z.literal('heartbeat'),
    metrics: metricsSchema,
    availability: availabilitySchema.default('available'),
    running: z.number().int().min(0),
    /** The whole list again when it changed, else absent. */
    cached: z.array(blobIdSchema).max(10_000).optional(),
  }),
  z.object({ type: z.literal('reports'), reports: z.array(reportSchema).max(LIMITS.attemptsPerMessage) }),
  /** The description changed: new limits of the owner, an executor that came or went. */
  z.object({ type: z.literal('describe'), node: nodeDescriptionSchema }),
  /** The answer to `look-into-cache`, with its number. */
  z.object({ type: z.literal('cache'), request: z.number().int(), cache: nodeCacheSchema }),
  /** The worker goes away on purpose; its attempts go back to the queue at once. */
  z.object({ type: z.literal('goodbye') }),
]);
export type WorkerMessage = Readonly<z.infer<typeof workerMessageSchema>>;
export type Hello = Extract<WorkerMessage, { type: 'hello' }>;

const WORKERS = ['worker'] as const satisfies readonly Role[];

/**
 * Which roles may send what to the coordinator. A message type that is missing here does not compile; an administrator is
 * no worker, and so may not play one. Which attempts a worker may speak of is for the daemon to know. What a coordinator
 * says needs no such table: a worker takes it only from the key that its roster names as the coordinator's.
 */
export const MESSAGE_ROLES: { readonly [Type in WorkerMessage['type']]: readonly Role[] } = {
  hello: WORKERS,
  heartbeat: WORKERS,
  reports: WORKERS,
  describe: WORKERS,
  cache: WORKERS,
  goodbye: WORKERS,
};
/** The same for the binary frames of logs. */
export const LOG_ROLES: readonly Role[] = WORKERS;

/** A blob that is laid into the working folder at `path`. */
const extraFileSchema = z.object({ path: z.string().max(LIMITS.pathLength), blob: blobIdSchema, bytes: z.number().int().min(0) });

/** What all tasks of a job have in common, and all jobs of one specification, as a worker needs it. */
const workSchema = z.object({
  name: z.string(),
  /** Who submitted it, for the owner of the machine. */
  owner: z.string().default(''),
  command: z.union([z.string(), z.array(z.string())]),
  /** Absent or null: the host executor. */
  image: z.string().nullable(),
  input: z.object({ blob: blobIdSchema, bytes: z.number().int().min(0) }).nullable(),
  files: z.array(extraFileSchema).default([]),
  env: z.record(z.string(), z.string()),
  workdir: z.string(),
  outputs: z.array(z.string()),
  requirements: requirementsSchema,
  timeoutMs: z.number(),
  network: z.boolean(),
});
export type Work = Readonly<z.infer<typeof workSchema>>;

/** Work that is surely remembered: most of what a worker gets to do is of a few jobs, or of a few specifications. */
const KEPT_WORK = 32;
const parseWork = createRepeatedParse(workSchema, KEPT_WORK);
const repeatedWorkSchema = z.unknown().transform((value, context): Work => {
  const parsed = parseWork(value);
  if (parsed.success) return parsed.data;
  for (const { path, message } of parsed.error.issues) context.addIssue({ code: 'custom', path: [...path], message });
  return z.NEVER;
});

const parametersSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

const assignmentSchema = z.object({
  attempt: attemptIdSchema,
  parameters: parametersSchema,
  /** Ids of the GPUs reserved for it; absent: none. */
  gpus: z.array(z.string()).optional(),
  /** Laid over those of its job (`Work.files`): what its counterparts in other jobs have produced; absent: nothing. */
  files: z.array(extraFileSchema).optional(),
});
export type Assignment = Readonly<z.infer<typeof assignmentSchema>>;

/** Attempts that have their work in common, which is said once for all of them. */
const assignmentGroupSchema = z.object({ work: repeatedWorkSchema, attempts: z.array(assignmentSchema) });
export type AssignmentGroup = Readonly<z.infer<typeof assignmentGroupSchema>>;

/** @returns how many attempts the groups have in all */
export function countOf(groups: readonly AssignmentGroup[]): number {
  return groups.reduce((sum, { attempts }) => sum + attempts.length, 0);
}

/** Coordinator to worker. */
export const coordinatorMessageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    protocol: z.number().int(),
    farm: z.string(),
    heartbeatMs: z.number().int().positive(),
    /** Of the attempts named in `hello`: those the worker must stop and forget. */
    stop: z.array(attemptIdSchema),
    /** Of the attempts named in `hello`: how much of each log is on the coordinator's disk. */
    logs: z.array(z.object({ attempt: attemptIdSchema, offset: z.number().int().min(0) })),
  }),
  z.object({
    type: z.literal('assign'),
    groups: z
      .array(assignmentGroupSchema)
      .refine((groups) => countOf(groups) <= LIMITS.attemptsPerMessage, `at most ${LIMITS.attemptsPerMessage} attempts`),
  }),
  z.object({
    type: z.literal('stop'),
    attempts: z.array(z.object({ attempt: attemptIdSchema, reason: endReasonSchema, graceMs: z.number().min(0) })),
  }),
  /** These ends are on disk (or were refused); the worker forgets them. */
  z.object({ type: z.literal('acknowledge'), attempts: z.array(attemptIdSchema) }),
  /** Somebody asks what the machine keeps; with `clear`, what nothing works on goes first. */
  z.object({ type: z.literal('look-into-cache'), request: z.number().int(), clear: z.boolean() }),
  /** There is no work for this machine; it may sleep, where its owner lets it. Only for those that said so in `power`. */
  z.object({ type: z.literal('sleep') }),
  /** The log of an attempt is on disk up to `offset`. */
  z.object({ type: z.literal('log-acknowledge'), attempt: attemptIdSchema, offset: z.number().int().min(0) }),
  /** The farm's roster changed. Where the coordinator it names is reached, if that is another one now. */
  z.object({ type: z.literal('roster-changed'), roster: signedRosterSchema, coordinatorAt: z.array(addressSchema).max(8) }),
  /** The worker's own device is asked to take coordination over (`POST /api/coordinator`). */
  z.object({ type: z.literal('take-over') }),
  /** The coordinator refuses the worker and closes; `retry` says whether trying again can help. */
  z.object({ type: z.literal('refuse'), message: z.string(), retry: z.boolean() }),
]);
export type CoordinatorMessage = Readonly<z.infer<typeof coordinatorMessageSchema>>;
export type Welcome = Extract<CoordinatorMessage, { type: 'welcome' }>;

/** The records of an attempt's log, on disk and on the wire: 16 bytes of header, then the bytes. */
export const LOG_STREAMS = { stdout: 1, stderr: 2, system: 3 } as const;
export type LogStream = keyof typeof LOG_STREAMS;

export interface LogRecord {
  readonly stream: LogStream;
  /** Wall-clock time at the worker, ms since 1970. */
  readonly time: number;
  readonly bytes: Uint8Array;
}

/** The reference to a blob that is fetched before an attempt runs. */
export interface BlobReference {
  readonly blob: BlobId;
  readonly bytes: number;
}
