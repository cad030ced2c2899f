import { z } from 'zod';
import { isNodeId, type NodeId } from './ids.ts';
import { LIMITS } from './limits.ts';

export const NODE_STATUSES = ['IDLE', 'BUSY', 'UNHEALTHY', 'OFFLINE'] as const;
export type NodeStatus = (typeof NODE_STATUSES)[number];

/** Whether new work may be placed on a node, apart from its health: who said no, if anybody. */
export const AVAILABILITIES = [
  'available',
  'draining',
  'paused',
  'owner-paused',
  'owner-active',
  'on-battery',
  'outside-schedule',
] as const;
export type Availability = (typeof AVAILABILITIES)[number];
export const availabilitySchema = z.enum(AVAILABILITIES);

export const nodeIdSchema = z
  .string()
  .refine(isNodeId, 'expected letters, digits, ".", "_" and "-", at most 128')
  .transform((text) => text as NodeId);

export const gpuSchema = z.object({
  /** What the engine and the driver call it: an index or a UUID. */
  id: z.string().min(1).max(128),
  model: z.string().max(200),
  ramMb: z.number().int().min(0),
});
export type Gpu = Readonly<z.infer<typeof gpuSchema>>;

/** What a node has in all; what its owner does not share is already left out. */
export const capacitySchema = z.object({
  cpu: z.number().min(0).max(4096),
  ramMb: z.number().int().min(0),
  diskMb: z.number().int().min(0),
  gpus: z.array(gpuSchema).max(64).default([]),
});
export type Capacity = Readonly<z.infer<typeof capacitySchema>>;

/** What a node measures about itself, with every heartbeat. */
export const metricsSchema = z.object({
  /** Load of all cores, 0 to 100. */
  cpuPercent: z.number().min(0).max(100).default(0),
  ramFreeMb: z.number().min(0).default(0),
  ramTotalMb: z.number().min(0).default(0),
  diskFreeMb: z.number().min(0).default(0),
  gpus: z
    .array(z.object({ id: z.string().max(128), loadPercent: z.number().min(0).max(100), ramUsedMb: z.number().min(0) }))
    .max(64)
    .default([]),
  /** Bytes a second, of task output and of files in both directions. */
  logBytesPerSecond: z.number().min(0).default(0),
  transferBytesPerSecond: z.number().min(0).default(0),
});
export type Metrics = Readonly<z.infer<typeof metricsSchema>>;

/** Who a worker is and what it offers, as it says when it registers. */
export const nodeDescriptionSchema = z.object({
  id: nodeIdSchema,
  name: z.string().min(1).max(LIMITS.nameLength),
  os: z.string().max(64),
  arch: z.string().max(32),
  version: z.string().max(64),
  capacity: capacitySchema,
  labels: z.record(z.string().min(1).max(LIMITS.labelLength), z.string().max(LIMITS.labelLength)).default({}),
  zone: z.string().max(LIMITS.labelLength).default(''),
  maxParallel: z.number().int().min(1).max(4096),
  /** Which executors it has switched on and working. */
  executors: z.array(z.enum(['docker', 'host', 'null'])).default([]),
  availability: availabilitySchema.default('available'),
  /** Where the owner lets the farm wake the machine and put it to sleep. */
  power: z
    .object({
      /** Hardware addresses that wake it. */
      macs: z.array(z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/)).max(16),
      /** How long it must have had no work; null: it is not put to sleep. */
      sleepAfterMs: z.number().min(0).nullable(),
    })
    .optional(),
});
export type NodeDescription = Readonly<z.infer<typeof nodeDescriptionSchema>>;

/** What a node's failures have led to; it outlives a restart of the coordinator. */
export const nodeHealthSchema = z.object({
  /** Wall clock; it is UNHEALTHY until then. */
  unhealthyUntil: z.number().nullable(),
  /** Cool-downs since it was last known to be well. */
  strikes: z.number().int().min(0),
  probation: z.boolean(),
  /** Tasks that failed there and completed elsewhere, and its completions since the last of them. */
  convictions: z.array(z.string()),
  completedSince: z.number().int().min(0),
  /** The job whose task failed there last, with nothing completed since. */
  failedJob: z.number().int().positive().nullable(),
  reason: z.string().nullable(),
});
export type NodeHealth = Readonly<z.infer<typeof nodeHealthSchema>>;

/** A node as it is stored: what must outlive a restart of the coordinator. */
export interface NodeRow {
  readonly description: NodeDescription;
  /** What an administrator asked for; the owner's own wishes arrive with the description. */
  readonly adminAvailability: 'available' | 'draining' | 'paused';
  /** `link`: keeps a connection. `poll`: asks over HTTP, as workers of the earlier system do. */
  readonly carrier: 'link' | 'poll';
  readonly registeredAt: number;
  readonly lastSeenAt: number;
  /** Null: nothing speaks against it. */
  readonly health: NodeHealth | null;
}
