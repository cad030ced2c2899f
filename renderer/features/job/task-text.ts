import type { TaskView } from '../../../shared/view.ts';
import { formatDuration } from '../../ui/format.ts';
import { STATE_LOOKS } from '../../ui/state.tsx';

/** What a task is called beside its number: its frame, or its parameters. */
export function taskName({ parameters }: Pick<TaskView, 'parameters'>): string {
  const { frame, chunkStart, chunkEnd } = parameters;
  if (frame !== undefined) return chunkStart === chunkEnd ? `frame ${frame}` : `frames ${chunkStart}–${chunkEnd}`;
  return Object.entries(parameters)
    .filter(([name]) => name.startsWith('param.'))
    .map(([name, value]) => `${name.slice('param.'.length)} ${value}`)
    .join(', ');
}

/** One line on a task, for the line under the grid and for those who hear it. */
export function taskLine(task: TaskView, nodeName: string, now: number): string {
  const name = taskName(task);
  const parts = [`Task ${task.index}${name === '' ? '' : `, ${name}`}: ${STATE_LOOKS[task.state].word.toLowerCase()}`];
  if (task.node !== null) parts.push(`on ${nodeName}`);
  const runMs = runningMs(task, now);
  if (runMs !== null) parts.push(formatDuration(runMs));
  if (task.phase !== null && task.phase.phase !== 'running') parts.push(task.phase.phase);
  if (task.exitCode !== null && task.exitCode !== 0) parts.push(`exit code ${task.exitCode}`);
  if (task.retriesUsed > 0) parts.push(`retried ${task.retriesUsed}×`);
  return parts.join(' · ');
}

/** How long it ran, or runs by now; null for one that has not. */
export function runningMs(one: { readonly startedAt: number | null; readonly finishedAt: number | null }, now: number): number | null {
  return one.startedAt === null ? null : Math.max(0, (one.finishedAt ?? now) - one.startedAt);
}
