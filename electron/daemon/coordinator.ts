import { LanyardError } from '../../shared/errors.ts';
import type { BlobId, JobId, NodeId } from '../../shared/ids.ts';
import { isTerminal, type JobRow, type JobSpec, type TaskRow } from '../../shared/job.ts';
import type { NodeRow } from '../../shared/node.ts';
import type { CoordinatorMessage } from '../../shared/protocol.ts';
import type { CoordinatorSettings } from '../../shared/settings.ts';
import { jobOfStage, planStages, type Submission } from '../../shared/stages.ts';
import type {
  AttemptView,
  Explanation,
  JobDetail,
  JobView,
  NodeExplanation,
  NodeView,
  OutputView,
  OwnerView,
  TaskView,
  Totals,
  ViewEvent,
} from '../../shared/view.ts';
import type { CoordinatorEffect } from '../core/effects.ts';
import type { CoordinatorEvent } from '../core/events.ts';
import { explainJob } from '../core/explain.ts';
import { explainNode, explainTask } from '../core/explain-others.ts';
import * as queries from '../core/queries.ts';
import { createFarm } from '../core/step.ts';
import type { Blobs, LogStore } from '../ports/files.ts';
import type { LinkServerHandlers } from '../ports/link.ts';
import type { MachinePower } from '../ports/machine.ts';
import type { JobQuery, ListedJob, Store } from '../ports/store.ts';
import type { Clock, Dispose, Logger } from '../ports/system.ts';
import type { Identity } from '../ports/trust.ts';
import { type Acceptable, acceptable, type Surroundings } from './acceptance.ts';
import type { BatchBuilder } from './batch.ts';
import { startBlobSweeps } from './blob-sweeps.ts';
import { type Catalog, type CatalogEntry, openCatalog } from './catalog.ts';
import { findEvidence } from './evidence.ts';
import type { Farm, JobChange, PollWorkers } from './farm.ts';
import { mayWriteLog } from './leases.ts';
import { createPollWorkers } from './poll.ts';
import { Provisioner } from './provisioner.ts';
import { awaitsInput, dependenciesOf, farmConfig, recoveredEvent, storedJob } from './recovery.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { findTasks } from './task-pages.ts';
import { startTurns, type Turns } from './turns.ts';
import { endedAttemptView, jobView, liveAttemptView, nodeView, outputView, taskView } from './views.ts';
import { createWatchers, type Watchers } from './watchers.ts';

export interface CoordinatorOptions {
  readonly farm: { readonly id: string; readonly name: string };
  readonly store: Store;
  readonly blobs: Blobs;
  readonly logs: LogStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: CoordinatorSettings;
  readonly power: MachinePower;
  /** Refuses a zip that no worker would unpack. @throws LanyardError INVALID naming the entry and the rule */
  readonly checkInput: (path: string) => Promise<unknown>;
  /** Writes a backup and says where it is. */
  readonly backup: () => Promise<string>;
}

export interface CoordinatorDaemon extends Farm {
  readonly linkHandlers: LinkServerHandlers;
  /** Whether the device has a worker that is connected now. */
  isConnected(node: NodeId): boolean;
  send(node: NodeId, message: CoordinatorMessage): void;
  broadcast(message: CoordinatorMessage): void;
  /** Commits what is pending and changes nothing any more, until `thaw`. Rejects when it could not be committed. */
  freeze(): Promise<void>;
  /** Goes on from what is stored. */
  thaw(): void;
  close(): void;
}

/** Time between a failed commit and the next try to recover from the store (ms). */
const RECOVER_AFTER_MS = 1_000;
/** Ended jobs in a viewer's first snapshot. */
const SNAPSHOT_JOBS = 1_000;

/** Loads what was stored, and goes on from there: there is no other way to start. */
export function startCoordinatorDaemon(options: CoordinatorOptions): CoordinatorDaemon {
  return new Coordinator(options);
}

class Coordinator implements CoordinatorDaemon {
  readonly id: string;
  readonly name: string;
  readonly poll: PollWorkers;
  readonly linkHandlers: LinkServerHandlers;
  private readonly options: CoordinatorOptions;
  private readonly catalog: Catalog;
  private readonly sessions: Sessions;
  private readonly watchers: Watchers;
  private readonly timers = new Set<Dispose>();
  private readonly provisioner: Provisioner;
  private turns: Turns;
  private nextJob: JobId;

