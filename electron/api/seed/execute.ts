import { posix } from 'node:path';
import { executeFieldsSchema, type SEED_ROUTES } from '../../../shared/api-seed.ts';
import { invalid, LanyardError } from '../../../shared/errors.ts';
import type { BlobId, JobId } from '../../../shared/ids.ts';
import { JOB_FILE, type JobSpec, type JobSpecInput } from '../../../shared/job.ts';
import { fileThreads } from '../../files/threads/file-threads.ts';
import type { Identity } from '../../ports/trust.ts';
import type { ApiContext } from '../context.ts';
import type { Call, HandlersOf } from '../route-types.ts';
import { specOf } from './spec.ts';
import { seedJob } from './views.ts';

type ExecuteRoute = (typeof SEED_ROUTES)['seedExecute'];

export function seedExecuteHandlers(context: ApiContext): HandlersOf<{ seedExecute: ExecuteRoute }> {
  const { farm, blobs, membership, gate } = context;
  const submit = async (spec: JobSpec, identity: Identity, host: string | undefined) => {
    const { id, name } = await gate.through(() => farm.submit(spec, identity));
    membership.record('job-submitted', identity.subject, { target: String(id), detail: name });
    return seedJob(farm.job(id as JobId), undefined, `http://${host}`);
  };
  return {
    async seedExecute({ request, reply, identity }) {
      const form = await takeForm(context, request, reply);
      const fields = executeFieldsSchema.safeParse(form.fields);
      if (!fields.success) throw invalid(fields.error, 'the form');
      const { host } = request.headers;
      if (form.blob === undefined) return submit(specOf(fields.data), identity, host);
      const base = jobFile(await fileThreads.readJobFile(blobs.path(form.blob)));
      const spec = specOf({ ...fields.data, filename: fields.data.filename ?? form.filename, input: form.blob }, base);
      return submit(spec, identity, host);
    },
  };
}

/** What the zip says of itself; its working folder is seen from the folder that the description lies in. */
function jobFile(found: { readonly text: string; readonly folder: string } | undefined): Partial<JobSpecInput> {
  if (found === undefined) return {};
  const value = parseJson(found.text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new LanyardError({ code: 'INVALID', message: `the zip's ${JOB_FILE} is not a JSON object` });
  // Its fields are checked together with the form's.
  const base = value as Partial<JobSpecInput>;
  return found.folder === '.' ? base : { ...base, workdir: posix.join(found.folder, String(base.workdir ?? '.')) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new LanyardError({ code: 'INVALID', message: `the zip's ${JOB_FILE} is not JSON: ${(error as Error).message}` });
  }
}

interface Form {
  readonly fields: Record<string, string>;
  readonly blob: BlobId | undefined;
  readonly filename: string | undefined;
}

/** Takes a form apart as it comes; its file goes straight to the blobs. A caller whose file is refused is not heard to its end. */
async function takeForm({ blobs, settings }: ApiContext, request: Call['request'], reply: Call['reply']): Promise<Form> {
  if (!request.isMultipart())
    throw new LanyardError({
      code: 'INVALID',
      message: 'expected a form of the type multipart/form-data',
      hint: "curl -F file=@job.zip -F 'command=...'",
    });
  const fields: Record<string, string> = {};
  let blob: BlobId | undefined;
  let filename: string | undefined;
  try {
    for await (const part of request.parts()) {
      if (part.type === 'field') {
        fields[part.fieldname] = String(part.value);
        continue;
      }
      filename = part.filename;
      blob = (await blobs.write(part.file, { maxBytes: settings.maxUploadBytes })).blob;
    }
    return { fields, blob, filename };
  } catch (error) {
    reply.header('connection', 'close');
    throw error;
  }
}
