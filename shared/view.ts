import { z } from 'zod';
import { cachedInputSchema, nodeCacheSchema } from './cache.ts';
import { canaryDecisionSchema, canaryProposalSchema, canarySchema } from './canary.ts';
import { jobSpecSchema, TASK_STATES } from './job.ts';
import { AVAILABILITIES, metricsSchema, NODE_STATUSES, nodeDescriptionSchema } from './node.ts';
import { phaseSchema } from './protocol.ts';

/** What the API answers and a screen shows. Times are wall-clock ms since 1970; null means "not yet". */
const time = z.number().nullable();
const stateSchema = z.enum(TASK_STATES);
export const countsSchema = z.record(stateSchema, z.number().int());

export const jobViewSchema = z.object({
  id: z.number().int(),
  name: z.string(),
  owner: z.string(),
  state: stateSchema,
  priority: z.number().int(),
  /** Among the jobs of its owner and priority, ascending: its id, unless a person has moved it. */
  position: z.number(),
  held: z.boolean(),
  taskCount: z.number().int(),
  counts: countsSchema,
  retries: z.number().int(),
  submittedAt: z.number(),
  queuedAt: time,
  startedAt: time,
  finishedAt: time,
  /** When it will be done, between these two; null without data to tell it from. */
  eta: z.object({ earliest: z.number(), latest: z.number() }).nullable(),
  /** `running`: its first tasks run before all others; `waiting`: they have ended, and it waits for approval. */
  canaryPhase: z.enum(['running', 'waiting']).nullable(),
  reason: z.string().nullable(),
});
export type JobView = z.infer<typeof jobViewSchema>;

export const canaryViewSchema = z.object({
  approval: canarySchema.shape.approval,
  /** Indices of the first tasks. */
  tasks: z.array(z.number().int()),
  /** How many of them have ended; null once that is of no matter. */
  ended: z.number().int().nullable(),
  /** There when the job waits for approval. */
  proposal: canaryProposalSchema.nullable(),
  /** There once the rest goes on. */
  decision: canaryDecisionSchema.nullable(),
});
export type CanaryView = z.infer<typeof canaryViewSchema>;

export const jobDetailSchema = jobViewSchema.extend({
  canary: canaryViewSchema.nullable(),
  spec: jobSpecSchema,
  /** Jobs that wait for this one now. */
  dependents: z.array(z.number().int()).default([]),
});
export type JobDetail = z.infer<typeof jobDetailSchema>;

export const taskViewSchema = z.object({
  id: z.string(),
  job: z.number().int(),
  index: z.number().int(),
  state: stateSchema,
  attempt: z.number().int(),
  retriesUsed: z.number().int(),
  node: z.string().nullable(),
  /** What a running attempt is at, from the worker's last word. */
  phase: phaseSchema.nullable(),
  assignedAt: time,
  startedAt: time,
  finishedAt: time,
  exitCode: z.number().int().nullable(),
  reason: z.string().nullable(),
  message: z.string().nullable(),
  parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});
export type TaskView = z.infer<typeof taskViewSchema>;

export const attemptViewSchema = z.object({
  id: z.string(),
  task: z.string(),
  number: z.number().int(),
  node: z.string(),
  state: stateSchema,
  /** Null while it lives. */
  reason: z.string().nullable(),
  message: z.string().nullable(),
  exitCode: z.number().int().nullable(),
  assignedAt: z.number(),
  startedAt: time,
  finishedAt: time,
  /** How long its command ran, by the clock of its worker (ms). */
  ranForMs: time,
  /** CPU time of all cores, and the most memory seen in use at once (MiB); null while it lives, and where nobody could tell. */
  cpuMs: z.number().nullable(),
  peakRamMb: z.number().int().nullable(),
});
export type AttemptView = z.infer<typeof attemptViewSchema>;

/** An attempt in the history of a machine, which knows its jobs by name only from here. */
export const nodeAttemptViewSchema = attemptViewSchema.extend({ jobName: z.string(), owner: z.string() });
export type NodeAttemptView = z.infer<typeof nodeAttemptViewSchema>;

export const outputViewSchema = z.object({
  task: z.string(),
  path: z.string(),
  bytes: z.number().int(),
  blob: z.string(),
});
export type OutputView = z.infer<typeof outputViewSchema>;

