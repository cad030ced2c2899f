import type { AttemptId } from '../../shared/ids.ts';
import type { EndReason } from '../../shared/job.ts';
import type { Availability } from '../../shared/node.ts';
import type { OwnerLevel } from '../../shared/owner.ts';
import type { Assignment, AssignmentGroup, AttemptEnd, HeldAttempt, Phase, Report, Work } from '../../shared/protocol.ts';

/** What can happen to a worker. */
export type WorkerEvent =
  | { readonly type: 'connected'; readonly stop: readonly AttemptId[] }
  | { readonly type: 'disconnected' }
  | { readonly type: 'assigned'; readonly groups: readonly AssignmentGroup[] }
  | { readonly type: 'stop'; readonly attempt: AttemptId; readonly reason: EndReason; readonly graceMs: number }
  | { readonly type: 'acknowledged'; readonly attempts: readonly AttemptId[] }
  /** The shell's answers to the effects. */
  | { readonly type: 'phase'; readonly attempt: AttemptId; readonly phase: Phase }
  | { readonly type: 'started'; readonly attempt: AttemptId }
  /** The attempt is over on this machine, whatever the reason: nothing of it runs, its files are collected and uploaded. */
  | { readonly type: 'finished'; readonly attempt: AttemptId; readonly end: AttemptEnd }
  | { readonly type: 'time-passed' }
  /** What the owner of the machine lets happen from now on: to what runs, and to new work. */
  | { readonly type: 'owner'; readonly level: OwnerLevel; readonly availability: Availability }
  /** Stop everything and say goodbye: the program ends, or its owner wants the machine. */
  | { readonly type: 'shutdown'; readonly reason: EndReason };

export type WorkerEffect =
  /** Fetch, unpack, start, watch, collect and upload; the shell answers with `phase`, `started` and `finished`. */
  | { readonly type: 'run'; readonly assignment: Assignment; readonly work: Work }
  /** End it: ask, and after `graceMs` kill. `finished` follows, with `reason` as its reason. */
  | { readonly type: 'end'; readonly attempt: AttemptId; readonly reason: EndReason; readonly graceMs: number }
  /** Give its command so much of the machine, and no more. */
  | { readonly type: 'throttle'; readonly attempt: AttemptId; readonly level: Exclude<OwnerLevel, 'return'> }
  | { readonly type: 'report'; readonly report: Report }
  /** Its folder and log can go: the coordinator has everything it wants of it. */
  | { readonly type: 'forget'; readonly attempt: AttemptId }
  | { readonly type: 'say-goodbye' };

/** What a worker tells the coordinator that it still holds, for `hello`. */
export type HeldAttempts = readonly HeldAttempt[];
