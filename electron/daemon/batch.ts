import { type JobId, type TaskId, taskId } from '../../shared/ids.ts';
import type { JobRow, OwnerRow, TaskRow } from '../../shared/job.ts';
import type { NodeRow } from '../../shared/node.ts';
import type { CoordinatorEffect } from '../core/effects.ts';
import type { WriteBatch } from '../ports/store.ts';

/** Gathers what one turn writes; of several versions of one row the last counts. */
export interface BatchBuilder {
  /** Notes the effect's row; effects that write nothing are not looked at. */
  take(effect: CoordinatorEffect): void;
  addSpec(spec: WriteBatch['specs'][number]): void;
  addInput(input: WriteBatch['inputs'][number]): void;
  removeJob(job: JobId): void;
  /** @returns the batch, or undefined when there is nothing to write; the builder is empty afterwards */
  finish(): WriteBatch | undefined;
}

export function createBatchBuilder(): BatchBuilder {
  let jobs = new Map<JobId, JobRow>();
  let tasks = new Map<JobId | TaskId, TaskRow>();
  let nodes = new Map<string, NodeRow>();
  let owners = new Map<string, OwnerRow>();
  let lists = emptyLists();

  return {
    take(effect) {
      switch (effect.type) {
        case 'save-job':
          jobs.set(effect.row.id, effect.row);
          break;
        case 'save-task':
          tasks.set(keyOf(effect.row), effect.row);
          break;
        case 'save-attempt':
          lists.attempts.push(effect.row);
          break;
        case 'save-canary':
          lists.canaries.push({ job: effect.job, decision: effect.decision });
          break;
        case 'save-owner':
          owners.set(effect.row.owner, effect.row);
          break;
        case 'save-node':
          nodes.set(effect.row.description.id, effect.row);
          break;
        case 'remove-node':
          nodes.delete(effect.node);
          lists.removedNodes.push(effect.node);
          break;
      }
    },
    addSpec: (spec) => void lists.specs.push(spec),
    addInput: (input) => void lists.inputs.push(input),
    removeJob: (job) => void lists.removedJobs.push(job),
    finish() {
      const batch = {
        ...lists,
        jobs: [...jobs.values()],
        tasks: [...tasks.values()],
        nodes: [...nodes.values()],
        owners: [...owners.values()],
      };
      if (Object.values(batch).every((list) => list.length === 0)) return undefined;
      jobs = new Map();
      tasks = new Map();
      nodes = new Map();
      owners = new Map();
      lists = emptyLists();
      return batch;
    },
  };
}

/** Of the first task of a job, which most often is the only one, the job's own number: a text for each would cost more than all else here. */
function keyOf({ job, index }: TaskRow): JobId | TaskId {
  return index === 0 ? job : taskId(job, index);
}

type Mutable<T> = { [Key in keyof T]: T[Key] extends readonly (infer Item)[] ? Item[] : T[Key] };

function emptyLists(): Mutable<Pick<WriteBatch, 'specs' | 'inputs' | 'canaries' | 'attempts' | 'removedNodes' | 'removedJobs'>> {
  return { specs: [], inputs: [], canaries: [], attempts: [], removedNodes: [], removedJobs: [] };
}
