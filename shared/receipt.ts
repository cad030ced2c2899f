import { z } from 'zod';
import { endReasonSchema } from './job.ts';
import { attemptIdSchema } from './protocol.ts';

/** What ran on a machine, for whom and for how long: kept by the machine itself, for its owner. */
export const receiptSchema = z.object({
  attempt: attemptIdSchema,
  /** The farm's name, as its coordinator said it. */
  farm: z.string(),
  /** The job's name, and who submitted it. */
  job: z.string(),
  owner: z.string(),
  /** Null: without a container. */
  image: z.string().nullable(),
  cpu: z.number(),
  ramMb: z.number(),
  gpus: z.array(z.string()),
  /** Wall clock of the machine, ms since 1970. */
  startedAt: z.number(),
  endedAt: z.number(),
  /** How long the command ran, ms, frozen or not. */
  ranForMs: z.number(),
  /** CPU time of all cores, ms, and the most memory seen in use at once, MiB; null where nobody could tell. */
  cpuMs: z.number().nullable().default(null),
  peakRamMb: z.number().int().nullable().default(null),
  reason: endReasonSchema,
  exitCode: z.number().int().nullable(),
});
export type Receipt = Readonly<z.infer<typeof receiptSchema>>;