  constructor(options: CoordinatorOptions) {
    this.options = options;
    this.id = options.farm.id;
    this.name = options.farm.name;
    this.catalog = openCatalog(options.store);
    this.nextJob = options.store.nextJobId();
    this.sessions = createSessions({
      farmName: this.name,
      heartbeatMs: options.settings.heartbeatMs,
      blobs: options.blobs,
      logs: options.logs,
      catalog: this.catalog,
      logger: options.logger,
      post: (event) => void this.turns.post(event),
      mayWriteLog: (node, attempt) => mayWriteLog(this.farm, node, attempt),
    });
    this.linkHandlers = this.sessions.handlers;
    this.watchers = createWatchers({
      clock: options.clock,
      snapshot: () => ({
        farm: { id: this.id, name: this.name },
        jobs: this.listJobs({ order: 'newest', limit: SNAPSHOT_JOBS, offset: 0 }).jobs,
        nodes: this.listNodes(),
        totals: this.totals(),
      }),
      job: (job) => this.findJobView(job),
      node: (node) => this.nodeView(node),
      totals: () => this.totals(),
    });
    this.poll = createPollWorkers({
      post: (event) => this.turns.post(event),
      settled: () => this.turns.settled(),
      farm: () => this.farm,
      detail: (job) => this.job(job),
      task: (job, index) => this.task(job, index).task,
      node: (node) => this.node(node),
      catalog: this.catalog,
      logs: options.logs,
      blobs: options.blobs,
    });
    this.turns = this.recover();
    const { clock, logger, blobs, store } = options;
    this.provisioner = new Provisioner({
      clock,
      logger,
      settings: options.settings,
      power: options.power,
      farm: () => this.farm,
      sleep: (node) => this.sessions.send(node, { type: 'sleep' }),
    });
    this.timers.add(() => this.provisioner.close());
    this.timers.add(startBlobSweeps({ clock, logger, blobs, referenced: () => store.referencedBlobs() }));
  }

  isConnected(node: NodeId): boolean {
    return this.sessions.isConnected(node);
  }

  send(node: NodeId, message: CoordinatorMessage): void {
    this.sessions.send(node, message);
  }

  broadcast(message: CoordinatorMessage): void {
    this.sessions.broadcast(message);
  }

  async freeze(): Promise<void> {
    await this.turns.settled();
    this.sessions.freeze();
    this.turns.stop();
  }

  thaw(): void {
    this.beginAgain();
  }

  close(): void {
    for (const dispose of this.timers) dispose();
    this.turns.stop();
    this.sessions.close('the coordinator is stopping');
  }

  // ------------------------------------------------------------------------------------------------ life

  private get farm() {
    return this.turns.farm;
  }

  private recover(): Turns {
    const { store, clock, settings } = this.options;
    const turns = startTurns({
      farm: createFarm(farmConfig(settings)),
      store,
      clock,
      perform: (effects) => this.perform(effects),
      onFailure: (error) => this.onFailure(error),
    });
    const loaded = store.load();
    turns.post(recoveredEvent(loaded, store));
    for (const { row, stored } of loaded.jobs)
      if (awaitsInput(row, stored))
        turns.post({
          type: 'input-failed',
          job: row.id,
          message: 'The coordinator stopped while the input was on its way. Submit the job again.',
        });
    this.sessions.open();
    return turns;
  }

  /** Memory is ahead of the disk: forget it, and begin again from what is stored. */
  private onFailure(error: Error): void {
    this.options.logger.error('a change could not be stored; starting again from what is', { error: error.message });
    this.sessions.close('the coordinator is recovering');
    this.later(RECOVER_AFTER_MS, () => this.beginAgain());
  }

  private beginAgain(): void {
    try {
      this.turns.stop();
      this.turns = this.recover();
      this.watchers.reset();
    } catch (cause) {
      this.onFailure(cause instanceof Error ? cause : new Error(String(cause)));
    }
  }

  private perform(effects: readonly CoordinatorEffect[]): void {
    this.sessions.perform(effects);
    for (const effect of effects) {
      if (effect.type === 'job-changed') this.watchers.jobChanged(effect.job);
      else if (effect.type === 'node-changed') this.watchers.nodeChanged(effect.node);
    }
  }

  private later(ms: number, callback: () => void): void {
    const dispose = this.options.clock.after(ms, () => {
      this.timers.delete(dispose);
      callback();
    });
    this.timers.add(dispose);
  }

  /** Posts, and waits until it is on disk. */
  private async change(event: CoordinatorEvent, add?: (batch: BatchBuilder) => void): Promise<void> {
    this.turns.post(event, add);
    await this.turns.settled();
  }

  // ------------------------------------------------------------------------------------------------ jobs

