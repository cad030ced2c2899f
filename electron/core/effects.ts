import type { CanaryDecision } from '../../shared/canary.ts';
import type { AttemptId, JobId, NodeId } from '../../shared/ids.ts';
import type { AttemptRow, EndReason, JobRow, OwnerRow, TaskRow } from '../../shared/job.ts';
import type { NodeRow } from '../../shared/node.ts';

/**
 * What the coordinator wants done, as data. The daemon writes the `save-` and `remove-` effects of one turn in one
 * transaction (of several for one row the last counts) and performs the others only after it.
 */
export type CoordinatorEffect =
  | { readonly type: 'save-job'; readonly row: JobRow }
  | { readonly type: 'save-task'; readonly row: TaskRow }
  | { readonly type: 'save-attempt'; readonly row: AttemptRow }
  | { readonly type: 'save-canary'; readonly job: JobId; readonly decision: CanaryDecision }
  | { readonly type: 'save-owner'; readonly row: OwnerRow }
  | { readonly type: 'save-node'; readonly row: NodeRow }
  | { readonly type: 'remove-node'; readonly node: NodeId }
  /** Send the attempt to its node; the daemon adds the job's command and the task's parameters. */
  | {
      readonly type: 'assign';
      readonly node: NodeId;
      readonly job: JobId;
      readonly index: number;
      readonly number: number;
      readonly gpus: readonly string[];
    }
  | { readonly type: 'stop'; readonly node: NodeId; readonly attempt: AttemptId; readonly reason: EndReason; readonly graceMs?: number }
  /** Answers `node-registered`: which of the attempts it named go on, and which it must stop and forget. */
  | { readonly type: 'welcome'; readonly node: NodeId; readonly keep: readonly AttemptId[]; readonly stop: readonly AttemptId[] }
  /** The end of this attempt is settled: taken, or refused because the attempt is no longer its task's current one. */
  | { readonly type: 'acknowledge'; readonly node: NodeId; readonly attempt: AttemptId; readonly accepted: boolean }
  /** Close the connection of a node that counts as OFFLINE, so that it comes back with a hello. */
  | { readonly type: 'disconnect'; readonly node: NodeId; readonly reason: string }
  /** Something that screens show has changed. */
  | { readonly type: 'job-changed'; readonly job: JobId }
  | { readonly type: 'node-changed'; readonly node: NodeId };
