import type { JobId } from '../../shared/ids.ts';
import type { JobRow, JobSpec, TaskRow } from '../../shared/job.ts';
import type { CoordinatorSettings } from '../../shared/settings.ts';
import type { CoordinatorEvent, Dependency, JobPolicy, NewJob, StoredJob } from '../core/events.ts';
import type { FarmConfig } from '../core/state.ts';
import type { Store, StoredSpec } from '../ports.ts';
import { resolvedImage } from './catalog.ts';

/** From what is stored to what the core works with: rows -> state. */

export function farmConfig(settings: CoordinatorSettings): FarmConfig {
  const { limits, offlineAfterMs, connectionGraceMs, assignTimeoutMs, timeoutSlackMs, cooldownMs, cooldownMaxMs } = settings;
  return {
    offlineAfterMs,
    connectionGraceMs,
    assignTimeoutMs,
    timeoutSlackMs,
    cooldownMs,
    cooldownMaxMs,
    limits,
  };
}

export function newJob(id: JobId, spec: JobSpec, taskCount: number, inputReady: boolean, after: readonly Dependency[]): NewJob {
  return { id, policy: policy(spec), taskCount, priority: spec.priority, input: spec.input ?? null, inputReady, after };
}

export function storedJob(row: JobRow, stored: StoredSpec, tasks: readonly TaskRow[], after: readonly Dependency[]): StoredJob {
  return { row, policy: policy(stored.spec), input: stored.spec.input ?? null, inputReady: !awaitsInput(row, stored), after, tasks };
}

/** A job that waits for its input has no dependencies (`submitAwaitingInput` sees to that), so nothing else can keep it SUBMITTED. */
export function awaitsInput(row: JobRow, stored: StoredSpec): boolean {
  return row.state === 'SUBMITTED' && stored.spec.after.length === 0;
}

/** The event that every start begins with. */
export function recoveredEvent(
  loaded: ReturnType<Store['load']>,
  endedState: (job: JobId) => JobRow['state'] | undefined,
): CoordinatorEvent {
  const live = new Set(loaded.jobs.map(({ row }) => row.id));
  const jobs = loaded.jobs.map(({ row, stored, tasks }) =>
    storedJob(
      row,
      stored,
      tasks,
      // A job that waits may wait for jobs that have ended since; one that does not wait any more does not ask.
      row.state === 'SUBMITTED'
        ? stored.spec.after.map((job) => ({ job, ended: live.has(job) ? null : (endedState(job) ?? 'COMPLETED') }))
        : [],
    ),
  );
  return { type: 'recovered', jobs, nodes: loaded.nodes };
}

function policy(spec: JobSpec): JobPolicy {
  const { requirements, network, timeoutMs, maxRetries, preemptible } = spec;
  return { requirements, image: resolvedImage(spec), network, timeoutMs, maxRetries, preemptible };
}
