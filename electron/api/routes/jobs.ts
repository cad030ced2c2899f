import type { ROUTES } from '../../../shared/api.ts';
import type { ApiContext } from '../context.ts';
import type { HandlersOf } from '../route-types.ts';

type Names =
  | 'submitJob'
  | 'submitStages'
  | 'listJobs'
  | 'getJob'
  | 'updateJob'
  | 'removeJob'
  | 'cancelJob'
  | 'retryJob'
  | 'explainJob'
  | 'listTasks'
  | 'getTask'
  | 'cancelTask';

export function jobHandlers({ farm }: ApiContext): HandlersOf<Pick<typeof ROUTES, Names>> {
  return {
    submitJob: ({ body, identity }) => farm.submit(body, identity),
    submitStages: async ({ body, identity }) => ({ jobs: await farm.submitStages(body, identity) }),
    listJobs: ({ query: { state, owner, search, ...page } }) =>
      farm.listJobs({
        ...page,
        ...(state === undefined ? {} : { states: state }),
        ...(owner === undefined ? {} : { owner }),
        ...(search === undefined ? {} : { search }),
      }),
    getJob: ({ params }) => farm.job(params.job),
    updateJob: ({ params, body, identity }) => farm.update(params.job, body, identity),
    removeJob: async ({ params, identity }) => {
      await farm.removeJob(params.job, identity);
      return { ok: true };
    },
    cancelJob: ({ params, identity }) => farm.cancel(params.job, undefined, identity),
    retryJob: ({ params, identity }) => farm.retry(params.job, identity),
    explainJob: ({ params }) => farm.explain(params.job),
    listTasks: ({ params, query: { limit, offset, state } }) => farm.tasks(params.job, { limit, offset, states: state }),
    getTask: ({ params }) => farm.task(params.job, params.index),
    cancelTask: ({ params, identity }) => farm.cancel(params.job, params.index, identity),
  };
}
