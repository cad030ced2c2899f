import { canaryTasks } from '../../shared/canary.ts';
import { attemptId, type JobId, type NodeId, taskId } from '../../shared/ids.ts';
import type { AttemptRow, JobRow, TaskRow } from '../../shared/job.ts';
import type { AttemptView, JobDetail, JobView, NodeView, OutputView, TaskView } from '../../shared/view.ts';
import { attemptPhase, liveCanary, nodeRow, nodeSummary } from '../core/queries.ts';
import type { FarmState } from '../core/state.ts';
import type { StoredOutput, StoredSpec } from '../ports/store.ts';
import type { CatalogEntry } from './catalog.ts';

/** Rows of the store and the state of the core, made into what the API answers. */

/** @param live what only the core knows, of a job that has not ended */
export function jobView(row: JobRow, name: string, owner: string, live: Pick<JobView, 'eta' | 'canaryPhase'> = ENDED): JobView {
  const { restState: _rest, ...shown } = row;
  return { ...shown, name, owner, ...live };
}

const ENDED = { eta: null, canaryPhase: null };

/** @returns null for a job without a canary, or one so small that it has none */
export function canaryView({ id, taskCount }: JobRow, { spec, decision }: StoredSpec, farm: FarmState): JobDetail['canary'] {
  const tasks = canaryTasks(taskCount);
  if (spec.canary === undefined || tasks.length === 0) return null;
  const { approval } = spec.canary;
  const live = liveCanary(farm, id);
  if (live !== null) return { approval, tasks: [...tasks], ended: live.ended, proposal: live.proposal, decision: null };
  return { approval, tasks: [...tasks], ended: null, proposal: null, decision: decision ?? null };
}

/** @param row undefined for a task that never moved: it has the job's rest state */
export function taskView(farm: FarmState, job: JobRow, index: number, row: TaskRow | undefined, entry: CatalogEntry): TaskView {
  const parameters = entry.split.parameters(index);
  if (row === undefined)
    return {
      id: taskId(job.id, index),
      job: job.id,
      index,
      state: job.restState,
      attempt: 0,
      retriesUsed: 0,
      node: null,
      phase: null,
      assignedAt: null,
      startedAt: null,
      finishedAt: job.restState === 'CANCELLED' || job.restState === 'FAILED' ? job.finishedAt : null,
      exitCode: null,
      reason: null,
      message: null,
      parameters,
    };
  return {
    id: taskId(job.id, index),
    job: job.id,
    index,
    state: row.state,
    attempt: row.attempt,
    retriesUsed: row.retriesUsed,
    node: row.node,
    phase: attemptPhase(farm, job.id, index) ?? null,
    assignedAt: row.assignedAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    exitCode: row.exitCode,
    reason: row.reason,
    message: row.message,
    parameters,
  };
}

export function endedAttemptView(row: AttemptRow): AttemptView {
  return {
    id: attemptId(row.job, row.index, row.number),
    task: taskId(row.job, row.index),
    number: row.number,
    node: row.node,
    state: endedState(row),
    reason: row.reason,
    message: row.message,
    exitCode: row.exitCode,
    assignedAt: row.assignedAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    ranForMs: row.ranForMs,
    cpuMs: row.cpuMs,
    peakRamMb: row.peakRamMb,
  };
}

/** The attempt that a task is on now, which has no row of its own yet. */
export function liveAttemptView(task: TaskRow): AttemptView {
  return {
    id: attemptId(task.job, task.index, task.attempt),
    task: taskId(task.job, task.index),
    number: task.attempt,
    node: task.node ?? '',
    state: task.state,
    reason: null,
    message: null,
    exitCode: null,
    assignedAt: task.assignedAt ?? 0,
    startedAt: task.startedAt,
    finishedAt: null,
    ranForMs: null,
    cpuMs: null,
    peakRamMb: null,
  };
}

function endedState(row: AttemptRow): AttemptView['state'] {
  switch (row.reason) {
    case 'completed':
      return 'COMPLETED';
    case 'timeout':
      return 'TIMED_OUT';
    case 'exit':
    case 'out-of-memory':
    case 'output-missing':
    case 'input-refused':
      return 'FAILED';
    default:
      return 'CANCELLED';
  }
}

export function outputView(job: JobId, output: StoredOutput): OutputView {
  return { task: taskId(job, output.index), path: output.path, bytes: output.bytes, blob: output.blob };
}

/** @returns undefined for a node that the farm does not know */
export function nodeView(farm: FarmState, node: NodeId): NodeView | undefined {
  const row = nodeRow(farm, node);
  const summary = nodeSummary(farm, node);
  if (row === undefined || summary === undefined) return undefined;
  const { description, registeredAt, lastSeenAt } = row;
  return { ...summary, description, registeredAt, lastSeenAt, running: [...summary.running] };
}
