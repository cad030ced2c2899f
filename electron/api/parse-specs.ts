import type { z } from 'zod';
import { type JobSpec, jobSpecSchema } from '../../shared/job.ts';
import { createRecent } from '../../shared/recent.ts';

/** Specifications that are surely remembered, and the longest text of one that is (UTF-16 units). */
const KEPT = 256;
const KEPT_LENGTH = 4_096;

export type SpecParser = (job: unknown) => z.ZodSafeParseResult<JobSpec>;

/**
 * Parses jobs as `jobSpecSchema` does. A job that says the same, to the letter, as one not long before it gets the same object: a
 * program that submits many small jobs often says the same again, and to check it costs more than all else that is done about it.
 */
export function createSpecParser(): SpecParser {
  const recent = createRecent<string, z.ZodSafeParseResult<JobSpec>>(KEPT);
  return (job) => {
    const text = JSON.stringify(job) ?? '';
    const known = recent.get(text);
    if (known !== undefined) return known;
    const result = jobSpecSchema.safeParse(job);
    if (result.success && text.length <= KEPT_LENGTH) recent.set(text, result);
    return result;
  };
}
