import type { DatabaseSync } from 'node:sqlite';
import type { CanaryDecision } from '../../shared/canary.ts';
import type { BlobId, JobId } from '../../shared/ids.ts';
import type { JobRow } from '../../shared/job.ts';
import type { StoredSpec } from '../ports/store.ts';
import { writeBlob } from './rows.ts';

/** Jobs with the same specification in a row share one row of `spec`, up to so many ids from the first on: so few are looked at when one of them goes. */
const SHARED_BY = 1_000;

/** Writes the specifications of jobs. */
export interface SpecWriter {
  /** @returns the job whose row it shares, for its own row; null: it has one of its own */
  add(row: JobRow, stored: StoredSpec): JobId | null;
  /** @throws Error for a job without a specification of its own */
  setInput(job: JobId, input: BlobId, bytes: number): void;
  /** @throws Error for a job without a specification of its own */
  setCanary(job: JobId, decision: CanaryDecision): void;
  /** To be called before the job's own row goes. */
  remove(job: JobId): void;
  /** What was written last may not be there. */
  forget(): void;
}

export function createSpecWriter(database: DatabaseSync): SpecWriter {
  const insert = database.prepare('INSERT INTO spec (job, input, input_bytes, json) VALUES (?, ?, ?, ?)');
  const setInput = database.prepare('UPDATE spec SET input = ?, input_bytes = ? WHERE job = ?');
  const setCanary = database.prepare('UPDATE spec SET canary = ? WHERE job = ?');
  const remove = database.prepare(
    `DELETE FROM spec WHERE job = (SELECT coalesce(spec, id) FROM job WHERE id = :job) AND NOT EXISTS
      (SELECT 1 FROM job WHERE id BETWEEN spec.job AND spec.job + ${SHARED_BY} AND id <> :job AND coalesce(job.spec, id) = spec.job)`,
  );
  let last: { readonly spec: object; readonly job: JobId } | undefined;

  const mustBeThere = ({ changes }: { changes: number | bigint }, job: JobId) => {
    if (Number(changes) !== 1) throw new Error(`job ${job} has no row in spec`);
  };

  return {
    add({ id, state }, { spec, inputBytes }) {
      // Of the others something may yet be said that is not true of their neighbours.
      const mayShare = spec.input === undefined && spec.canary === undefined && state !== 'SUBMITTED';
      if (mayShare && last?.spec === spec && id > last.job && id - last.job < SHARED_BY) return last.job;
      insert.run(id, spec.input === undefined ? null : writeBlob(spec.input), inputBytes, JSON.stringify(spec));
      if (mayShare) last = { spec, job: id };
      return null;
    },
    setInput: (job, input, bytes) => mustBeThere(setInput.run(writeBlob(input), bytes, job), job),
    setCanary: (job, decision) => mustBeThere(setCanary.run(JSON.stringify(decision), job), job),
    remove(job) {
      last = undefined;
      remove.run({ job });
    },
    forget() {
      last = undefined;
    },
  };
}
