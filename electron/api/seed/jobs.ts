import type { SEED_ROUTES } from '../../../shared/api-seed.ts';
import { LanyardError } from '../../../shared/errors.ts';
import type { JobId } from '../../../shared/ids.ts';
import type { JobDetail } from '../../../shared/view.ts';
import { assertOwn } from '../auth.ts';
import type { ApiContext } from '../context.ts';
import type { HandlersOf } from '../route-types.ts';
import { acceptInput } from './inputs.ts';
import { headOfOutput } from './output.ts';
import { specOf } from './spec.ts';
import { seedJob } from './views.ts';

type Names = 'seedCreate' | 'seedStatus' | 'seedCancel';

/** Jobs, for those who submit. */
export function seedJobHandlers(context: ApiContext): HandlersOf<Pick<typeof SEED_ROUTES, Names>> {
  const { farm, membership } = context;
  const taskOf = (job: JobDetail, index: number | undefined) =>
    index !== undefined || job.taskCount === 1 ? farm.task(job.id as JobId, index ?? 0).task : undefined;
  const viewOf = (job: JobId, index: number | undefined, host: string | undefined) => {
    const detail = farm.job(job);
    return seedJob(detail, taskOf(detail, index), `http://${host}`);
  };
  return {
    async seedCreate({ body, identity, request }) {
      const view = await acceptInput(context, body.fileUrl, request.headers.host, (input) => specOf({ ...body, input }), identity);
      membership.record('job-submitted', identity.subject, { target: String(view.id), detail: view.name });
      return viewOf(view.id as JobId, undefined, request.headers.host);
    },
    async seedStatus({ query, request, signal }) {
      const { host } = request.headers;
      if (query.id === undefined) {
        const { jobs, total } = farm.listJobs({
          order: 'newest',
          limit: query.limit,
          offset: query.offset,
          ...(query.status === undefined ? {} : { states: [query.status] }),
        });
        return { jobs: jobs.map((job) => viewOf(job.id as JobId, undefined, host)), total };
      }
      const job = query.id.job as JobId;
      const view = viewOf(job, query.id.index, host);
      return { ...view, ...(await headOfOutput(context, query.id, signal)) };
    },
    async seedCancel({ body, identity, request }) {
      const job = body.id.job as JobId;
      assertOwn(identity, farm.job(job));
      const before = viewOf(job, body.id.index, request.headers.host);
      if (body.status !== undefined && body.status !== before.status)
        throw new LanyardError({
          code: 'CONFLICT',
          field: 'status',
          message: `it is ${before.status}, not ${body.status}; nothing was cancelled`,
        });
      membership.record('job-cancelled', identity.subject, { target: String(job) });
      await farm.cancel(job, before.taskCount === 1 ? undefined : body.id.index, identity);
      return viewOf(job, body.id.index, request.headers.host);
    },
  };
}
