import type { JobPolicy } from './events.ts';
import { openTasks } from './rows.ts';
import type { Bucket, Demand, FarmState, Job, QueueClass, SharedPolicy } from './state.ts';

/**
 * The queue: by requirement class, inside by priority, inside in the order of job ids.
 *
 * A bucket is a list that only grows at its end and is read from its front, beside a second, short one for jobs that
 * come back. A job that leaves is only marked (`Job.bucket`); its entry goes when it comes to the front, or when more
 * than half of a bucket is such entries. So every operation is O(1) or, for a job that comes back, a binary search.
 */

/** Classes and policies without jobs are kept up to here, for the next job like them. */
const KEPT_CLASSES = 128;
/** Gone entries that are not worth tidying. */
const STALE_ENTRIES = 64;

/** @returns the shared form of a policy, with one more job that uses it; a new class has not met the nodes yet (`isNew`) */
export function sharePolicy(farm: FarmState, policy: JobPolicy): { readonly shared: SharedPolicy; readonly isNew: boolean } {
  const classKey = keyOfClass(policy);
  const key = JSON.stringify([classKey, policy.image, policy.timeoutMs, policy.maxRetries, policy.preemptible]);
  let shared = farm.policies.get(key);
  let isNew = false;
  if (shared === undefined) {
    let queueClass = farm.classes.get(classKey);
    isNew = queueClass === undefined;
    queueClass ??= createClass(farm, classKey, policy);
    shared = { key, policy, queueClass, jobs: 0 };
    farm.policies.set(key, shared);
  }
  shared.jobs++;
  shared.queueClass.jobs++;
  return { shared, isNew };
}

/** One job less uses the policy. */
export function unsharePolicy(farm: FarmState, shared: SharedPolicy): void {
  shared.jobs--;
  shared.queueClass.jobs--;
  if (shared.jobs === 0 && farm.policies.size > KEPT_CLASSES) farm.policies.delete(shared.key);
  if (shared.queueClass.jobs === 0 && farm.classes.size > KEPT_CLASSES) removeClass(farm, shared.queueClass);
}

/** Puts the job where it belongs now: into its bucket, or out of the queue. Marks its class when there may be more to place. */
export function updateQueue(farm: FarmState, job: Job): void {
  const queueClass = job.shared.queueClass;
  if (!belongsInQueue(job)) {
    leaveQueue(job);
    return;
  }
  if (queueClass.parked.has(job)) return;
  if (job.bucket?.priority !== job.priority) {
    leaveQueue(job);
    enter(bucketOf(queueClass, job.priority), job);
  }
  farm.dirtyClasses.add(queueClass);
}

/** @returns true when the job has tasks that may be placed */
export function belongsInQueue(job: Job): boolean {
  return job.state !== 'SUBMITTED' && !job.held && openTasks(job) > 0;
}

/** Takes the job out of the queue, whatever it has waiting. */
export function leaveQueue(job: Job): void {
  job.shared.queueClass.parked.delete(job);
  const bucket = job.bucket;
  if (bucket === null) return;
  job.bucket = null;
  bucket.live--;
  const entries = bucket.jobs.length - bucket.first + bucket.returned.length;
  if (bucket.live === 0) clear(bucket);
  else if (entries > 2 * bucket.live + STALE_ENTRIES) tidy(bucket);
}

/** Sets the job apart: no node that is there can serve it. */
export function park(job: Job): void {
  leaveQueue(job);
  job.shared.queueClass.parked.add(job);
}

/** Gives the parked jobs of a class another chance. */
export function unpark(farm: FarmState, queueClass: QueueClass): void {
  if (queueClass.parked.size === 0) return;
  const jobs = [...queueClass.parked];
  queueClass.parked.clear();
  for (const job of jobs) updateQueue(farm, job);
}

export function hasWaiting(queueClass: QueueClass): boolean {
  for (const bucket of queueClass.buckets) if (bucket.live > 0) return true;
  return false;
}

/** @returns the job that is next in its class */
export function headOf(queueClass: QueueClass): Job | undefined {
  for (const bucket of queueClass.buckets) {
    if (bucket.live === 0) continue;
    while (bucket.first < bucket.jobs.length && bucket.jobs[bucket.first]?.bucket !== bucket) dropFirst(bucket);
    while (bucket.returned.length > 0 && bucket.returned.at(-1)?.bucket !== bucket) bucket.returned.pop();
    const first = bucket.jobs[bucket.first] ?? undefined;
    const returned = bucket.returned.at(-1);
    if (first === undefined) return returned;
    return returned === undefined || first.id < returned.id ? first : returned;
  }
  return undefined;
}

/** @returns up to `count` jobs in the order of the queue */
export function firstJobs(queueClass: QueueClass, count: number): Job[] {
  const found: Job[] = [];
  for (const bucket of queueClass.buckets) {
    let next = bucket.first;
    let back = bucket.returned.length - 1;
    while (bucket.live > 0 && found.length < count && (next < bucket.jobs.length || back >= 0)) {
      const first = bucket.jobs[next] ?? undefined;
      const returned = bucket.returned[back];
      const takeFirst = returned === undefined || (first !== undefined && first.id < returned.id);
      const job = takeFirst ? first : returned;
      if (takeFirst) next++;
      else back--;
      if (job?.bucket === bucket) found.push(job);
    }
  }
  return found;
}

/** Higher priority goes first, then the older job. */
export function goesBefore(job: Job, other: Job): boolean {
  return job.priority === other.priority ? job.id < other.id : job.priority > other.priority;
}

