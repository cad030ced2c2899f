import type { NewJob } from '../../electron/core/events.ts';
import { farmConfig } from '../../electron/daemon/recovery.ts';
import type { JobId, NodeId } from '../../shared/ids.ts';
import type { NodeDescription } from '../../shared/node.ts';
import { type AttemptEnd, attemptEndSchema } from '../../shared/protocol.ts';
import { coordinatorSettingsSchema } from '../../shared/settings.ts';

/** A core as a coordinator with default settings has it, and what to fill it with. */

export const CORE_CONFIG = farmConfig(coordinatorSettingsSchema.parse({}));

export const COMPLETED: AttemptEnd = attemptEndSchema.parse({ reason: 'completed', exitCode: 0, ranForMs: 10 });

/** Queue classes that the jobs belong to in turn. */
const CLASSES = 10;

/** A job of one task. Jobs need different amounts of memory, so that the queue has several classes. */
export function newJob(id: JobId, taskCount = 1): NewJob {
  const requirements = { cpu: 1, ramMb: 100 + (id % CLASSES), gpus: 0, gpuRamMb: 0, diskMb: 0, labels: [], limits: {} };
  const policy = {
    requirements,
    image: 'image',
    network: false,
    timeoutMs: 3_600_000,
    maxRetries: 3,
    preemptible: false,
    maxTasks: null,
    stopAfterFailures: 10,
  };
  return { id, owner: 'ann', policy, taskCount, priority: 50, input: null, inputReady: true, after: [], canary: null };
}

export function newNode(id: NodeId, slots: number): NodeDescription {
  return {
    id,
    name: id,
    os: 'linux',
    arch: 'x64',
    version: '1',
    capacity: { cpu: slots, ramMb: slots * 1_000, diskMb: 10_000, gpus: [] },
    labels: {},
    zone: '',
    maxParallel: slots,
    executors: ['docker'],
    availability: 'available',
  };
}
