import { type CanaryPlan, type CanaryRun, canaryTasks } from '../../shared/canary.ts';

/** The first tasks of a job that runs them before all others. It goes when it is decided how the rest is to run. */
export class Canary {
  readonly plan: CanaryPlan;
  /** Indices of its tasks. */
  readonly tasks: readonly number[];
  /** What those of them that are COMPLETED have used, by index. */
  readonly runs: Map<number, CanaryRun>;
  /** Other tasks of the job that have rows and are queued again: after a retry by a person. */
  readonly returned = new Set<number>();

  constructor(plan: CanaryPlan, taskCount: number, runs: readonly CanaryRun[]) {
    this.plan = plan;
    this.tasks = canaryTasks(taskCount);
    this.runs = new Map(runs.map((run) => [run.index, run]));
  }
}
