import { z } from 'zod';
import { blobIdSchema } from './job.ts';
import { LIMITS } from './limits.ts';

/** An input that a machine has ready for use. */
export const cachedInputSchema = z.object({
  blob: blobIdSchema,
  /** A zip unpacked to a tree, or a file as it is. */
  kind: z.enum(['tree', 'file']),
  bytes: z.number().min(0),
  /** Wall clock of the machine, ms since 1970. */
  usedAt: z.number(),
  /** Something that runs works on it: it stays. */
  isHeld: z.boolean(),
});
export type CachedInput = Readonly<z.infer<typeof cachedInputSchema>>;

/** What a machine keeps so that it need not be fetched again. */
export const nodeCacheSchema = z.object({
  /** Most that inputs may take, in bytes; images are the engine's own. */
  capBytes: z.number().min(0),
  /** Newest use first. */
  inputs: z.array(cachedInputSchema).max(LIMITS.cacheEntries),
  images: z.array(z.object({ name: z.string().max(LIMITS.pathLength), bytes: z.number().min(0) })).max(LIMITS.cacheEntries),
});
export type NodeCache = Readonly<z.infer<typeof nodeCacheSchema>>;