  async submit(spec: JobSpec, by: Identity): Promise<JobView> {
    const inputBytes = await this.checkedInput(spec);
    return this.accept(spec, by, inputBytes, true);
  }

  async submitStages(submission: Submission, by: Identity): Promise<JobView[]> {
    const stages = planStages(submission);
    const inputs = new Map<BlobId, number | null>();
    for (const { spec } of stages)
      if (spec.input !== undefined && !inputs.has(spec.input)) inputs.set(spec.input, await this.checkedInput(spec));
    await this.allSettled();
    const jobs = new Map<string, JobId>();
    const accepted: Acceptable[] = [];
    for (const stage of stages) {
      const spec = jobOfStage(stage, jobs);
      const id = (this.nextJob + accepted.length) as JobId;
      const inputBytes = spec.input === undefined ? null : (inputs.get(spec.input) ?? null);
      const earlier = new Map(accepted.map(({ job, stored }) => [job.id, stored.spec]));
      accepted.push(acceptable(spec, { id, owner: by.subject, inputBytes, inputReady: true }, this.surroundings(earlier)));
      jobs.set(stage.name, id);
    }
    // All were checked, so all are taken, in one turn: they are stored together or not at all.
    for (const one of accepted) this.take(one);
    await this.turns.settled();
    return accepted.map(({ job }) => this.mustView(job.id));
  }

  private async checkedInput({ input }: JobSpec): Promise<number | null> {
    if (input === undefined) return null;
    const bytes = await this.options.blobs.size(input);
    if (bytes === undefined)
      throw new LanyardError({
        code: 'INVALID',
        field: 'input',
        message: `The input ${input} is not here.`,
        hint: 'Upload the blob first (PATCH /api/blobs/HASH).',
      });
    await this.options.checkInput(this.options.blobs.path(input));
    return bytes;
  }

  async submitAwaitingInput(spec: JobSpec, by: Identity): ReturnType<Farm['submitAwaitingInput']> {
    if ([spec.after, spec.afterAny, spec.afterTasks, spec.inputsFrom].some((jobs) => jobs.length > 0))
      throw new LanyardError({
        code: 'INVALID',
        field: 'after',
        message: 'A job whose input is still to come cannot wait for other jobs too.',
      });
    const job = await this.accept(spec, by, null, false);
    const id = job.id as JobId;
    return {
      job,
      inputReady: async (blob: BlobId) => {
        const bytes = (await this.options.blobs.size(blob)) ?? 0;
        this.catalog.set(id, undefined);
        await this.change({ type: 'input-ready', job: id, input: blob }, (batch) => batch.addInput({ job: id, input: blob, bytes }));
      },
      inputFailed: (message: string) => this.change({ type: 'input-failed', job: id, message }),
    };
  }

  private async accept(spec: JobSpec, by: Identity, inputBytes: number | null, inputReady: boolean): Promise<JobView> {
    if (spec.afterTasks.length > 0) await this.allSettled();
    const accepted = acceptable(spec, { id: this.nextJob, owner: by.subject, inputBytes, inputReady }, this.surroundings(new Map()));
    this.take(accepted);
    await this.turns.settled();
    return this.mustView(accepted.job.id);
  }

  private take({ job, stored }: Acceptable): void {
    this.nextJob = (job.id + 1) as JobId;
    this.catalog.set(job.id, stored);
    this.turns.post({ type: 'job-submitted', job }, (batch) => batch.addSpec({ job: job.id, stored }));
  }

  /** @param earlier jobs of the same submission, which are about to be taken */
  private surroundings(earlier: ReadonlyMap<JobId, JobSpec>): Surroundings {
    const { store, settings } = this.options;
    return {
      store,
      defaultImage: settings.defaultImage,
      ended: (job) => {
        if (earlier.has(job) || queries.jobRow(this.farm, job) !== undefined) return null;
        return store.job(job)?.row.state;
      },
      spec: (job) => earlier.get(job) ?? this.catalog.entry(job)?.spec,
    };
  }

  /** Waits until the store knows all that the core knows: ended tasks can only be read there. */
  private async allSettled(): Promise<void> {
    do await this.turns.settled();
    while (!this.turns.isSettled);
  }

  listJobs(query: JobQuery): { readonly jobs: JobView[]; readonly total: number } {
    const { jobs, total } = this.options.store.jobs(query);
    return { jobs: jobs.map((listed) => this.current(listed)), total };
  }

  job(job: JobId): JobDetail {
    const view = this.mustView(job);
    return { ...view, spec: this.mustEntry(job).spec, dependents: queries.dependents(this.farm, job) };
  }

