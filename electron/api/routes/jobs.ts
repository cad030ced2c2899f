import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { ROUTES } from '../../../shared/api.ts';
import { invalid, LanyardError } from '../../../shared/errors.ts';
import type { JobId } from '../../../shared/ids.ts';
import type { Identity } from '../../ports/trust.ts';
import { assertOwn } from '../auth.ts';
import type { ApiContext } from '../context.ts';
import { errorValueOf } from '../errors.ts';
import { withLog } from '../evidence.ts';
import { answerLines } from '../line-answers.ts';
import type { HandlersOf } from '../route-types.ts';

type Names =
  | 'submitJob'
  | 'submitJobs'
  | 'submitStream'
  | 'submitStages'
  | 'listJobs'
  | 'getJob'
  | 'updateJob'
  | 'removeJob'
  | 'cancelJob'
  | 'retryJob'
  | 'approveCanary'
  | 'explainJob'
  | 'explainTask'
  | 'listTasks'
  | 'getTask'
  | 'cancelTask';

const { body: batchSchema } = ROUTES.submitJobs;

export function jobHandlers({ farm, logs, membership, gate, logger, parseSpec }: ApiContext): HandlersOf<Pick<typeof ROUTES, Names>> {
  /** @throws LanyardError NOT_FOUND, or FORBIDDEN for a job of somebody else */
  const own = (job: JobId, identity: Identity) => assertOwn(identity, farm.job(job));
  const cancel = (job: JobId, index: number | undefined, identity: Identity) => {
    own(job, identity);
    membership.record('job-cancelled', identity.subject, { target: String(job) });
    return farm.cancel(job, index, identity);
  };
  const submitAll = async ({ jobs }: z.output<typeof batchSchema>, identity: Identity) => {
    const parsed = jobs.map(parseSpec);
    const submitted = await farm.submitAll(
      parsed.flatMap(({ data }) => (data === undefined ? [] : [data])),
      identity,
    );
    const taken = submitted.filter((one) => typeof one === 'number');
    if (taken.length > 0) membership.record('job-submitted', identity.subject, { target: rangesOf(taken), detail: `${taken.length} jobs` });
    let next = 0;
    const results = parsed.map(({ error }) => {
      const one = error === undefined ? submitted[next++] : invalid(error, 'the job');
      return typeof one === 'number' ? { job: one } : { error: (one as LanyardError).toValue() };
    });
    return { results };
  };
  const submitLine = async (line: string, request: FastifyRequest, identity: Identity) => {
    try {
      const { data, error } = batchSchema.safeParse(parseLine(line));
      if (data === undefined) throw invalid(error, 'the line');
      return await gate.through(() => submitAll(data, identity));
    } catch (error) {
      return { error: errorValueOf(logger, error, request) };
    }
  };
  return {
    async submitJob({ body, identity }) {
      const job = await farm.submit(body, identity);
      membership.record('job-submitted', identity.subject, { target: String(job.id), detail: job.name });
      return job;
    },
    submitJobs: ({ body, identity }) => submitAll(body, identity),
    submitStream: ({ request, identity }) => ({
      headers: { 'content-type': 'application/x-ndjson' },
      body: answerLines((request.body as Readable | undefined) ?? Readable.from([]), (line) => submitLine(line, request, identity)),
      live: true,
    }),
    async submitStages({ body, identity }) {
      const jobs = await farm.submitStages(body, identity);
      for (const { id, name } of jobs) membership.record('job-submitted', identity.subject, { target: String(id), detail: name });
      return { jobs };
    },
    listJobs: ({ query: { state, owner, search, ...page } }) =>
      farm.listJobs({
        ...page,
        ...(state === undefined ? {} : { states: state }),
        ...(owner === undefined ? {} : { owner }),
        ...(search === undefined ? {} : { search }),
      }),
    getJob: ({ params }) => farm.job(params.job),
    updateJob({ params, body, identity }) {
      own(params.job, identity);
      return farm.update(params.job, body, identity);
    },
    removeJob: async ({ params, identity }) => {
      own(params.job, identity);
      await farm.removeJob(params.job, identity);
      return { ok: true };
    },
    cancelJob: ({ params, identity }) => cancel(params.job, undefined, identity),
    retryJob({ params, identity }) {
      own(params.job, identity);
      return farm.retry(params.job, identity);
    },
    approveCanary({ params, body, identity }) {
      own(params.job, identity);
      return farm.approveCanary(params.job, body, identity);
    },
    explainJob: ({ params, signal }) => withLog(logs, farm.explain(params.job), signal),
    explainTask: ({ params, signal }) => withLog(logs, farm.explain(params.job, params.index), signal),
    listTasks: ({ params, query: { limit, offset, state } }) => farm.tasks(params.job, { limit, offset, states: state }),
    getTask: ({ params }) => farm.task(params.job, params.index),
    cancelTask: ({ params, identity }) => cancel(params.job, params.index, identity),
  };
}

/** The schemas see to it that no `__proto__` in it gets further. */
function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new LanyardError({ code: 'INVALID', message: 'the line is not JSON' });
  }
}

/** @returns ascending ids in short, such as `12-75, 77` */
function rangesOf(jobs: readonly JobId[]): string {
  const ranges: { first: number; last: number }[] = [];
  for (const job of jobs) {
    const newest = ranges.at(-1);
    if (newest !== undefined && newest.last + 1 === job) newest.last = job;
    else ranges.push({ first: job, last: job });
  }
  return ranges.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`)).join(', ');
}
