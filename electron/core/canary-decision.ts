import type { CanaryDecision, CanaryProposal, SomeNeeds, TaskNeeds } from '../../shared/canary.ts';
import type { Canary } from './canary.ts';
import { proposeNeeds } from './canary-proposal.ts';
import { sharePolicy, unsharePolicy } from './classes.ts';
import { queueAgain } from './dependencies.ts';
import type { CoordinatorEvent, JobPolicy } from './events.ts';
import { misfits } from './leases.ts';
import { liveTasks } from './live-tasks.ts';
import type { Job } from './model.ts';
import { listWhenOpen } from './open-nodes.ts';
import { leaveQueue, updateQueue } from './queue.ts';
import { canaryEnded } from './rows.ts';
import { type FarmState, jobChanged } from './state.ts';

/** How a job goes on after its canary: by itself, or because a person approves. A canary that fails ends its job (`tasks.ts`). */

/** Lets those go on whose first tasks have all ended and that ask nobody; the others are told of, and wait. */
export function settleCanaries(farm: FarmState): void {
  // To clear a set makes a new table for it, empty or not; this is asked at every step.
  if (farm.canaries.size === 0) return;
  for (const job of farm.canaries) {
    const canary = job.activity?.canary;
    if (canary === null || canary === undefined || farm.jobs.get(job.id) !== job) continue;
    if (canary.plan.approval === 'automatic' && isAllEnded(job, canary))
      decide(farm, job, canary, proposalFor(farm, job, canary), {}, null);
  }
  farm.canaries.clear();
}

/** @returns what the rest of the job should ask for; undefined before all of its canary has ended, and when it has none */
export function proposalOf(farm: FarmState, job: Job): CanaryProposal | undefined {
  const canary = job.activity?.canary;
  if (canary === null || canary === undefined || !isAllEnded(job, canary)) return undefined;
  return proposalFor(farm, job, canary);
}

/** A person has looked at it: the rest goes on with what is proposed, but for what they say themselves. */
export function approveCanary(farm: FarmState, event: Extract<CoordinatorEvent, { type: 'approve-canary' }>): void {
  const job = farm.jobs.get(event.job);
  const canary = job?.activity?.canary;
  if (job === undefined || canary === null || canary === undefined || !isAllEnded(job, canary)) return;
  decide(farm, job, canary, proposalFor(farm, job, canary), event.needs, event.by);
}

function isAllEnded(job: Job, canary: Canary): boolean {
  return canaryEnded(job, canary) === canary.tasks.length;
}

function proposalFor(farm: FarmState, job: Job, canary: Canary): CanaryProposal {
  const { policy, queueClass } = job.shared;
  const able = [...farm.nodes.values()].filter((node) => misfits(node, queueClass).length === 0);
  const sizes = able.map((node) => ({ cpu: node.cpuMilli / 1_000, ramMb: node.description.capacity.ramMb }));
  return proposeNeeds(needsOf(policy), [...canary.runs.values()], canary.plan.least, sizes);
}

function decide(farm: FarmState, job: Job, canary: Canary, proposal: CanaryProposal, given: SomeNeeds, by: string | null): void {
  const { activity } = job;
  if (activity === null || liveTasks(job) > 0) throw new Error(`job ${job.id} has attempts beside its canary`);
  const decided: TaskNeeds = {
    cpu: given.cpu ?? proposal.needs.cpu,
    ramMb: given.ramMb ?? proposal.needs.ramMb,
    timeoutMs: given.timeoutMs ?? proposal.needs.timeoutMs,
  };
  const decision: CanaryDecision = { ...proposal, decided, by, at: farm.now.wallMs };
  farm.effects.push({ type: 'save-canary', job: job.id, decision });
  activity.canary = null;
  // Requeued tasks are taken from the end, so the lowest index goes there.
  for (const index of [...canary.returned].sort((one, other) => other - one)) queueAgain(activity, index);
  changePolicy(farm, job, withNeeds(job.shared.policy, decided));
  jobChanged(farm, job);
}

/** Nothing of the job may run meanwhile: what runs holds what the old policy asked for. */
function changePolicy(farm: FarmState, job: Job, policy: JobPolicy): void {
  leaveQueue(job);
  const before = job.shared;
  const { shared, isNew } = sharePolicy(farm, policy);
  if (isNew) for (const node of farm.nodes.values()) listWhenOpen(node, shared.queueClass);
  job.shared = shared;
  unsharePolicy(farm, before);
  updateQueue(farm, job);
}

function needsOf({ requirements: { cpu, ramMb }, timeoutMs }: JobPolicy): TaskNeeds {
  return { cpu, ramMb, timeoutMs };
}

function withNeeds(policy: JobPolicy, { cpu, ramMb, timeoutMs }: TaskNeeds): JobPolicy {
  return { ...policy, requirements: { ...policy.requirements, cpu, ramMb }, timeoutMs };
}
