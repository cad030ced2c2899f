import { type JobSpec, jobSpecSchema } from '../../shared/job.ts';
import { createRepeatedParse, type Parse } from '../../shared/repeated-parse.ts';

/** Specifications that are surely remembered. */
const KEPT = 256;

export type SpecParser = Parse<JobSpec>;

/** Parses jobs as `jobSpecSchema` does: a program that submits many small jobs often says the same again. */
export function createSpecParser(): SpecParser {
  return createRepeatedParse(jobSpecSchema, KEPT);
}
