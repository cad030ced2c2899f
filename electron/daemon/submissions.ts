import { LanyardError } from '../../shared/errors.ts';
import type { BlobId, JobId } from '../../shared/ids.ts';
import type { JobSpec } from '../../shared/job.ts';
import { oncePerRun } from '../../shared/once-per-run.ts';
import { jobOfStage, planStages, type Submission } from '../../shared/stages.ts';
import type { JobView } from '../../shared/view.ts';
import * as queries from '../core/queries.ts';
import type { Blobs } from '../ports/files.ts';
import type { Store } from '../ports/store.ts';
import type { Clock } from '../ports/system.ts';
import type { Identity } from '../ports/trust.ts';
import { type Acceptable, acceptable, fillIn, type Surroundings } from './acceptance.ts';
import type { Catalog } from './catalog.ts';
import type { Farm } from './farm.ts';
import type { FarmLife } from './farm-life.ts';
import type { JobReader } from './job-reader.ts';

export interface SubmissionsOptions {
  readonly life: FarmLife;
  readonly store: Store;
  readonly catalog: Catalog;
  readonly reader: JobReader;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly defaultImage: string | null;
  /** Refuses a zip that no worker would unpack. @throws LanyardError INVALID naming the entry and the rule */
  readonly checkInput: (path: string) => Promise<unknown>;
}

/** Longest time that jobs of one request are taken without letting others have their turn (ms). */
const SLICE_MS = 10;
const NO_EARLIER: ReadonlyMap<JobId, JobSpec> = new Map();

/** How jobs come into the farm: checked, numbered, and acknowledged when they are on disk. */
export class Submissions {
  private readonly life: FarmLife;
  private readonly store: Store;
  private readonly catalog: Catalog;
  private readonly reader: JobReader;
  private readonly blobs: Blobs;
  private readonly clock: Clock;
  private readonly filledIn: Surroundings['filledIn'];
  private readonly checkInput: SubmissionsOptions['checkInput'];
  private nextJob: JobId;

  constructor({ life, store, catalog, reader, blobs, clock, defaultImage, checkInput }: SubmissionsOptions) {
    this.life = life;
    this.store = store;
    this.catalog = catalog;
    this.reader = reader;
    this.blobs = blobs;
    this.clock = clock;
    this.filledIn = oncePerRun((given) => fillIn(given, defaultImage));
    this.checkInput = checkInput;
    this.nextJob = store.nextJobId();
  }

  async submit(spec: JobSpec, by: Identity): Promise<JobView> {
    const inputBytes = spec.input === undefined ? null : await this.checkedInput(spec.input);
    return this.accept(spec, by, inputBytes, true);
  }

  async submitAll(specs: readonly JobSpec[], by: Identity): ReturnType<Farm['submitAll']> {
    const { life, clock } = this;
    const inputs = await this.checkedInputs(specs);
    const results: (JobId | LanyardError)[] = [];
    let stored = 0;
    let isAllStored = false;
    let begunMs = clock.elapsedMs();
    try {
      for (const spec of specs) {
        if (clock.elapsedMs() - begunMs > SLICE_MS) {
          await life.stored();
          [stored, isAllStored, begunMs] = [results.length, false, clock.elapsedMs()];
        }
        if (spec.afterTasks.length > 0 && !isAllStored) {
          await life.allSettled();
          [stored, isAllStored] = [results.length, true];
        }
        results.push(this.tryEnter(spec, by, spec.input === undefined ? null : (inputs.get(spec.input) ?? null)));
      }
      await life.stored();
      return results;
    } catch (error) {
      if (stored === 0 || !(error instanceof LanyardError)) throw error;
      return specs.map((_, position) => (position < stored ? (results[position] as JobId | LanyardError) : error));
    }
  }

  private tryEnter(spec: JobSpec, by: Identity, input: number | null | LanyardError): JobId | LanyardError {
    if (input instanceof LanyardError) return input;
    try {
      return this.enter(spec, by, input, true);
    } catch (error) {
      if (error instanceof LanyardError) return error;
      throw error;
    }
  }

  /** @returns the bytes of each input that is named, or what is wrong with it */
  private async checkedInputs(specs: readonly JobSpec[]): Promise<ReadonlyMap<BlobId, number | null | LanyardError>> {
    const inputs = new Map<BlobId, number | null | LanyardError>();
    for (const { input } of specs)
      if (input !== undefined && !inputs.has(input))
        inputs.set(
          input,
          await this.checkedInput(input).catch((error: unknown) => {
            if (error instanceof LanyardError) return error;
            throw error;
          }),
        );
    return inputs;
  }

  async submitStages(submission: Submission, by: Identity): Promise<JobView[]> {
    const stages = planStages(submission);
    const inputs = new Map<BlobId, number>();
    for (const { spec } of stages)
      if (spec.input !== undefined && !inputs.has(spec.input)) inputs.set(spec.input, await this.checkedInput(spec.input));
    await this.life.allSettled();
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
    await this.life.stored();
    return accepted.map(({ job }) => this.reader.mustView(job.id));
  }

  /** @returns its bytes. @throws LanyardError INVALID */
  private async checkedInput(input: BlobId): Promise<number> {
    const bytes = await this.blobs.size(input);
    if (bytes === undefined)
      throw new LanyardError({
        code: 'INVALID',
        field: 'input',
        message: `The input ${input} is not here.`,
        hint: 'Upload the blob first (PATCH /api/blobs/HASH).',
      });
    await this.checkInput(this.blobs.path(input));
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
        const bytes = (await this.blobs.size(blob)) ?? 0;
        this.catalog.set(id, undefined);
        await this.life.change({ type: 'input-ready', job: id, input: blob }, (batch) => batch.addInput({ job: id, input: blob, bytes }));
      },
      inputFailed: (message: string) => this.life.change({ type: 'input-failed', job: id, message }),
    };
  }

  private async accept(spec: JobSpec, by: Identity, inputBytes: number | null, inputReady: boolean): Promise<JobView> {
    if (spec.afterTasks.length > 0) await this.life.allSettled();
    const job = this.enter(spec, by, inputBytes, inputReady);
    await this.life.stored();
    return this.reader.mustView(job);
  }

  /** @returns the job's id; it is not on disk yet. @throws LanyardError INVALID */
  private enter(spec: JobSpec, by: Identity, inputBytes: number | null, inputReady: boolean): JobId {
    const accepted = acceptable(spec, { id: this.nextJob, owner: by.subject, inputBytes, inputReady }, this.surroundings(NO_EARLIER));
    this.take(accepted);
    return accepted.job.id;
  }

  private take({ job, stored }: Acceptable): void {
    this.nextJob = (job.id + 1) as JobId;
    this.catalog.set(job.id, stored);
    this.life.post({ type: 'job-submitted', job }, (batch) => batch.addSpec({ job: job.id, stored }));
  }

  /** @param earlier jobs of the same submission, which are about to be taken */
  private surroundings(earlier: ReadonlyMap<JobId, JobSpec>): Surroundings {
    const { store, filledIn } = this;
    return {
      store,
      filledIn,
      ended: (job) => {
        if (earlier.has(job) || queries.jobRow(this.life.farm, job) !== undefined) return null;
        return store.job(job)?.row.state;
      },
      spec: (job) => earlier.get(job) ?? this.catalog.entry(job)?.spec,
    };
  }
}
