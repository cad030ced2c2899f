import { expect, test } from 'vitest';
import { LanyardError } from './errors.ts';
import type { JobSpecInput } from './job.ts';
import { LIMITS } from './limits.ts';
import { createSubmitter, type SubmissionResult } from './submitter.ts';

const job = (name: string): JobSpecInput => ({ name, command: 'true' });

/** A coordinator that answers when it is told to. */
function recorder() {
  const requests: { readonly names: string[]; answer(results: readonly SubmissionResult[]): void; fail(error: Error): void }[] = [];
  const planned: (() => void)[] = [];
  const submit = createSubmitter({
    send: (jobs) =>
      new Promise((resolve, reject) => {
        requests.push({ names: jobs.map((text) => JSON.parse(text).name), answer: resolve, fail: reject });
      }),
    soon: (callback) => planned.push(callback),
  });
  /** Ends the turn of the event loop. */
  const turn = async () => {
    await Promise.resolve();
    for (const callback of planned.splice(0)) callback();
  };
  return { submit, requests, turn };
}

test('jobs of one turn share a request, and each hears of itself', async () => {
  const { submit, requests, turn } = recorder();
  const [one, two, three] = [submit(job('one')), submit(job('two')), submit(job('three'))];
  expect(requests).toHaveLength(0);
  await turn();
  expect(requests.map(({ names }) => names)).toEqual([['one', 'two', 'three']]);
  requests[0]?.answer([{ job: 7 }, { error: { code: 'INVALID', message: 'no', field: 'command' } }, { job: 8 }]);
  expect(await Promise.allSettled([one, two, three])).toEqual([
    { status: 'fulfilled', value: 7 },
    { status: 'rejected', reason: expect.objectContaining({ code: 'INVALID', field: 'command' }) },
    { status: 'fulfilled', value: 8 },
  ]);
});

test('what fails as a whole fails for each of its jobs, and for no others', async () => {
  const { submit, requests, turn } = recorder();
  const first = Promise.allSettled([submit(job('a')), submit(job('b'))]);
  await turn();
  const second = submit(job('c'));
  await turn();
  requests[0]?.fail(new LanyardError({ code: 'DISK_FULL', message: 'full' }));
  requests[1]?.answer([{ job: 1 }]);
  expect((await first).map((one) => one.status === 'rejected' && one.reason.code)).toEqual(['DISK_FULL', 'DISK_FULL']);
  expect(await second).toBe(1);
  const short = submit(job('d'));
  await turn();
  await turn();
  requests[2]?.answer([]);
  await expect(short).rejects.toMatchObject({ code: 'INTERNAL' });
});

test('a request carries as many as it may, and few are under way at once: the others gather', async () => {
  const { submit, requests, turn } = recorder();
  const submitted = Array.from({ length: 6 * LIMITS.jobsPerRequest + 5 }, (_, index) => submit(job(String(index))));
  await turn();
  expect(requests.map(({ names }) => names.length)).toEqual(Array(4).fill(LIMITS.jobsPerRequest));
  let answered = 0;
  const answer = (request: (typeof requests)[number]) => request.answer(request.names.map((name) => ({ job: Number(name) + 1 })));
  while (answered < requests.length) {
    answer(requests[answered++] as (typeof requests)[number]);
    for (let hop = 0; hop < 10; hop++) await turn();
  }
  expect(await Promise.all(submitted)).toEqual(submitted.map((_, index) => index + 1));
  expect(requests.map(({ names }) => names.length)).toEqual([...Array(6).fill(LIMITS.jobsPerRequest), 5]);
});

test('large jobs are spread over requests that a coordinator takes', async () => {
  const { submit, requests, turn } = recorder();
  const large = (name: string): JobSpecInput => ({ name, command: Array.from({ length: 20 }, () => 'x'.repeat(LIMITS.commandLength)) });
  const submitted = ['a', 'b', 'c', 'd'].map((name) => submit(large(name)));
  await turn();
  expect(requests.map(({ names }) => names)).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
  for (const request of requests) request.answer(request.names.map(() => ({ job: 1 })));
  await Promise.all(submitted);
});
