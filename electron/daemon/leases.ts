import type { AttemptId, NodeId } from '../../shared/ids.ts';
import { holds, stoppingOn } from '../core/queries.ts';
import type { FarmState } from '../core/state.ts';

/** @returns true for the node's own attempts, and for those that it is still busy ending: their last words count */
export function mayWriteLog(farm: FarmState, node: NodeId, attempt: AttemptId): boolean {
  return holds(farm, node, attempt) || stoppingOn(farm, node).includes(attempt);
}
