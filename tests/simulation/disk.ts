import { RUNS_RECOVERED } from '../../electron/core/estimates.ts';
import type { Dependency, JobPolicy, StoredJob } from '../../electron/core/events.ts';
import type { WriteBatch } from '../../electron/ports/store.ts';
import { type CanaryDecision, type CanaryPlan, canaryTasks } from '../../shared/canary.ts';
import { type AttemptId, attemptId, type BlobId, type JobId, type NodeId } from '../../shared/ids.ts';
import { type AttemptRow, isTerminal, type JobRow, type OwnerRow, type TaskRow } from '../../shared/job.ts';
import type { NodeRow } from '../../shared/node.ts';

/** A job that is waited for, and what of it. */
export type Wait = Pick<Dependency, 'job' | 'until'>;

/** What a job was submitted with; stands for its specification. */
export interface Submission {
  readonly id: JobId;
  readonly owner: string;
  readonly policy: JobPolicy;
  readonly input: BlobId | null;
  readonly inputReady: boolean;
  readonly after: readonly Wait[];
  readonly canary: CanaryPlan | null;
}

/** One turn's rows, and the submissions that came or changed with them. */
export interface Writes {
  readonly rows: WriteBatch | undefined;
  readonly submissions: readonly Submission[];
}

/** The coordinator's disk: all that is left of a coordinator after a crash. */
export class Disk {
  full = false;
  readonly submissions = new Map<JobId, Submission>();
  readonly jobs = new Map<JobId, JobRow>();
  readonly tasks = new Map<JobId, Map<number, TaskRow>>();
  readonly attempts = new Map<AttemptId, AttemptRow>();
  readonly nodes = new Map<NodeId, NodeRow>();
  readonly owners = new Map<string, OwnerRow>();
  readonly decisions = new Map<JobId, CanaryDecision>();

  /** All of it, or nothing. @returns false when the disk is full */
  write({ rows, submissions }: Writes): boolean {
    if (this.full && (rows !== undefined || submissions.length > 0)) return false;
    for (const submission of submissions) this.submissions.set(submission.id, submission);
    for (const { job, decision } of rows?.canaries ?? []) this.decide(job, decision);
    for (const node of rows?.removedNodes ?? []) this.nodes.delete(node);
    for (const row of rows?.nodes ?? []) this.nodes.set(row.description.id, row);
    for (const row of rows?.owners ?? []) this.owners.set(row.owner, row);
    for (const row of rows?.jobs ?? []) this.jobs.set(row.id, row);
    for (const row of rows?.tasks ?? []) this.tasksOf(row.job).set(row.index, row);
    for (const row of rows?.attempts ?? []) this.attempts.set(attemptId(row.job, row.index, row.number), row);
    return true;
  }

  task(job: JobId, index: number): TaskRow | undefined {
    return this.tasks.get(job)?.get(index);
  }

  liveJobs(): JobRow[] {
    return [...this.jobs.values()].filter((row) => !isTerminal(row.state));
  }

  dependencies(waits: readonly Wait[]): Dependency[] {
    return waits.map(({ job, until }) => {
      const state = this.jobs.get(job)?.state;
      const rows = until === 'tasks' ? [...this.tasksOf(job).values()] : [];
      const completed = rows.filter((row) => row.state === 'COMPLETED').map(({ index }) => index);
      return { job, until, ended: state !== undefined && isTerminal(state) ? state : null, completed };
    });
  }

  storedJob(row: JobRow): StoredJob {
    const { owner, policy, input, inputReady, after } = this.submissions.get(row.id) as Submission;
    const tasks = [...this.tasksOf(row.id).values()].sort((left, right) => left.index - right.index);
    const waits = after.filter(({ until }) => until === 'tasks' || row.state === 'SUBMITTED' || isTerminal(row.state));
    return {
      row,
      owner,
      policy,
      input,
      inputReady,
      after: this.dependencies(waits),
      canary: this.undecided(row),
      tasks,
      runs: this.runs(row),
    };
  }

  private runs({ id, taskCount }: JobRow): StoredJob['runs'] {
    if (taskCount === 1) return [];
    const completed = [...this.attempts.values()].filter((row) => row.job === id && row.reason === 'completed' && (row.ranForMs ?? 0) > 0);
    const last = completed.sort((one, other) => other.index - one.index).slice(0, RUNS_RECOVERED);
    last.sort((one, other) => one.finishedAt - other.finishedAt);
    return last.map(({ node, ranForMs }) => ({ node, ranForMs: ranForMs ?? 0 }));
  }

  /** The canary of a job on which nothing is decided, with what its complete tasks have used. */
  undecided({ id, taskCount }: JobRow): StoredJob['canary'] {
    const plan = this.submissions.get(id)?.canary ?? null;
    if (plan === null || this.decisions.has(id)) return null;
    const runs = canaryTasks(taskCount).flatMap((index) => {
      const task = this.task(id, index);
      const attempt = task?.state === 'COMPLETED' ? this.attempts.get(attemptId(id, index, task.attempt)) : undefined;
      if (attempt === undefined) return [];
      return [{ index, ranForMs: attempt.ranForMs ?? 0, cpuMs: attempt.cpuMs, peakRamMb: attempt.peakRamMb }];
    });
    return { ...plan, runs };
  }

  private decide(job: JobId, decision: CanaryDecision): void {
    const submission = this.submissions.get(job) as Submission;
    const { cpu, ramMb, timeoutMs } = decision.decided;
    const policy = { ...submission.policy, requirements: { ...submission.policy.requirements, cpu, ramMb }, timeoutMs };
    this.decisions.set(job, decision);
    this.submissions.set(job, { ...submission, policy });
  }

  private tasksOf(job: JobId): Map<number, TaskRow> {
    let tasks = this.tasks.get(job);
    if (tasks === undefined) {
      tasks = new Map();
      this.tasks.set(job, tasks);
    }
    return tasks;
  }
}
