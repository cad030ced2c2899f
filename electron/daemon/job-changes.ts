import type { SomeNeeds } from '../../shared/canary.ts';
import { LanyardError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import { isTerminal, type JobRow } from '../../shared/job.ts';
import type { JobView } from '../../shared/view.ts';
import * as queries from '../core/queries.ts';
import type { LogStore } from '../ports/files.ts';
import type { Store } from '../ports/store.ts';
import type { Identity } from '../ports/trust.ts';
import type { Catalog } from './catalog.ts';
import type { JobChange } from './farm.ts';
import type { FarmLife } from './farm-life.ts';
import type { JobReader } from './job-reader.ts';
import { dependenciesOf, storedJob } from './recovery.ts';

export interface JobChangesOptions {
  readonly life: FarmLife;
  readonly store: Store;
  readonly catalog: Catalog;
  readonly reader: JobReader;
  readonly logs: LogStore;
  /** Told of a job that was removed. */
  readonly removed: (job: JobId) => void;
}

/** What people do to jobs that are there. Every promise resolves once the change is on disk. */
export class JobChanges {
  private readonly life: FarmLife;
  private readonly store: Store;
  private readonly catalog: Catalog;
  private readonly reader: JobReader;
  private readonly logs: LogStore;
  private readonly removed: (job: JobId) => void;

  constructor({ life, store, catalog, reader, logs, removed }: JobChangesOptions) {
    this.life = life;
    this.store = store;
    this.catalog = catalog;
    this.reader = reader;
    this.logs = logs;
    this.removed = removed;
  }

  async cancel(job: JobId, index: number | undefined, by: Identity): Promise<JobView> {
    const row = this.reader.mustRow(job);
    if (isTerminal(row.state)) throw new LanyardError({ code: 'CONFLICT', message: `Job ${job} has already ended: ${row.state}.` });
    if (index !== undefined) {
      const { task } = this.reader.task(job, index);
      if (isTerminal(task.state))
        throw new LanyardError({ code: 'CONFLICT', message: `Task ${task.id} has already ended: ${task.state}.` });
    }
    await this.life.change({ type: 'cancel', job, by: by.subject, ...(index === undefined ? {} : { index }) });
    return this.reader.mustView(job);
  }

  async retry(job: JobId): Promise<JobView> {
    // What the core has done so far must be in the store, because that is where the ended tasks are read from.
    await this.life.allSettled();
    const row = this.reader.mustRow(job);
    const { FAILED, TIMED_OUT, CANCELLED } = row.counts;
    if (FAILED + TIMED_OUT + CANCELLED === 0)
      throw new LanyardError({
        code: 'CONFLICT',
        message: `Job ${job} has no task to retry: none has failed, timed out or been cancelled.`,
      });
    const entry = this.reader.mustEntry(job);
    const tasks = this.store.tasks(job, { fromIndex: 0, limit: row.taskCount });
    const after = dependenciesOf(entry.spec, (other) => this.stateOfOther(other), this.store);
    await this.life.change({ type: 'retry', job: storedJob(row, entry, tasks, after, this.store) });
    return this.reader.mustView(job);
  }

  /** A dependency that was removed since cannot be waited for. */
  private stateOfOther(job: JobId): JobRow['state'] | null {
    if (queries.jobRow(this.life.farm, job) !== undefined) return null;
    return this.store.job(job)?.row.state ?? 'COMPLETED';
  }

  async update(job: JobId, change: JobChange): Promise<JobView> {
    const row = this.reader.mustRow(job);
    if (isTerminal(row.state)) throw new LanyardError({ code: 'CONFLICT', message: `Job ${job} has already ended: ${row.state}.` });
    const { held, priority, move } = change;
    if (typeof move === 'object') this.checkMove(job, priority ?? row.priority, move.before);
    if (held !== undefined) this.life.post({ type: 'hold', job, held });
    if (priority !== undefined) this.life.post({ type: 'set-priority', job, priority });
    if (move !== undefined) this.life.post({ type: 'move', job, to: move });
    await this.life.settled();
    return this.reader.mustView(job);
  }

  async approveCanary(job: JobId, needs: SomeNeeds, by: Identity): Promise<JobView> {
    const row = this.reader.mustRow(job);
    if (isTerminal(row.state)) throw new LanyardError({ code: 'CONFLICT', message: `Job ${job} has already ended: ${row.state}.` });
    const canary = queries.liveCanary(this.life.farm, job);
    if (canary === null)
      throw new LanyardError({ code: 'CONFLICT', message: `Job ${job} waits for no approval: it has no canary, or goes on already.` });
    if (canary.proposal === null)
      throw new LanyardError({
        code: 'CONFLICT',
        message: `The canary of job ${job} is not over: ${canary.ended} of ${canary.tasks.length} of its first tasks have ended.`,
        hint: 'Approve it when they all have, or cancel the job.',
      });
    await this.life.change({ type: 'approve-canary', job, needs, by: by.subject });
    return this.reader.mustView(job);
  }

  private checkMove(job: JobId, priority: number, before: JobId): void {
    const other = queries.jobRow(this.life.farm, before);
    if (
      other !== undefined &&
      before !== job &&
      other.priority === priority &&
      this.reader.mustEntry(before).owner === this.reader.mustEntry(job).owner
    )
      return;
    throw new LanyardError({
      code: 'CONFLICT',
      field: 'move',
      message: `Job ${job} cannot be moved before job ${before}: only jobs of one owner and one priority stand in an order.`,
      hint: 'Change its priority instead.',
    });
  }

  async remove(job: JobId): Promise<void> {
    const row = this.reader.mustRow(job);
    if (!isTerminal(row.state))
      throw new LanyardError({ code: 'CONFLICT', message: `Job ${job} has not ended.`, hint: 'Cancel it first.' });
    this.life.add((batch) => batch.removeJob(job));
    await this.life.settled();
    this.catalog.set(job, undefined);
    this.removed(job);
    await this.logs.removeJob(job);
  }
}