  /** The core knows the counts of a live job to the last event; the store only to its last change of state. */
  private current(listed: ListedJob): JobView {
    return jobView(
      queries.jobRow(this.farm, listed.row.id) ?? listed.row,
      listed.name,
      listed.owner,
      queries.jobEta(this.farm, listed.row.id),
    );
  }

  private findJobView(job: JobId): JobView | undefined {
    const live = queries.jobRow(this.farm, job);
    const entry = live === undefined ? undefined : this.catalog.entry(job);
    if (live !== undefined && entry !== undefined) return jobView(live, entry.spec.name, entry.owner, queries.jobEta(this.farm, job));
    const listed = this.options.store.job(job);
    return listed === undefined ? undefined : jobView(listed.row, listed.name, listed.owner, null);
  }

  private mustView(job: JobId): JobView {
    const view = this.findJobView(job);
    if (view === undefined) throw noJob(job);
    return view;
  }

  private mustEntry(job: JobId): CatalogEntry {
    const entry = this.catalog.entry(job);
    if (entry === undefined) throw noJob(job);
    return entry;
  }

  /** The job's newest row, wherever it is. */
  private mustRow(job: JobId): JobRow {
    const row = queries.jobRow(this.farm, job) ?? this.options.store.job(job)?.row;
    if (row === undefined) throw noJob(job);
    return row;
  }

  tasks(job: JobId, query: Parameters<Farm['tasks']>[1]): { readonly tasks: TaskView[]; readonly total: number } {
    const row = this.mustRow(job);
    const entry = this.mustEntry(job);
    const { found, total } = findTasks(this.options.store, row, query);
    return { tasks: found.map(({ index, row: task }) => taskView(this.farm, row, index, task, entry)), total };
  }

  task(job: JobId, index: number): { readonly task: TaskView; readonly attempts: AttemptView[] } {
    const row = this.mustRow(job);
    if (index >= row.taskCount)
      throw new LanyardError({ code: 'NOT_FOUND', message: `Job ${job} has no task ${index}; its tasks are 0 to ${row.taskCount - 1}.` });
    const task: TaskRow | undefined = queries.taskRow(this.farm, job, index) ?? this.options.store.task(job, index);
    const attempts = this.options.store.attempts(job, index).map(endedAttemptView);
    if (task !== undefined && (task.state === 'ASSIGNED' || task.state === 'RUNNING')) attempts.push(liveAttemptView(task));
    return { task: taskView(this.farm, row, index, task, this.mustEntry(job)), attempts };
  }

  outputs(job: JobId, index?: number): OutputView[] {
    this.mustRow(job);
    return this.options.store.outputs(job, index).map((output) => outputView(job, output));
  }

  explain(job: JobId, index?: number): Explanation {
    const row = this.mustRow(job);
    const isLive = queries.jobRow(this.farm, job) !== undefined;
    const evidence = findEvidence(this.options.store, row, index);
    if (index === undefined) {
      if (isLive) return { ...this.withComing(explainJob(this.farm, job), row), evidence };
      return { job, state: row.state, summary: row.reason ?? `The job has ended: ${row.state}.`, obstacles: [], ahead: null, evidence };
    }
    const { task } = this.task(job, index);
    const live = isLive ? explainTask(this.farm, job, index) : undefined;
    if (live !== undefined) return { ...live, evidence };
    const summary = task.message ?? (task.state === 'COMPLETED' ? 'It is complete.' : `It has ended: ${task.state}.`);
    return { job, state: task.state, summary, obstacles: [], ahead: null, evidence };
  }

