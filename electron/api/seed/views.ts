import type { SeedJob, SeedWork, SeedWorker } from '../../../shared/api-seed.ts';
import { fillTemplate, parameterEnvironment } from '../../../shared/tasks.ts';
import type { JobDetail, NodeView, TaskView } from '../../../shared/view.ts';
import type { PolledTask } from '../../daemon/farm.ts';
import { shellQuote } from '../shell-lines.ts';

/** What the farm knows, in the field names of the earlier system. */

/** @param task the task it is about; undefined for a job of many */
export function seedJob(job: JobDetail, task: TaskView | undefined, origin: string): SeedJob {
  const { spec } = job;
  return {
    id: String(job.id),
    jobId: String(job.id),
    name: job.name,
    owner: job.owner,
    status: task?.state ?? job.state,
    command: commandLine(spec.command),
    fileUrl: spec.input === undefined ? null : `${origin}/api/blobs/${spec.input}`,
    filename: spec.input === undefined ? null : job.name.endsWith('.zip') ? job.name : 'input.zip',
    image: spec.image ?? null,
    requiredCpu: spec.requirements.cpu,
    requiredRamMb: spec.requirements.ramMb,
    timeoutMs: spec.timeoutMs,
    maxRetries: spec.maxRetries,
    retries: task?.retriesUsed ?? job.retries,
    priority: job.priority,
    taskCount: job.taskCount,
    workerId: task?.node ?? null,
    exitCode: task?.exitCode ?? null,
    error: task?.message ?? job.reason,
    createdAt: isoTime(job.submittedAt),
    assignedAt: isoTimeOrNull(task?.assignedAt),
    startedAt: isoTimeOrNull(task?.startedAt ?? job.startedAt),
    finishedAt: isoTimeOrNull(task?.finishedAt ?? job.finishedAt),
  };
}

export function seedWork({ attempt, job, task, command }: PolledTask, origin: string): SeedWork {
  const fill = (template: string) => fillTemplate(template, task.parameters);
  const own = Object.entries(job.spec.env).map(([name, value]) => [name, fill(value)]);
  const env: Record<string, string> = {
    ...parameterEnvironment(task.parameters),
    LANYARD_JOB: String(job.id),
    LANYARD_ATTEMPT: attempt,
    ...Object.fromEntries(own),
  };
  return {
    ...seedJob(job, task, origin),
    id: attempt,
    taskId: task.id,
    index: task.index,
    command: commandLine(command),
    workdir: job.spec.workdir,
    outputs: job.spec.outputs.map(fill),
    env,
    exports: Object.entries(env)
      .map(([name, value]) => `export ${name}=${shellQuote(value)};`)
      .join(' '),
  };
}

export function seedWorker(node: NodeView): SeedWorker {
  const { description, metrics } = node;
  return {
    id: description.id,
    workerId: description.id,
    name: description.name,
    status: node.status,
    availability: node.availability,
    cpuCores: description.capacity.cpu,
    totalRamMb: description.capacity.ramMb,
    freeRamMb: metrics?.ramFreeMb ?? null,
    cpuUsage: metrics?.cpuPercent ?? null,
    maxParallelJobs: description.maxParallel,
    runningJobs: node.running,
    registeredAt: isoTime(node.registeredAt),
    lastHeartbeat: isoTime(node.lastSeenAt),
  };
}

/** A program and its arguments as the one line that a shell reads as the same. */
function commandLine(command: string | readonly string[]): string {
  return typeof command === 'string' ? command : command.map(shellQuote).join(' ');
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function isoTimeOrNull(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : isoTime(ms);
}