export const nodeViewSchema = z.object({
  description: nodeDescriptionSchema,
  status: z.enum(NODE_STATUSES),
  availability: z.enum(AVAILABILITIES),
  /** Why it is UNHEALTHY or OFFLINE, in a sentence. */
  reason: z.string().nullable(),
  used: z.object({ cpu: z.number(), ramMb: z.number(), gpus: z.number(), slots: z.number() }),
  metrics: metricsSchema.nullable(),
  running: z.array(z.string()),
  registeredAt: z.number(),
  lastSeenAt: z.number(),
});
export type NodeView = z.infer<typeof nodeViewSchema>;

export const nodeCacheViewSchema = nodeCacheSchema.extend({
  /** With the newest job that names the input; null: none does any more. */
  inputs: z.array(cachedInputSchema.extend({ job: z.object({ id: z.number().int(), name: z.string() }).nullable() })),
});
export type NodeCacheView = z.infer<typeof nodeCacheViewSchema>;

/** A counter that the whole farm shares, such as licences. */
export const limitViewSchema = z.object({
  name: z.string(),
  /** How much of it is held by what runs, and how much there is. */
  used: z.number().int(),
  capacity: z.number().int(),
  /** Whether something that waits needs some of it. */
  isWanted: z.boolean(),
});
export type LimitView = z.infer<typeof limitViewSchema>;

export const ownerViewSchema = z.object({
  owner: z.string(),
  /** Core hours, of which half is forgotten after the setting `fairShareHalfLifeMs`. */
  coreHours: z.number(),
  weight: z.number(),
  /** Tasks that are ASSIGNED or RUNNING. */
  running: z.number().int(),
  /** Most tasks at once; null: no cap. */
  maxTasks: z.number().int().nullable(),
  /** Jobs that have not ended. */
  jobs: z.number().int(),
});
export type OwnerView = z.infer<typeof ownerViewSchema>;

export const totalsSchema = z.object({
  /** Jobs that have not ended, by state. */
  jobs: countsSchema,
  /** Their tasks, by state. */
  tasks: countsSchema,
  nodes: z.record(z.enum(NODE_STATUSES), z.number().int()),
  cpu: z.object({ used: z.number(), total: z.number() }),
});
export type Totals = z.infer<typeof totalsSchema>;

/** One constraint that keeps a task waiting, and what would help. */
export const obstacleSchema = z.object({
  /** What is in short supply: cpu, ramMb, gpus, labels, zone, image, slots, nodes and so on. */
  constraint: z.string(),
  /** A sentence with the figures: what is needed and the most that is there, on which node. */
  message: z.string(),
  /** The smallest change that would help, as a sentence; null when only time helps. */
  help: z.string().nullable(),
  /** Nodes that this constraint alone, or among others, keeps out. */
  nodes: z.number().int(),
});

export const explanationSchema = z.object({
  job: z.number().int(),
  state: stateSchema,
  /** The whole answer in one sentence. */
  summary: z.string(),
  obstacles: z.array(obstacleSchema),
  /** Tasks that stand before it in its queue; null when that is not what it waits for. */
  ahead: z.number().int().nullable(),
  /** A failed attempt, and the end of its log; null when nothing has failed. */
  evidence: z.object({ attempt: z.string(), node: z.string(), log: z.string() }).nullable(),
});
export type Explanation = z.infer<typeof explanationSchema>;

export const nodeExplanationSchema = z.object({
  node: z.string(),
  status: z.enum(NODE_STATUSES),
  /** Why it takes no more, in one sentence. */
  summary: z.string(),
  /** Why work that waits does not go there; `nodes` counts the kinds of work that each keeps out. */
  obstacles: z.array(obstacleSchema),
});
export type NodeExplanation = z.infer<typeof nodeExplanationSchema>;

/** The event stream: one snapshot first, then deltas, each with the cursor after it. */
export const viewEventSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('snapshot'),
    cursor: z.number().int(),
    farm: z.object({ id: z.string(), name: z.string() }),
    /** Jobs that have not ended and the newest that have, newest first. */
    jobs: z.array(jobViewSchema),
    nodes: z.array(nodeViewSchema),
    totals: totalsSchema,
  }),
  z.object({
    type: z.literal('delta'),
    cursor: z.number().int(),
    jobs: z.array(jobViewSchema),
    removedJobs: z.array(z.number().int()),
    nodes: z.array(nodeViewSchema),
    removedNodes: z.array(z.string()),
    totals: totalsSchema,
  }),
]);
export type ViewEvent = z.infer<typeof viewEventSchema>;
