import { z } from 'zod';

/** One thing that was looked at on a machine, by `lanyard doctor` or a screen. */
export const findingSchema = z.object({
  level: z.enum(['ok', 'warn', 'fail']),
  /** What it is about: `interface eth0`, `clock`. */
  what: z.string(),
  /** A sentence or two. */
  detail: z.string(),
  /** What to do; null where there is nothing to do. */
  fix: z.string().nullable(),
});
export type Finding = Readonly<z.infer<typeof findingSchema>>;
