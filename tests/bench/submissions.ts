import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type Bench, comparedRow, valueRow } from './bench.ts';
import { type BullFarm, startBullFarm } from './bullmq.ts';
import { AT_ONCE, type BenchFarm, NO_OP, startBenchFarm } from './farm.ts';
import { compareWarm, median } from './statistics.ts';

/** Submissions that have no answer yet. */
const IN_FLIGHT = 64;

/**
 * Jobs of one task, submitted one by one and run, against jobs that are added to BullMQ one by one and run. Both clients send what
 * waits together; beside it, the same by plain HTTP requests, one for each job.
 */
export const submissions: Bench = {
  name: 'submissions',
  async run({ folder, quick, rounds }) {
    const jobs = quick ? 4_000 : 20_000;
    const farm = await startBenchFarm({ folder, worker: { maxParallel: AT_ONCE } });
    const bull = await startBullFarm(folder, AT_ONCE);
    try {
      const ours = () => ourJobsPerSecond(farm, jobs, () => farm.client.submit(NO_OP));
      const theirs = () => theirJobsPerSecond(bull, jobs);
      const compared = await compareWarm(rounds, ours, theirs);
      const plain: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const submit = createSubmitter(farm);
        plain.push(await ourJobsPerSecond(farm, jobs, submit));
        submit.close();
      }
      return [
        comparedRow(`single submissions, ${IN_FLIGHT} in flight`, 'jobs/s', compared, { least: 2.5 }),
        valueRow('the same, each a request of its own', 'jobs/s', median(plain), null),
      ];
    } finally {
      await farm.close();
      await bull.close();
    }
  },
};

/** From the first submission until every job has ended; live jobs are counted, and in the end those that ended, on disk. */
async function ourJobsPerSecond(farm: BenchFarm, jobs: number, submit: () => Promise<unknown>): Promise<number> {
  const completed = async () => (await farm.client.call('listJobs', { query: { state: ['COMPLETED'], limit: 1 } })).total;
  const before = await completed();
  const begin = performance.now();
  await inFlight(jobs, submit);
  while ((await liveJobs(farm)) > 0) await pause(2);
  const seconds = (performance.now() - begin) / 1_000;
  // The farm knows of the last ends a turn before the disk does. To count them is the bench's own work.
  const lateMs = performance.now() + 1_000;
  let ended = 0;
  while (ended < jobs && performance.now() < lateMs) ended = (await completed()) - before;
  if (ended !== jobs) throw new Error(`${ended} of ${jobs} jobs are COMPLETED`);
  return jobs / seconds;
}

async function theirJobsPerSecond({ queue, worker }: BullFarm, jobs: number): Promise<number> {
  const completed = worker.ask({ type: 'completed', jobs });
  const begin = performance.now();
  await inFlight(jobs, () => queue.add('no-op', {}));
  await completed;
  const seconds = (performance.now() - begin) / 1_000;
  await queue.obliterate({ force: true });
  await queue.resume();
  return jobs / seconds;
}

async function inFlight(count: number, act: () => Promise<unknown>): Promise<void> {
  let left = count;
  const lane = async () => {
    while (left-- > 0) await act();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

async function liveJobs({ client }: BenchFarm): Promise<number> {
  const { jobs } = (await client.call('farm')).totals;
  return jobs.SUBMITTED + jobs.QUEUED + jobs.ASSIGNED + jobs.RUNNING;
}

/** A plain HTTP client that keeps its connections, as a client in any language would; `fetch` costs more than the coordinator. */
function createSubmitter({ url, token }: BenchFarm): { (): Promise<void>; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  const body = JSON.stringify(NO_OP);
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  const submit = () =>
    new Promise<void>((resolve, reject) => {
      const outgoing = request(`${url}/api/jobs`, { method: 'POST', agent, headers }, (answer) => {
        answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`))));
        answer.resume();
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  return Object.assign(submit, { close: () => agent.destroy() });
}
