import { isExpressionError, type LabelExpression, parseLabelExpression } from '../../shared/label-expression.ts';
import { oncePerRun } from '../../shared/once-per-run.ts';
import { dropEarmarks } from './earmarks.ts';
import type { JobPolicy } from './events.ts';
import { costOf } from './fairness.ts';
import type { Demand, QueueClass, SharedPolicy } from './model.ts';
import type { FarmState } from './state.ts';

/** What jobs need, shared among those that need the same: policies, and the classes of the queue. */

/** Classes and policies without jobs are kept up to here, for the next job like them. */
const KEPT_CLASSES = 128;

/** @returns the shared form of a policy, with one more job that uses it; a new class has not met the nodes yet (`isNew`) */
export function sharePolicy(farm: FarmState, policy: JobPolicy): { readonly shared: SharedPolicy; readonly isNew: boolean } {
  const { classKey, key } = keysOf(policy);
  let shared = farm.policies.get(key);
  let isNew = false;
  if (shared === undefined) {
    let queueClass = farm.classes.get(classKey);
    isNew = queueClass === undefined;
    queueClass ??= createClass(farm, classKey, policy);
    shared = { key, policy, queueClass, prefer: (policy.requirements.prefer ?? []).map(parsed), jobs: 0 };
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

const keysOf = oncePerRun((policy: JobPolicy): { readonly classKey: string; readonly key: string } => {
  const classKey = keyOfClass(policy);
  const key = JSON.stringify([
    classKey,
    policy.image,
    policy.timeoutMs,
    policy.maxRetries,
    policy.preemptible,
    policy.maxTasks,
    policy.stopAfterFailures,
    policy.requirements.prefer ?? null,
    policy.requirements.zones ?? null,
  ]);
  return { classKey, key };
});

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
    needs.where ?? null,
    needs.exclusive ?? false,
    limits,
    policy.image === null,
    policy.network,
  ]);
}

/** Rounded up; the small term keeps 0.1 + 0.2 from costing one more thousandth. */
function demandCpuMilli(cpu: number): number {
  return Math.ceil(cpu * 1000 - 1e-6);
}

/** Expressions were checked when the job was submitted. */
function parsed(text: string): LabelExpression {
  const result = parseLabelExpression(text);
  if (isExpressionError(result)) throw new Error(result.message);
  return result;
}

function createClass(farm: FarmState, key: string, policy: JobPolicy): QueueClass {
  const queueClass: QueueClass = {
    key,
    policy,
    demand: demandOf(farm, policy),
    executor: policy.image === null ? 'host' : 'docker',
    where: policy.requirements.where === undefined ? null : parsed(policy.requirements.where),
    buckets: [],
    fit: new Uint8Array(16),
    open: [],
    cursor: 0,
    parked: new Set(),
    waitingSinceMs: farm.now.elapsedMs,
    earmarks: new Set(),
    jobs: 0,
    isDirty: false,
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
  const { ramMb, diskMb, gpus } = needs;
  return {
    cpuMilli: demandCpuMilli(needs.cpu),
    ramMb,
    diskMb,
    gpus,
    gpuRamMb,
    gpuModel,
    limits,
    exclusive: needs.exclusive ?? false,
    cost: costOf(needs),
  };
}

function removeClass(farm: FarmState, queueClass: QueueClass): void {
  farm.classes.delete(queueClass.key);
  dropEarmarks(farm, queueClass);
  if (queueClass.isDirty) farm.dirtyClasses.splice(farm.dirtyClasses.indexOf(queueClass), 1);
  for (const { limit } of queueClass.demand.limits) {
    limit.classes.delete(queueClass);
    if (limit.classes.size === 0 && limit.used === 0 && limit.capacity === 0) farm.limits.delete(limit.name);
  }
  for (const shared of farm.policies.values()) if (shared.queueClass === queueClass) farm.policies.delete(shared.key);
}
