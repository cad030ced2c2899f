import { type CanaryRun, canaryTasks } from '../../shared/canary.ts';
import type { JobId } from '../../shared/ids.ts';
import type { JobRow, JobSpec, TaskRow } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import { oncePerRun } from '../../shared/once-per-run.ts';
import type { CoordinatorSettings } from '../../shared/settings.ts';
import type { FarmConfig } from '../core/config.ts';
import { RUNS_RECOVERED } from '../core/estimates.ts';
import type { CoordinatorEvent, Dependency, JobPolicy, NewJob, StoredJob, Until } from '../core/events.ts';
import type { Store, StoredSpec } from '../ports/store.ts';
import { resolvedImage } from './catalog.ts';

/** From what is stored to what the core works with: rows -> state. */

export function farmConfig(settings: CoordinatorSettings): FarmConfig {
  const {
    limits,
    preemptGraceMs,
    fairShareHalfLifeMs,
    ownerWeights,
    ownerTasks,
    offlineAfterMs,
    connectionGraceMs,
    assignTimeoutMs,
    timeoutSlackMs,
    cooldownMs,
    cooldownMaxMs,
  } = settings;
  return {
    offlineAfterMs,
    connectionGraceMs,
    assignTimeoutMs,
    timeoutSlackMs,
    cooldownMs,
    cooldownMaxMs,
    turnPlacements: LIMITS.turnPlacements,
    limits,
    preemptGraceMs,
    fairShareHalfLifeMs,
    ownerWeights,
    ownerTasks,
  };
}

export function newJob(
  id: JobId,
  owner: string,
  spec: JobSpec,
  taskCount: number,
  inputReady: boolean,
  after: readonly Dependency[],
): NewJob {
  const { priority, input = null, canary = null } = spec;
  return { id, owner, policy: policy(spec), taskCount, priority, input, inputReady, after, canary };
}

export function storedJob(
  row: JobRow,
  stored: StoredSpec,
  tasks: readonly TaskRow[],
  after: readonly Dependency[],
  store: Store,
): StoredJob {
  return {
    row,
    owner: stored.owner,
    policy: policy(stored.spec),
    input: stored.spec.input ?? null,
    inputReady: !awaitsInput(row, stored),
    after,
    canary: undecidedCanary(row, stored, tasks, store),
    tasks,
    runs: row.taskCount > 1 && tasks.some(({ state }) => state === 'COMPLETED') ? store.runs(row.id, RUNS_RECOVERED) : [],
  };
}

/** A canary on which nothing is decided goes on where it was: what its complete tasks have used is read from their attempts. */
function undecidedCanary(
  { id, taskCount }: JobRow,
  { spec, decision }: StoredSpec,
  tasks: readonly TaskRow[],
  store: Store,
): StoredJob['canary'] {
  if (spec.canary === undefined || decision !== undefined) return null;
  const first = new Set(canaryTasks(taskCount));
  const complete = tasks.filter(({ index, state }) => first.has(index) && state === 'COMPLETED');
  const attempts = complete.flatMap(({ index }) => store.attempts(id, index).filter(({ reason }) => reason === 'completed'));
  const runs = attempts.map(({ index, ranForMs, cpuMs, peakRamMb }): CanaryRun => ({ index, ranForMs: ranForMs ?? 0, cpuMs, peakRamMb }));
  return { ...spec.canary, runs };
}

/** A job that waits for its input has no dependencies (`submitAwaitingInput` sees to that), so nothing else can keep it SUBMITTED. */
export function awaitsInput(row: JobRow, stored: StoredSpec): boolean {
  return row.state === 'SUBMITTED' && stored.spec.after.length === 0 && stored.spec.afterAny.length === 0;
}

/**
 * @param ended the state of a job that has ended; null while it lives
 * @returns all that a job waits for. Costs a look at the tasks of each job in `afterTasks`
 */
export function dependenciesOf(spec: JobSpec, ended: (job: JobId) => JobRow['state'] | null, store: Store): Dependency[] {
  const whole = (jobs: readonly JobId[], until: Until) => jobs.map((job): Dependency => ({ job, until, ended: ended(job) }));
  const byTask = spec.afterTasks.map(
    (job): Dependency => ({ job, until: 'tasks', ended: ended(job), completed: completedTasks(store, job) }),
  );
  return [...whole(spec.after, 'complete'), ...whole(spec.afterAny, 'ended'), ...byTask];
}

function completedTasks(store: Store, job: JobId): number[] {
  return store.tasks(job, { fromIndex: 0, limit: LIMITS.gatedTasks, states: ['COMPLETED'] }).map(({ index }) => index);
}

/** The event that every start begins with. */
export function recoveredEvent(loaded: ReturnType<Store['load']>, store: Store): CoordinatorEvent {
  const live = new Set(loaded.jobs.map(({ row }) => row.id));
  // A job that waits may wait for jobs that have ended since, or were removed.
  const ended = (job: JobId) => (live.has(job) ? null : (store.job(job)?.row.state ?? 'COMPLETED'));
  const jobs = loaded.jobs.map(({ row, stored, tasks }) => {
    const after = dependenciesOf(stored.spec, ended, store);
    // One that does not wait as a whole any more only asks for its tasks.
    return storedJob(row, stored, tasks, row.state === 'SUBMITTED' ? after : after.filter(({ until }) => until === 'tasks'), store);
  });
  return { type: 'recovered', jobs, nodes: loaded.nodes, owners: loaded.owners };
}

const policy = oncePerRun((spec: JobSpec): JobPolicy => {
  const { requirements, network, timeoutMs, maxRetries, preemptible, maxTasks = null, stopAfterFailures } = spec;
  return { requirements, image: resolvedImage(spec), network, timeoutMs, maxRetries, preemptible, maxTasks, stopAfterFailures };
});
