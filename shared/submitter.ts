import { type ErrorValue, LanyardError } from './errors.ts';
import type { JobId } from './ids.ts';
import type { JobSpecInput } from './job.ts';
import { LIMITS } from './limits.ts';

/** What became of one job of `POST /api/jobs/batch`. */
export type SubmissionResult = { readonly job: number } | { readonly error: ErrorValue };

export interface SubmitterOptions {
  /** Sends jobs, each as JSON, in one request. @returns what became of each, in their order */
  readonly send: (jobs: readonly string[]) => Promise<readonly SubmissionResult[]>;
  /** Calls back when what runs now has run to its end, and whoever it lets go on: `process.nextTick`, where there is one. */
  readonly soon: (callback: () => void) => void;
}

/** Requests that are under way; jobs that come meanwhile gather for the next. */
const REQUESTS = 4;
/** A UTF-16 unit takes at most three bytes of UTF-8, so that nothing needs to be counted. */
const REQUEST_LENGTH = LIMITS.requestBytes / 3;

interface Waiting {
  readonly text: string;
  readonly resolve: (job: JobId) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Submits jobs one by one, and lets those that come in one go share a request, and with it one write to the
 * coordinator's disk. Each promise is about its own job: one that is refused says nothing of the others.
 * @returns a function that resolves with the job's id once the job is on the coordinator's disk; rejects with a `LanyardError`
 */
export function createSubmitter({ send, soon }: SubmitterOptions): (spec: JobSpecInput) => Promise<JobId> {
  let waiting: Waiting[] = [];
  let requests = 0;
  let isPlanned = false;

  const flush = () => {
    isPlanned = false;
    while (waiting.length > 0 && requests < REQUESTS) {
      const jobs = takeRequest(waiting);
      waiting = waiting.slice(jobs.length);
      requests += 1;
      void request(jobs).finally(() => {
        requests -= 1;
        if (waiting.length > 0) plan();
      });
    }
  };
  const plan = () => {
    if (isPlanned) return;
    isPlanned = true;
    soon(flush);
  };
  const request = async (jobs: readonly Waiting[]) => {
    try {
      const results = await send(jobs.map(({ text }) => text));
      for (const [position, job] of jobs.entries()) settle(job, results[position]);
    } catch (error) {
      for (const { reject } of jobs) reject(error);
    }
  };

  return (spec) =>
    new Promise((resolve, reject) => {
      waiting.push({ text: JSON.stringify(spec), resolve, reject });
      plan();
    });
}

/** @returns the first of those that wait: as many as one request may carry, and at least one */
function takeRequest(waiting: readonly Waiting[]): Waiting[] {
  let length = 0;
  const end = waiting.findIndex(({ text }, position) => {
    length += text.length + 1;
    return position === LIMITS.jobsPerRequest || (position > 0 && length > REQUEST_LENGTH);
  });
  return waiting.slice(0, end < 0 ? waiting.length : end);
}

function settle({ resolve, reject }: Waiting, result: SubmissionResult | undefined): void {
  if (result === undefined) reject(new LanyardError({ code: 'INTERNAL', message: 'the coordinator did not say what became of the job' }));
  else if ('error' in result) reject(new LanyardError(result.error));
  else resolve(result.job as JobId);
}
