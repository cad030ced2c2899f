import { attemptEnded, attemptPhase, attemptStarted } from './attempts.ts';
import { approveCanary, settleCanaries } from './canary-decision.ts';
import { cancel } from './cancel.ts';
import { takeDue } from './deadlines.ts';
import type { CoordinatorEffect } from './effects.ts';
import type { CoordinatorEvent, Now } from './events.ts';
import { recoverOwners } from './fairness.ts';
import { holdJob, inputFailed, inputReady, setPriority, settleDependents, submitJob } from './jobs.ts';
import { moveJob } from './moves.ts';
import {
  awaitRecoveredNodes,
  checkNode,
  heartbeat,
  nodeAdmin,
  nodeDescribed,
  nodeDisconnected,
  nodeGoodbye,
  nodeRegistered,
  nodeRemoved,
  recoverNodes,
} from './nodes.ts';
import { placeAll } from './placement.ts';
import type { FarmState } from './state.ts';
import { recoverJobs, retryJob } from './stored-jobs.ts';

export { nextDeadline } from './deadlines.ts';
export { hasToPlace } from './placement.ts';
export { createFarm } from './state.ts';

const HANDLERS: {
  readonly [Type in CoordinatorEvent['type']]: (farm: FarmState, event: Extract<CoordinatorEvent, { type: Type }>) => void;
} = {
  recovered: (farm, event) => {
    recoverOwners(farm, event.owners);
    recoverNodes(farm, event.nodes);
    recoverJobs(farm, event.jobs);
    awaitRecoveredNodes(farm);
  },
  'job-submitted': submitJob,
  'input-ready': inputReady,
  'input-failed': inputFailed,
  cancel,
  retry: retryJob,
  'approve-canary': approveCanary,
  hold: holdJob,
  'set-priority': setPriority,
  move: moveJob,
  'node-registered': nodeRegistered,
  'node-described': nodeDescribed,
  heartbeat,
  'node-disconnected': nodeDisconnected,
  'node-goodbye': nodeGoodbye,
  'node-admin': nodeAdmin,
  'node-removed': nodeRemoved,
  'attempt-phase': attemptPhase,
  'attempt-started': attemptStarted,
  'attempt-ended': attemptEnded,
  'time-passed': passTime,
  'turn-ended': placeAll,
};

/**
 * Lets one event happen to the farm.
 * @param now both clocks; `elapsedMs` never goes back from one call to the next
 * @returns what is to be done, in order
 * @throws Error on a fault of the program (a transition outside the table, a job submitted twice); the farm is then in doubt
 */
export function step(farm: FarmState, event: CoordinatorEvent, now: Now): CoordinatorEffect[] {
  const effects: CoordinatorEffect[] = [];
  farm.effects = effects;
  // Whole milliseconds lie in the objects that hold them; a fraction would be an object more for the collector, in every task.
  farm.now = { elapsedMs: Math.floor(now.elapsedMs), wallMs: now.wallMs };
  farm.stepNumber++;
  (HANDLERS[event.type] as (farm: FarmState, event: CoordinatorEvent) => void)(farm, event);
  settleDependents(farm);
  settleCanaries(farm);
  return effects;
}

/** A node that is looked at asks for its next deadline, which lies ahead, so this ends. */
function passTime(farm: FarmState): void {
  for (let node = takeDue(farm, farm.now.elapsedMs); node !== undefined; node = takeDue(farm, farm.now.elapsedMs)) checkNode(farm, node);
}
