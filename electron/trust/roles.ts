import type { CoordinatorMessage, WorkerMessage } from '../../shared/protocol.ts';
import type { Role, Roster } from '../../shared/trust.ts';
import { findDevice } from './farm.ts';

const WORKERS = ['worker'] as const satisfies readonly Role[];

/**
 * Which roles may send what to the coordinator. A message type that is missing here does not compile; an administrator is
 * no worker, and so may not play one. Which attempts a worker may speak of is for the daemon to know.
 */
const SENDERS: { readonly [Type in WorkerMessage['type']]: readonly Role[] } = {
  hello: WORKERS,
  heartbeat: WORKERS,
  reports: WORKERS,
  describe: WORKERS,
  goodbye: WORKERS,
};

/** What a worker takes, and from whom: the farm's coordinator and nobody else. Here too, each type must be named. */
const FROM_COORDINATOR: { readonly [Type in CoordinatorMessage['type']]: 'coordinator' } = {
  welcome: 'coordinator',
  assign: 'coordinator',
  stop: 'coordinator',
  acknowledge: 'coordinator',
  'log-acknowledge': 'coordinator',
  refuse: 'coordinator',
};

/** Default deny: a type that nobody was named for may be sent by nobody. */
export function maySend(roles: readonly Role[], type: string): boolean {
  return Object.hasOwn(SENDERS, type) && SENDERS[type as WorkerMessage['type']].some((role) => roles.includes(role));
}

/** Whether a device may send a worker this: it is the coordinator of the roster that the worker holds. */
export function mayCommand(roster: Roster, sender: string, type: string): boolean {
  return Object.hasOwn(FROM_COORDINATOR, type) && roster.coordinator === sender && findDevice(roster, sender) !== undefined;
}