function bucketOf(queueClass: QueueClass, priority: number): Bucket {
  const buckets = queueClass.buckets;
  let at = 0;
  while (at < buckets.length && (buckets[at] as Bucket).priority > priority) at++;
  const found = buckets[at];
  if (found?.priority === priority) return found;
  const bucket: Bucket = { priority, queueClass, jobs: [], first: 0, returned: [], live: 0 };
  buckets.splice(at, 0, bucket);
  return bucket;
}

function enter(bucket: Bucket, job: Job): void {
  job.bucket = bucket;
  bucket.live++;
  const last = bucket.jobs.length > bucket.first ? bucket.jobs.at(-1) : null;
  if (last === null || last === undefined || last.id < job.id) {
    bucket.jobs.push(job);
    return;
  }
  if (hasEntry(bucket, job)) return;
  const at = firstWhere(0, bucket.returned.length, (index) => (bucket.returned[index] as Job).id <= job.id);
  if (bucket.returned[at] !== job) bucket.returned.splice(at, 0, job);
}

/** @returns true when the list still has an entry of the job, from before it left */
function hasEntry(bucket: Bucket, job: Job): boolean {
  const at = firstWhere(bucket.first, bucket.jobs.length, (index) => (bucket.jobs[index] as Job).id >= job.id);
  return bucket.jobs[at] === job;
}

/** @returns the first index in [low, high) for which `test` holds, else `high`; once true it stays true */
function firstWhere(low: number, high: number, test: (index: number) => boolean): number {
  let from = low;
  let to = high;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (test(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}

function dropFirst(bucket: Bucket): void {
  bucket.jobs[bucket.first] = null;
  bucket.first++;
  if (bucket.first < STALE_ENTRIES || bucket.first * 2 < bucket.jobs.length) return;
  bucket.jobs.splice(0, bucket.first);
  bucket.first = 0;
}

function clear(bucket: Bucket): void {
  if (bucket.jobs.length > 0) bucket.jobs = [];
  if (bucket.returned.length > 0) bucket.returned = [];
  bucket.first = 0;
}

function tidy(bucket: Bucket): void {
  bucket.jobs = bucket.jobs.filter((job) => job?.bucket === bucket);
  bucket.first = 0;
  bucket.returned = bucket.returned.filter((job) => job.bucket === bucket);
}

/** Equal needs give equal keys, in whatever order labels and limits are named. */
function keyOfClass(policy: JobPolicy): string {
  const needs = policy.requirements;
  const limits = Object.entries(needs.limits).sort(([name], [other]) => (name < other ? -1 : 1));
  return JSON.stringify([
    demandCpuMilli(needs.cpu),
    needs.ramMb,
    needs.diskMb,
    needs.gpus,
    needs.gpus > 0 ? needs.gpuRamMb : 0,
    needs.gpus > 0 ? (needs.gpuModel?.toLowerCase() ?? '') : '',
    needs.labels.length > 1 ? [...needs.labels].sort() : needs.labels,
    needs.zone ?? null,
    limits,
    policy.image === null,
    policy.network,
  ]);
}

/** Rounded up; the small term keeps 0.1 + 0.2 from costing one more thousandth. */
function demandCpuMilli(cpu: number): number {
  return Math.ceil(cpu * 1000 - 1e-6);
}

function createClass(farm: FarmState, key: string, policy: JobPolicy): QueueClass {
  const queueClass: QueueClass = {
    key,
    ordinal: farm.freeOrdinals.pop() ?? farm.classes.size,
    policy,
    demand: demandOf(farm, policy),
    executor: policy.image === null ? 'host' : 'docker',
    buckets: [],
    open: [],
    cursor: 0,
    parked: new Set(),
    jobs: 0,
  };
  farm.classes.set(key, queueClass);
  for (const { limit } of queueClass.demand.limits) limit.classes.add(queueClass);
  return queueClass;
}

function demandOf(farm: FarmState, policy: JobPolicy): Demand {
  const needs = policy.requirements;
  const limits = Object.entries(needs.limits).map(([name, amount]) => {
    let limit = farm.limits.get(name);
    if (limit === undefined) {
      limit = { name, capacity: 0, used: 0, classes: new Set() };
      farm.limits.set(name, limit);
    }
    return { limit, amount };
  });
  const [gpuRamMb, gpuModel] = needs.gpus > 0 ? [needs.gpuRamMb, needs.gpuModel?.toLowerCase() ?? ''] : [0, ''];
  return { cpuMilli: demandCpuMilli(needs.cpu), ramMb: needs.ramMb, diskMb: needs.diskMb, gpus: needs.gpus, gpuRamMb, gpuModel, limits };
}

function removeClass(farm: FarmState, queueClass: QueueClass): void {
  farm.classes.delete(queueClass.key);
  farm.dirtyClasses.delete(queueClass);
  farm.freeOrdinals.push(queueClass.ordinal);
  for (const node of farm.nodes.values()) if (queueClass.ordinal < node.fit.length) node.fit[queueClass.ordinal] = 0;
  for (const { limit } of queueClass.demand.limits) {
    limit.classes.delete(queueClass);
    if (limit.classes.size === 0 && limit.used === 0 && limit.capacity === 0) farm.limits.delete(limit.name);
  }
  for (const shared of farm.policies.values()) if (shared.queueClass === queueClass) farm.policies.delete(shared.key);
}
