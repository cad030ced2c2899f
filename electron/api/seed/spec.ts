import type { ExecuteFields } from '../../../shared/api-seed.ts';
import { invalid } from '../../../shared/errors.ts';
import type { BlobId } from '../../../shared/ids.ts';
import { type JobSpec, type JobSpecInput, jobSpecSchema } from '../../../shared/job.ts';

/**
 * A specification from the earlier system's fields; what they leave open comes from `base` (a zip's own `lanyard.json`), then from the defaults.
 * @throws INVALID
 */
export function specOf(fields: ExecuteFields & { readonly input?: BlobId | undefined }, base: Partial<JobSpecInput> = {}): JobSpec {
  const given = {
    name: fields.name ?? base.name ?? fields.filename,
    command: fields.command ?? base.command,
    image: fields.image === '' ? null : (fields.image ?? base.image),
    input: fields.input,
    outputs: fields.outputs ?? base.outputs,
    timeoutMs: fields.timeoutMs ?? base.timeoutMs,
    maxRetries: fields.maxRetries ?? base.maxRetries,
    priority: fields.priority ?? base.priority,
    requirements: {
      ...base.requirements,
      ...(fields.requiredCpu === undefined ? {} : { cpu: fields.requiredCpu }),
      ...(fields.requiredRamMb === undefined ? {} : { ramMb: fields.requiredRamMb }),
    },
  };
  const result = jobSpecSchema.safeParse({ ...base, ...given });
  if (!result.success) throw invalid(result.error, 'the job');
  return result.data;
}
