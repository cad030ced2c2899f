import type { CoordinatorEvent, Move } from './events.ts';
import { standsBefore } from './lanes.ts';
import type { Job } from './model.ts';
import { moveInQueue } from './queue.ts';
import { rowOfJob } from './rows.ts';
import { type FarmState, jobChanged } from './state.ts';

/** A person gives a job another place among those of its owner and priority. */

type EventOf<Type extends CoordinatorEvent['type']> = Extract<CoordinatorEvent, { type: Type }>;

/** Moves a job among those of its owner and priority. Costs a look at all jobs: people do it now and then. */
export function moveJob(farm: FarmState, event: EventOf<'move'>): void {
  const job = farm.jobs.get(event.job);
  if (job === undefined) return;
  const position = positionFor(farm, job, event.to);
  if (position === undefined) return;
  moveInQueue(farm, job, position);
  farm.effects.push({ type: 'save-job', row: rowOfJob(job, null) });
  jobChanged(farm, job);
}

/** @returns undefined when the job stands there already, or the other job is none of its owner and priority */
function positionFor(farm: FarmState, job: Job, to: Move): number | undefined {
  const others = [...farm.jobs.values()].filter((other) => other !== job && other.owner === job.owner && other.priority === job.priority);
  others.sort((one, other) => (standsBefore(one, other) ? -1 : 1));
  const at = typeof to === 'object' ? others.findIndex(({ id }) => id === to.before) : to === 'first' ? 0 : others.length;
  const before = others[at - 1];
  const after = others[at];
  if (at < 0 || others.length === 0) return undefined;
  if (before === undefined) return (after?.position ?? 0) - 1;
  // Behind the last, and before whatever is submitted next.
  if (after === undefined) return (before.position + Math.max(before.position, farm.lastJob) + 1) / 2;
  const between = (before.position + after.position) / 2;
  if (before.position < between && between < after.position) return between;
  // No number is left between the two: those in front make room.
  for (const other of others.slice(0, at)) {
    moveInQueue(farm, other, other.position - 1);
    farm.effects.push({ type: 'save-job', row: rowOfJob(other, null) });
  }
  return (before.position + after.position) / 2;
}
