import type { SEED_ROUTES } from '../../../shared/api-seed.ts';
import { LanyardError } from '../../../shared/errors.ts';
import { type AttemptId, type NodeId, parseAttemptId, parseTaskId } from '../../../shared/ids.ts';
import { metricsSchema, nodeDescriptionSchema } from '../../../shared/node.ts';
import type { Farm } from '../../daemon/farm.ts';
import type { ApiContext } from '../context.ts';
import type { HandlersOf } from '../route-types.ts';
import { heldAttempt } from './attempts.ts';
import type { Speakers } from './speakers.ts';
import { seedWork, seedWorker } from './views.ts';

type Names = 'seedRegister' | 'seedHeartbeat' | 'seedWorkers' | 'seedGetJob';

/** Workers that poll. */
export function seedWorkerHandlers({ farm, settings }: ApiContext, speakers: Speakers): HandlersOf<Pick<typeof SEED_ROUTES, Names>> {
  return {
    async seedRegister({ body, identity }) {
      speakers.check(identity, body.workerId);
      speakers.claim(identity, body.workerId);
      const node = await farm.poll.register(
        nodeDescriptionSchema.parse({
          id: body.workerId,
          name: body.name ?? body.workerId,
          os: body.os,
          arch: body.arch,
          version: 'poll',
          capacity: {
            cpu: body.cpuCores,
            ramMb: Math.floor(body.totalRamMb ?? body.freeRamMb ?? 1_024),
            diskMb: Math.floor(body.freeDiskMb ?? 0),
          },
          labels: body.labels,
          zone: body.zone,
          maxParallel: body.maxParallel ?? Math.max(1, Math.floor(body.cpuCores / 2)),
          executors: body.executors,
        }),
        body.running && among(body.running),
      );
      return { success: true, heartbeatMs: settings.heartbeatMs, worker: seedWorker(node) };
    },
    async seedHeartbeat({ body, identity }) {
      speakers.check(identity, body.workerId);
      const metrics = metricsSchema.parse({
        cpuPercent: body.cpuUsage,
        ramFreeMb: body.freeRamMb,
        ramTotalMb: body.totalRamMb,
        diskFreeMb: body.freeDiskMb,
      });
      const node = await farm.poll.heartbeat(body.workerId, metrics);
      speakers.claim(identity, body.workerId);
      const stop = (body.running ?? []).filter((id) => shouldStop(farm, body.workerId, id));
      return { success: true, workerId: body.workerId, status: node.status, stop };
    },
    seedWorkers: () => ({ workers: farm.listNodes().map(seedWorker) }),
    async seedGetJob({ body, request, identity }) {
      speakers.check(identity, body.workerId);
      const work = await farm.poll.take(body.workerId, body.running && among(body.running));
      speakers.claim(identity, body.workerId);
      return { job: work === undefined ? null : seedWork(work, `http://${request.headers.host}`) };
    },
  };
}

/** Whether an attempt is one of those that a worker names, by its own id, its task's or its job's. */
function among(named: readonly string[]): (attempt: AttemptId) => boolean {
  const names = new Set(named);
  return (attempt) => {
    const [job, index] = attempt.split('.');
    return names.has(attempt) || names.has(`${job}.${index}`) || names.has(`${job}`);
  };
}

/** What nobody knows, nobody need go on with. */
function shouldStop(farm: Farm, worker: NodeId, id: string): boolean {
  const reference = parseAttemptId(id) ?? parseTaskId(id) ?? (/^[1-9]\d{0,14}$/.test(id) ? { job: Number(id) } : undefined);
  if (reference === undefined) return true;
  try {
    const held = heldAttempt(farm, reference, worker);
    return held === undefined || farm.poll.shouldStop(held.node, held.attempt);
  } catch (error) {
    if (!(error instanceof LanyardError)) throw error;
    return error.code === 'NOT_FOUND';
  }
}
