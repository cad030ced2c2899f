import type { CoordinatorEvent } from '../../electron/core/events.ts';
import type { WorkerEvent } from '../../electron/core/worker-events.ts';

/** @returns the event in a few words, for the trace */
export function describeEvent(event: CoordinatorEvent): string {
  switch (event.type) {
    case 'recovered':
      return `recovered jobs ${event.jobs.map(({ row }) => row.id).join()} and ${event.nodes.length} nodes`;
    case 'job-submitted': {
      const { id, taskCount, priority, after, inputReady } = event.job;
      return `job-submitted ${id} of ${taskCount} tasks, priority ${priority}, after [${after.map(({ job }) => job).join()}]${inputReady ? '' : ', awaits its input'}`;
    }
    case 'input-ready':
    case 'input-failed':
      return `${event.type} ${event.job}`;
    case 'cancel':
      return event.index === undefined ? `cancel ${event.job}` : `cancel ${event.job}.${event.index}`;
    case 'retry':
      return `retry ${event.job.row.id} that is ${event.job.row.state}`;
    case 'approve-canary':
      return `approve-canary ${event.job} ${JSON.stringify(event.needs)}`;
    case 'hold':
      return `${event.held ? 'hold' : 'release'} ${event.job}`;
    case 'move':
      return `move ${event.job} ${typeof event.to === 'object' ? `before ${event.to.before}` : event.to}`;
    case 'set-priority':
      return `set-priority ${event.job} to ${event.priority}`;
    case 'node-registered':
      return `node-registered ${event.node.id} by ${event.carrier} with [${event.attempts.map(({ attempt, state }) => `${attempt} ${state}`).join()}]`;
    case 'node-described':
      return `node-described ${event.node.id} ${event.node.capacity.cpu} cpu ${event.node.maxParallel} slots`;
    case 'heartbeat':
      return `heartbeat ${event.node} ${event.availability}`;
    case 'node-admin':
      return `node-admin ${event.node} ${event.availability}`;
    case 'node-disconnected':
    case 'node-goodbye':
    case 'node-removed':
      return `${event.type} ${event.node}`;
    case 'attempt-phase':
      return `attempt-phase ${event.job}.${event.index}.${event.number} ${event.phase.phase} on ${event.node}`;
    case 'attempt-started':
      return `attempt-started ${event.job}.${event.index}.${event.number} on ${event.node}`;
    case 'attempt-ended':
      return `attempt-ended ${event.job}.${event.index}.${event.number} ${event.end.reason} on ${event.node}`;
    case 'time-passed':
    case 'turn-ended':
      return event.type;
  }
}

/** @returns the event in a few words, for the trace */
export function describeWorkerEvent(event: WorkerEvent): string {
  switch (event.type) {
    case 'connected':
      return `connected, to stop [${event.stop.join()}]`;
    case 'assigned':
      return `assigned ${event.groups.flatMap(({ attempts }) => attempts.map(({ attempt }) => attempt)).join()}`;
    case 'stop':
      return `stop ${event.attempt} ${event.reason}`;
    case 'acknowledged':
      return `acknowledged ${event.attempts.join()}`;
    case 'phase':
      return `phase ${event.attempt} ${event.phase.phase}`;
    case 'started':
      return `started ${event.attempt}`;
    case 'finished':
      return `finished ${event.attempt} ${event.end.reason}`;
    case 'owner':
      return `owner ${event.level} ${event.availability}`;
    case 'shutdown':
      return `shutdown ${event.reason}`;
    case 'disconnected':
    case 'time-passed':
      return event.type;
  }
}