  explainNode(node: NodeId): NodeExplanation {
    const found = explainNode(this.farm, node);
    if (found === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: `There is no node ${node}.` });
    return found;
  }

  /** A machine that is on its way may be just what the job waits for. */
  private withComing(explanation: Explanation, { counts }: JobRow): Explanation {
    const nodes = this.provisioner.coming.length;
    if (nodes === 0 || counts.QUEUED === 0) return explanation;
    const message = `${nodes === 1 ? '1 machine is' : `${nodes} machines are`} being brought up for work that waits`;
    const obstacles = [...explanation.obstacles, { constraint: 'machines', message, help: null, nodes }];
    return { ...explanation, summary: `${explanation.summary} But ${message}.`, obstacles };
  }

  async cancel(job: JobId, index: number | undefined, by: Identity): Promise<JobView> {
    const row = this.mustRow(job);
    if (isTerminal(row.state)) throw new LanyardError({ code: 'CONFLICT', message: `Job ${job} has already ended: ${row.state}.` });
    if (index !== undefined) {
      const { task } = this.task(job, index);
      if (isTerminal(task.state))
        throw new LanyardError({ code: 'CONFLICT', message: `Task ${task.id} has already ended: ${task.state}.` });
    }
    await this.change({ type: 'cancel', job, by: by.subject, ...(index === undefined ? {} : { index }) });
    return this.mustView(job);
  }

  async retry(job: JobId, _by: Identity): Promise<JobView> {
    // What the core has done so far must be in the store, because that is where the ended tasks are read from.
    await this.allSettled();
    const row = this.mustRow(job);
    const { FAILED, TIMED_OUT, CANCELLED } = row.counts;
    if (FAILED + TIMED_OUT + CANCELLED === 0)
      throw new LanyardError({
        code: 'CONFLICT',
        message: `Job ${job} has no task to retry: none has failed, timed out or been cancelled.`,
      });
    const entry = this.mustEntry(job);
    const tasks = this.options.store.tasks(job, { fromIndex: 0, limit: row.taskCount });
    const after = dependenciesOf(entry.spec, (other) => this.stateOfOther(other), this.options.store);
    await this.change({ type: 'retry', job: storedJob(row, entry, tasks, after) });
    return this.mustView(job);
  }

  /** A dependency that was removed since cannot be waited for. */
  private stateOfOther(job: JobId): JobRow['state'] | null {
    if (queries.jobRow(this.farm, job) !== undefined) return null;
    return this.options.store.job(job)?.row.state ?? 'COMPLETED';
  }

  async update(job: JobId, change: JobChange): Promise<JobView> {
    const row = this.mustRow(job);
    if (isTerminal(row.state)) throw new LanyardError({ code: 'CONFLICT', message: `Job ${job} has already ended: ${row.state}.` });
    const { held, priority, move } = change;
    if (typeof move === 'object') this.checkMove(job, priority ?? row.priority, move.before);
    if (held !== undefined) this.turns.post({ type: 'hold', job, held });
    if (priority !== undefined) this.turns.post({ type: 'set-priority', job, priority });
    if (move !== undefined) this.turns.post({ type: 'move', job, to: move });
    await this.turns.settled();
    return this.mustView(job);
  }

  private checkMove(job: JobId, priority: number, before: JobId): void {
    const other = queries.jobRow(this.farm, before);
    if (other !== undefined && before !== job && other.priority === priority && this.mustEntry(before).owner === this.mustEntry(job).owner)
      return;
    throw new LanyardError({
      code: 'CONFLICT',
      field: 'move',
      message: `Job ${job} cannot be moved before job ${before}: only jobs of one owner and one priority stand in an order.`,
      hint: 'Change its priority instead.',
    });
  }

  async removeJob(job: JobId): Promise<void> {
    const row = this.mustRow(job);
    if (!isTerminal(row.state))
      throw new LanyardError({ code: 'CONFLICT', message: `Job ${job} has not ended.`, hint: 'Cancel it first.' });
    this.turns.add((batch) => batch.removeJob(job));
    await this.turns.settled();
    this.catalog.set(job, undefined);
    this.watchers.jobChanged(job);
    await this.options.logs.removeJob(job);
  }

  // ------------------------------------------------------------------------------------------------ nodes and the rest

  totals(): Totals {
    return queries.totals(this.farm);
  }

  listOwners(): OwnerView[] {
    return queries.ownerViews(this.farm);
  }

  listNodes(): NodeView[] {
    return queries.nodeIds(this.farm).map((node) => this.node(node));
  }

  node(node: NodeId): NodeView {
    const view = this.nodeView(node);
    if (view === undefined) throw new LanyardError({ code: 'NOT_FOUND', message: `There is no node ${node}.` });
    return view;
  }

  private nodeView(node: NodeId): NodeView | undefined {
    const view = nodeView(this.farm, node);
    const reason = this.provisioner.reasonOf(node);
    return view === undefined || reason === undefined ? view : { ...view, reason };
  }

  async updateNode(node: NodeId, availability: NodeRow['adminAvailability']): Promise<NodeView> {
    this.node(node);
    await this.change({ type: 'node-admin', node, availability });
    return this.node(node);
  }

  async removeNode(node: NodeId): Promise<void> {
    this.node(node);
    await this.change({ type: 'node-removed', node });
  }

  watch(listener: (event: ViewEvent) => void): Dispose {
    return this.watchers.watch(listener);
  }

  backup(): Promise<string> {
    return this.options.backup();
  }
}

function noJob(job: JobId): LanyardError {
  return new LanyardError({ code: 'NOT_FOUND', message: `There is no job ${job}.` });
}
