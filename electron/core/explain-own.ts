import type { JobId } from '../../shared/ids.ts';
import type { Explanation } from '../../shared/view.ts';
import type { Job } from './model.ts';
import { canaryEnded, freshOfCanary, isFresh, openTasks, waitingTasks } from './rows.ts';

type Obstacle = Explanation['obstacles'][number];

/** What holds a job back by itself, whatever the nodes are at: a person, other jobs, its input, its canary. */
export function ownObstacles(job: Job): Obstacle[] {
  const obstacles: Obstacle[] = [];
  const waitsFor = [...(job.activity?.waitsFor ?? [])];
  const [completes, ends] = (['complete', 'ended'] as const).map((until) =>
    waitsFor.filter((one) => one[1] === until).map(([id]) => id),
  ) as [JobId[], JobId[]];
  if (job.held) obstacles.push(obstacle('held', 'it is held back by a person', 'release it'));
  if (completes.length > 0) obstacles.push(obstacle('dependencies', `it begins when ${jobsText(completes, 'is', 'are')} complete`, null));
  if (ends.length > 0) obstacles.push(obstacle('dependencies', `it begins when ${jobsText(ends, 'has', 'have')} ended`, null));
  if (job.state === 'SUBMITTED' && !job.inputReady) obstacles.push(obstacle('input', 'its input is still on its way', null));
  if (obstacles.length === 0 && openTasks(job) === 0) obstacles.push(...(canaryObstacles(job) ?? gateObstacles(job)));
  return obstacles;
}

/** @returns what a job waits for whose first tasks all run or have ended; undefined for every other */
export function canaryObstacles(job: Job): Obstacle[] | undefined {
  const canary = job.activity?.canary;
  if (canary === null || canary === undefined || freshOfCanary(job, canary).length > 0) return undefined;
  const ended = canaryEnded(job, canary);
  const all = canary.tasks.length;
  if (ended === all) {
    const message = 'its first tasks have ended, and it waits until somebody approves what the others are to ask for';
    return [obstacle('canary', message, `look at what came out (\`lanyard canary ${job.id}\`) and approve it, or cancel the job`)];
  }
  // Some of them wait for other jobs.
  if (canary.tasks.some((index) => isFresh(job, index))) return undefined;
  return [obstacle('canary', `it waits for the canary: ${ended} of ${all} of its first tasks have ended`, null)];
}

/** Nothing of it may go before something of another job has completed. */
function gateObstacles(job: Job): Obstacle[] {
  const jobs = (job.activity?.gate?.jobs ?? []).filter((id) => id !== undefined);
  const waiting = waitingTasks(job);
  if (jobs.length === 0 || waiting === 0) return [];
  const tasks =
    waiting === 1 ? 'its last waiting task waits for its counterpart' : `its ${waiting} waiting tasks wait for their counterparts`;
  return [obstacle('dependencies', `${tasks} in ${jobsText(jobs, '', '').trimEnd()}`, null)];
}

function jobsText(jobs: readonly JobId[], one: string, many: string): string {
  const named = jobs.slice(0, 5).join(', ') + (jobs.length > 5 ? ' and more' : '');
  return jobs.length === 1 ? `job ${named} ${one}` : `jobs ${named} ${many}`;
}

export function obstacle(constraint: string, message: string, helpText: string | null): Obstacle {
  return { constraint, message, help: helpText, nodes: 0 };
}
