import { attemptId, type JobId } from '../../shared/ids.ts';
import type { JobSpec } from '../../shared/job.ts';
import { oncePerRun } from '../../shared/once-per-run.ts';
import type { Assignment, Work } from '../../shared/protocol.ts';
import { createRecent } from '../../shared/recent.ts';
import { splitTasks, type TaskSplit } from '../../shared/tasks.ts';
import type { Store, StoredOutput, StoredSpec } from '../ports/store.ts';

/**
 * Jobs whose texts are surely kept in memory; the others are read from the store when they are needed. So few that most are let go while
 * they are young to the collector: a thousand more of them made each of its rounds twice as long.
 */
const KEPT_JOBS = 250;

export interface CatalogEntry extends StoredSpec {
  readonly split: TaskSplit;
  /**
   * What a worker gets of it; made when the job is first placed, because only then the outputs it builds on are all there. Jobs of one
   * specification that follow each other get the same object.
   */
  work(): Work;
  /** What one of its tasks builds on: the outputs of its counterparts in other jobs, which are there when it is placed. */
  files(index: number): Work['files'];
}

/** The texts of jobs, which the core does not hold: command, environment, parameters. */
export interface Catalog {
  /** @returns undefined for a job that is not (or no longer) stored */
  entry(job: JobId): CatalogEntry | undefined;
  /** What of it has to be read from the store meanwhile is read as one. */
  readTogether: Store['readTogether'];
  /** Puts in what was just submitted, or drops what has changed or ended (`undefined`). */
  set(job: JobId, stored: StoredSpec | undefined): void;
}

const splitOf = oncePerRun(({ tasks }: JobSpec) => splitTasks(tasks));

export function openCatalog(store: Store): Catalog {
  const kept = createRecent<JobId, CatalogEntry>(KEPT_JOBS);
  let last: { readonly stored: StoredSpec; readonly work: Work } | undefined;

  const workOf = (stored: StoredSpec): Work => {
    if (last === undefined || !haveWorkInCommon(last.stored, stored)) last = { stored, work: toWork(stored, store) };
    return last.work;
  };

  const keep = (job: JobId, stored: StoredSpec): CatalogEntry => {
    const split = splitOf(stored.spec);
    if (typeof split === 'string') throw new Error(`job ${job} was stored although ${split}`);
    let work: Work | undefined;
    const entry: CatalogEntry = {
      ...stored,
      split,
      work() {
        work ??= workOf(stored);
        return work;
      },
      files: (index) => ownSources(stored.spec).flatMap((other) => store.outputs(other, index).map(toFile)),
    };
    kept.set(job, entry);
    return entry;
  };

  return {
    entry(job) {
      const entry = kept.get(job);
      if (entry !== undefined) return entry;
      const stored = store.spec(job);
      return stored === undefined ? undefined : keep(job, stored);
    },
    readTogether: (read) => store.readTogether(read),
    set(job, stored) {
      kept.delete(job);
      if (stored !== undefined) keep(job, stored);
    },
  };
}

/** @returns the assignment of one attempt: its id and its task's parameters */
export function toAssignment(entry: CatalogEntry, job: JobId, index: number, number: number, gpus: readonly string[]): Assignment {
  const files = entry.files(index);
  return {
    attempt: attemptId(job, index, number),
    parameters: entry.split.parameters(index),
    ...(gpus.length === 0 ? {} : { gpus: [...gpus] }),
    ...(files.length === 0 ? {} : { files }),
  };
}

/** What other jobs have produced is asked for each time: a retry may have produced something else meanwhile. */
function haveWorkInCommon(one: StoredSpec, other: StoredSpec): boolean {
  return one.spec === other.spec && one.owner === other.owner && one.inputBytes === other.inputBytes && one.spec.inputsFrom.length === 0;
}

function toWork(stored: StoredSpec, store: Store): Work {
  const { spec } = stored;
  return {
    name: spec.name,
    owner: stored.owner,
    command: spec.command,
    image: resolvedImage(spec),
    input: spec.input === undefined ? null : { blob: spec.input, bytes: stored.inputBytes ?? 0 },
    files: spec.inputsFrom.filter((other) => !spec.afterTasks.includes(other)).flatMap((other) => store.outputs(other).map(toFile)),
    env: spec.env,
    workdir: spec.workdir,
    outputs: spec.outputs,
    requirements: spec.requirements,
    timeoutMs: spec.timeoutMs,
    network: spec.network,
  };
}

/** The jobs of which a task gets the outputs of its counterpart only. */
function ownSources(spec: JobSpec): readonly JobId[] {
  return spec.inputsFrom.filter((other) => spec.afterTasks.includes(other));
}

function toFile({ path, blob, bytes }: StoredOutput): Work['files'][number] {
  return { path, blob, bytes };
}

/** The farm's default image was filled in at submission, so an absent one can only mean the host executor. */
export function resolvedImage(spec: JobSpec): string | null {
  return spec.image ?? null;
}
