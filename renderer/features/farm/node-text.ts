import { CircleAlert, CircleCheck, CirclePlay, CloudOff } from 'lucide-react';
import type { Availability, NodeStatus } from '../../../shared/node.ts';

/** How a node's status is told: word, icon and colour. */
export const STATUS_LOOKS: Readonly<
  Record<NodeStatus, { readonly word: string; readonly colour: string; readonly icon: typeof CloudOff }>
> = {
  IDLE: { word: 'Idle', colour: 'var(--state-completed)', icon: CircleCheck },
  BUSY: { word: 'Busy', colour: 'var(--state-running)', icon: CirclePlay },
  UNHEALTHY: { word: 'Unhealthy', colour: 'var(--state-timed-out)', icon: CircleAlert },
  OFFLINE: { word: 'Offline', colour: 'var(--state-queued)', icon: CloudOff },
};

/** Who said that no new work may be placed; null where work is welcome. */
export const AVAILABILITY_WORDS: Readonly<Record<Availability, string | null>> = {
  available: null,
  draining: 'Draining: finishes what runs',
  paused: 'Paused by an administrator',
  'owner-paused': 'Paused by its owner',
  'owner-active': 'Its owner is at work',
  'on-battery': 'On battery',
  'outside-schedule': 'Outside its schedule',
};
