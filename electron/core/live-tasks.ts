import type { JobId } from '../../shared/ids.ts';
import { activityOf, type Job, NONE, type Task } from './model.ts';
import type { FarmState } from './state.ts';

/**
 * The tasks of a job from their first assignment to their ends. Most jobs have just one, so that is kept in the job itself: what is looked
 * up at every report is then a step nearer, and there is an object less for the collector to move while the attempt runs.
 */

/** @returns the task when it has been placed and has not ended */
export function taskOf(job: Job, index: number): Task | undefined {
  if (job.taskCount > 1) return job.activity?.tasks.get(index);
  return job.task?.index === index ? job.task : undefined;
}

export function findTask(farm: FarmState, id: JobId, index: number): Task | undefined {
  const job = farm.jobs.get(id);
  return job === undefined ? undefined : taskOf(job, index);
}

/** @returns the tasks that are ASSIGNED or RUNNING, and those that are QUEUED again */
export function tasksOf(job: Job): Iterable<Task> {
  if (job.taskCount > 1) return job.activity?.tasks.values() ?? NONE;
  return job.task === null ? NONE : [job.task];
}

/** The caller knows that no task of its index is here. */
export function keepTask(task: Task): void {
  const { job } = task;
  if (job.taskCount > 1) activityOf(job).tasks.add(task);
  else job.task = task;
}

/** The task has ended. An only task stays until its job has been told of, which takes its counts from it. */
export function dropTask(task: Task): void {
  const { job } = task;
  if (job.taskCount > 1) activityOf(job).tasks.delete(task.index);
}

/** @returns how many tasks of the job are ASSIGNED or RUNNING */
export function liveTasks({ taskCount, task, activity }: Job): number {
  if (taskCount === 1) return task === null || task.node === null ? 0 : 1;
  return activity === null ? 0 : activity.assigned + activity.running;
}
