import { LanyardError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import type { JobRow, TaskRow } from '../../shared/job.ts';
import type { AttemptView, Explanation, JobDetail, JobView, OutputView, TaskView } from '../../shared/view.ts';
import { explainJob } from '../core/explain.ts';
import { explainTask } from '../core/explain-others.ts';
import * as queries from '../core/queries.ts';
import type { JobQuery, ListedJob, Store } from '../ports/store.ts';
import type { Catalog, CatalogEntry } from './catalog.ts';
import { findEvidence } from './evidence.ts';
import type { Farm } from './farm.ts';
import type { FarmLife } from './farm-life.ts';
import { findTasks } from './task-pages.ts';
import { canaryView, endedAttemptView, jobView, liveAttemptView, outputView, taskView } from './views.ts';

export interface JobReaderOptions {
  readonly life: FarmLife;
  readonly store: Store;
  readonly catalog: Catalog;
  /** Names of machines that are being brought up and could serve the job. */
  readonly comingMachines: (job: JobId) => readonly string[];
}

/** Machines on their way that an explanation names. */
const NAMED_MACHINES = 3;

/** What can be asked about jobs: the core knows those that live, the store those that have ended. */
export class JobReader {
  private readonly life: FarmLife;
  private readonly store: Store;
  private readonly catalog: Catalog;
  private readonly comingMachines: JobReaderOptions['comingMachines'];

  constructor({ life, store, catalog, comingMachines }: JobReaderOptions) {
    this.life = life;
    this.store = store;
    this.catalog = catalog;
    this.comingMachines = comingMachines;
  }

  listJobs(query: JobQuery): { readonly jobs: JobView[]; readonly total: number } {
    const { jobs, total } = this.store.jobs(query);
    return { jobs: jobs.map((listed) => this.current(listed)), total };
  }

  job(job: JobId): JobDetail {
    const view = this.mustView(job);
    const entry = this.mustEntry(job);
    const canary = canaryView(this.mustRow(job), entry, this.life.farm);
    return { ...view, canary, spec: entry.spec, dependents: queries.dependents(this.life.farm, job) };
  }

  /** The core knows the counts of a live job to the last event; the store only to its last change of state. */
  private current(listed: ListedJob): JobView {
    const { row, name, owner } = listed;
    return jobView(queries.jobRow(this.life.farm, row.id) ?? row, name, owner, this.liveParts(row.id));
  }

  /** @returns undefined for a job that is not there */
  findView(job: JobId): JobView | undefined {
    const live = queries.jobRow(this.life.farm, job);
    const entry = live === undefined ? undefined : this.catalog.entry(job);
    if (live !== undefined && entry !== undefined) return jobView(live, entry.spec.name, entry.owner, this.liveParts(job));
    const listed = this.store.job(job);
    return listed === undefined ? undefined : jobView(listed.row, listed.name, listed.owner);
  }

  private liveParts(job: JobId): Pick<JobView, 'eta' | 'canaryPhase'> {
    return { eta: queries.jobEta(this.life.farm, job), canaryPhase: queries.canaryPhase(this.life.farm, job) };
  }

  /** @throws LanyardError NOT_FOUND */
  mustView(job: JobId): JobView {
    const view = this.findView(job);
    if (view === undefined) throw noJob(job);
    return view;
  }

  /** @throws LanyardError NOT_FOUND */
  mustEntry(job: JobId): CatalogEntry {
    const entry = this.catalog.entry(job);
    if (entry === undefined) throw noJob(job);
    return entry;
  }

  /** @returns the job's newest row, wherever it is. @throws LanyardError NOT_FOUND */
  mustRow(job: JobId): JobRow {
    const row = queries.jobRow(this.life.farm, job) ?? this.store.job(job)?.row;
    if (row === undefined) throw noJob(job);
    return row;
  }

  tasks(job: JobId, query: Parameters<Farm['tasks']>[1]): { readonly tasks: TaskView[]; readonly total: number } {
    const row = this.mustRow(job);
    const entry = this.mustEntry(job);
    const { found, total } = findTasks(this.store, row, query);
    return { tasks: found.map(({ index, row: task }) => taskView(this.life.farm, row, index, task, entry)), total };
  }

  task(job: JobId, index: number): { readonly task: TaskView; readonly attempts: AttemptView[] } {
    const row = this.mustRow(job);
    if (index >= row.taskCount)
      throw new LanyardError({ code: 'NOT_FOUND', message: `Job ${job} has no task ${index}; its tasks are 0 to ${row.taskCount - 1}.` });
    const task: TaskRow | undefined = queries.taskRow(this.life.farm, job, index) ?? this.store.task(job, index);
    const attempts = this.store.attempts(job, index).map(endedAttemptView);
    if (task !== undefined && (task.state === 'ASSIGNED' || task.state === 'RUNNING')) attempts.push(liveAttemptView(task));
    return { task: taskView(this.life.farm, row, index, task, this.mustEntry(job)), attempts };
  }

  outputs(job: JobId, index?: number): OutputView[] {
    this.mustRow(job);
    return this.store.outputs(job, index).map((output) => outputView(job, output));
  }

  explain(job: JobId, index?: number): Explanation {
    const row = this.mustRow(job);
    const isLive = queries.jobRow(this.life.farm, job) !== undefined;
    const evidence = findEvidence(this.store, row, index);
    if (index === undefined) {
      if (isLive) return { ...this.withComing(explainJob(this.life.farm, job), row), evidence };
      return { job, state: row.state, summary: row.reason ?? `The job has ended: ${row.state}.`, obstacles: [], ahead: null, evidence };
    }
    const { task } = this.task(job, index);
    const live = isLive ? explainTask(this.life.farm, job, index) : undefined;
    if (live !== undefined) return { ...live, evidence };
    const summary = task.message ?? (task.state === 'COMPLETED' ? 'It is complete.' : `It has ended: ${task.state}.`);
    return { job, state: task.state, summary, obstacles: [], ahead: null, evidence };
  }

  /** A machine that is on its way may be just what the job waits for. */
  private withComing(explanation: Explanation, { id, counts }: JobRow): Explanation {
    const coming = counts.QUEUED === 0 ? [] : this.comingMachines(id);
    if (coming.length === 0) return explanation;
    const named = coming.slice(0, NAMED_MACHINES).join(', ') + (coming.length > NAMED_MACHINES ? ' and more' : '');
    const message = `${coming.length === 1 ? '1 machine that could serve it is' : `${coming.length} machines that could serve it are`} being brought up (${named})`;
    const obstacles = [...explanation.obstacles, { constraint: 'machines', message, help: null, nodes: coming.length }];
    return { ...explanation, summary: `${explanation.summary} But ${message}.`, obstacles };
  }
}

function noJob(job: JobId): LanyardError {
  return new LanyardError({ code: 'NOT_FOUND', message: `There is no job ${job}.` });
}
