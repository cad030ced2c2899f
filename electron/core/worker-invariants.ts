import { LIMITS } from '../../shared/limits.ts';
import type { WorkerAttempt, WorkerState } from './worker-step.ts';

/** What must hold of a worker after every event. @returns a sentence for each thing that does not */
export function workerViolations(state: WorkerState): string[] {
  const found: string[] = [];
  if (state.attempts.size > LIMITS.unacknowledgedEnds) found.push(`${state.attempts.size} attempts are held`);
  for (const [id, attempt] of state.attempts) {
    if (attempt.id !== id) found.push(`attempt ${attempt.id} is filed under ${id}`);
    for (const sentence of attemptViolations(state, attempt)) found.push(`attempt ${id} ${sentence}`);
  }
  return found;
}

function attemptViolations(state: WorkerState, attempt: WorkerAttempt): string[] {
  const found: string[] = [];
  const ended = attempt.state === 'ended';
  if (ended !== (attempt.end !== undefined)) found.push(`is ${attempt.state} ${ended ? 'without' : 'with'} an end`);
  if (ended && attempt.disowned) found.push('has ended, is disowned, and was not forgotten');
  if (attempt.deadlineMs !== undefined && attempt.state !== 'running') found.push(`is ${attempt.state} and has a deadline`);
  if (attempt.deadlineMs !== undefined && attempt.asked !== undefined) found.push('was asked to end and has a deadline');
  if (attempt.frozenMs !== undefined && (attempt.state !== 'running' || attempt.deadlineMs !== undefined || attempt.asked !== undefined))
    found.push(`is ${attempt.state} and frozen, and its time runs`);
  if (attempt.frozenMs !== undefined && state.level !== 'pause') found.push(`is frozen at the level ${state.level}`);
  if (attempt.disowned && attempt.asked === undefined) found.push('is disowned and was not asked to end');
  if (attempt.waiting !== undefined && (attempt.state !== 'preparing' || attempt.asked !== undefined))
    found.push('waits to run and does not');
  if (attempt.waiting !== undefined && ![...state.attempts.values()].some(({ disowned }) => disowned)) found.push('waits for nothing');
  if (attempt.end !== undefined && attempt.asked !== undefined && attempt.end.reason !== attempt.asked)
    found.push(`was asked to end for ${attempt.asked} and says ${attempt.end.reason}`);
  if (attempt.end !== undefined && attempt.end.reason !== 'completed' && attempt.end.outputs.length > 0)
    found.push(`ended for ${attempt.end.reason} and has outputs`);
  if (!ended && state.closing !== undefined && attempt.asked === undefined) found.push('goes on although the worker shuts down');
  if (!ended && state.saidGoodbye) found.push('goes on although the worker said goodbye');
  return found;
}
