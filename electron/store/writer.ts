import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { JobId, NodeId } from '../../shared/ids.ts';
import type { AttemptRow, JobRow, JobSpec, TaskRow } from '../../shared/job.ts';
import type { NodeRow } from '../../shared/node.ts';
import { oncePerRun } from '../../shared/once-per-run.ts';
import type { StoredSpec, WriteBatch } from '../ports/store.ts';
import { AVAILABILITY_CODES, CARRIER_CODES, foldName, jobValues, REASON_CODES, STATE_CODES, writeBlob } from './rows.ts';

export interface Writer {
  /** Writes all of `batch` or, when it throws, nothing. */
  commit(batch: WriteBatch): void;
  nextJobId(): JobId;
  nodeName(number: number): NodeId;
  nodeNumber(node: NodeId): number | undefined;
}

const PARTS = ['specs', 'inputs', 'canaries', 'jobs', 'tasks', 'attempts', 'nodes', 'owners', 'removedNodes', 'removedJobs'] as const;

/** The one writer of a database, its statements prepared once. */
export function createWriter(database: DatabaseSync): Writer {
  const statements = prepareAll(database);
  let names = loadNames(database);
  let nextJob = loadNextJob(database);

  const numberOf = (node: NodeId): number => {
    const known = names.numbers.get(node);
    if (known !== undefined) return known;
    const number = Number(statements.addName.run(node).lastInsertRowid);
    names.numbers.set(node, number);
    names.words.set(number, node);
    return number;
  };

  return {
    commit(batch) {
      if (PARTS.every((part) => batch[part].length === 0)) return;
      let next = nextJob;
      statements.begin.run();
      try {
        const added = new Map(batch.specs.map(({ job, stored }) => [job, stored]));
        for (const { job, stored } of batch.specs) {
          insertSpec(statements, job, stored);
          if (job >= next) next = (job + 1) as JobId;
        }
        if (next !== nextJob) statements.setMeta.run(String(next), 'next_job');
        for (const { job, input, bytes } of batch.inputs) mustChange(statements.setInput.run(writeBlob(input), bytes, job), 'spec', job);
        for (const { job, decision } of batch.canaries) mustChange(statements.setCanary.run(JSON.stringify(decision), job), 'spec', job);
        for (const row of batch.jobs) saveJob(statements, row, added);
        if (added.size > 0) throw new Error('a new job came without its first row');
        for (const row of batch.tasks) saveTask(statements, row, numberOf);
        for (const row of batch.attempts) saveAttempt(statements, row, numberOf(row.node));
        for (const row of batch.nodes) saveNode(statements, row, numberOf(row.description.id));
        for (const { owner, usage, at } of batch.owners) statements.saveOwner.run(owner, usage, at);
        for (const node of batch.removedNodes) statements.removeNode.run(names.numbers.get(node) ?? null);
        for (const job of batch.removedJobs) for (const remove of statements.removeJob) remove.run(job);
        statements.commit.run();
        nextJob = next;
      } catch (error) {
        if (database.isTransaction) statements.rollback.run();
        names = loadNames(database);
        throw error;
      }
    },
    nextJobId: () => nextJob,
    nodeName(number) {
      const name = names.words.get(number);
      if (name === undefined) throw new Error(`node number ${number} has no name`);
      return name;
    },
    nodeNumber: (node) => names.numbers.get(node),
  };
}

type Statements = ReturnType<typeof prepareAll>;

function prepareAll(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  const marks = (count: number): string => Array(count).fill('?').join(',');
  return {
    begin: prepare('BEGIN IMMEDIATE'),
    commit: prepare('COMMIT'),
    rollback: prepare('ROLLBACK'),
    setMeta: prepare('UPDATE meta SET value = ? WHERE key = ?'),
    addName: prepare('INSERT INTO node_name (id) VALUES (?)'),
    insertSpec: prepare('INSERT INTO spec (job, input, input_bytes, json) VALUES (?, ?, ?, ?)'),
    setInput: prepare('UPDATE spec SET input = ?, input_bytes = ? WHERE job = ?'),
    setCanary: prepare('UPDATE spec SET canary = ? WHERE job = ?'),
    insertJob: prepare(
      `INSERT INTO job (state, priority, position, held, task_count, rest_state, counts, retries, submitted_at, queued_at, started_at, finished_at,
        reason, id, name, folded_name, owner) VALUES (${marks(17)})`,
    ),
    updateJob: prepare(
      `UPDATE job SET state = ?, priority = ?, position = ?, held = ?, task_count = ?, rest_state = ?, counts = ?, retries = ?, submitted_at = ?,
        queued_at = ?, started_at = ?, finished_at = ?, reason = ? WHERE id = ?`,
    ),
    saveTask: prepare(`INSERT OR REPLACE INTO task VALUES (${marks(15)})`),
    insertAttempt: prepare(`INSERT INTO attempt VALUES (${marks(13)})`),
    insertOutput: prepare('INSERT INTO output (job, task_index, path, number, bytes, blob) VALUES (?, ?, ?, ?, ?, ?)'),
    saveOwner: prepare('INSERT OR REPLACE INTO owner VALUES (?, ?, ?)'),
    saveNode: prepare(`INSERT OR REPLACE INTO node VALUES (${marks(7)})`),
    removeNode: prepare('DELETE FROM node WHERE number = ?'),
    removeJob: [
      prepare('DELETE FROM job WHERE id = ?'),
      ...['spec', 'task', 'attempt', 'output'].map((table) => prepare(`DELETE FROM ${table} WHERE job = ?`)),
    ],
  };
}

function loadNames(database: DatabaseSync) {
  const numbers = new Map<NodeId, number>();
  const words = new Map<number, NodeId>();
  for (const row of database.prepare('SELECT number, id FROM node_name').iterate()) {
    numbers.set(row.id as NodeId, row.number as number);
    words.set(row.number as number, row.id as NodeId);
  }
  return { numbers, words };
}

function loadNextJob(database: DatabaseSync): JobId {
  return Number(database.prepare("SELECT value FROM meta WHERE key = 'next_job'").get()?.value) as JobId;
}

const textOf = oncePerRun((spec: JobSpec) => JSON.stringify(spec));

function insertSpec(statements: Statements, job: JobId, { spec, inputBytes }: StoredSpec): void {
  statements.insertSpec.run(job, spec.input === undefined ? null : writeBlob(spec.input), inputBytes, textOf(spec));
}

/** `added` holds the specifications of this batch whose first row has not been seen yet. */
function saveJob(statements: Statements, row: JobRow, added: Map<JobId, StoredSpec>): void {
  const stored = added.get(row.id);
  if (stored === undefined) {
    mustChange(statements.updateJob.run(...jobValues(row)), 'job', row.id);
    return;
  }
  added.delete(row.id);
  const { name } = stored.spec;
  statements.insertJob.run(...jobValues(row), name, foldName(name), stored.owner);
}

function mustChange(result: { changes: number | bigint }, table: string, job: JobId): void {
  if (Number(result.changes) !== 1) throw new Error(`job ${job} has no row in ${table}`);
}

function saveTask(statements: Statements, row: TaskRow, numberOf: (node: NodeId) => number): void {
  statements.saveTask.run(
    row.job,
    row.index,
    STATE_CODES[row.state],
    row.attempt,
    row.retriesUsed,
    row.requeues,
    row.node === null ? null : numberOf(row.node),
    row.avoid.length === 0 ? null : JSON.stringify(row.avoid),
    row.assignedAt,
    row.startedAt,
    row.finishedAt,
    row.exitCode,
    row.reason === null ? null : REASON_CODES[row.reason],
    row.message,
    row.preemptions,
  );
}

function saveAttempt(statements: Statements, row: AttemptRow, node: number): void {
  const { job, index, number } = row;
  const reason = REASON_CODES[row.reason];
  const times = [row.assignedAt, row.startedAt, row.finishedAt];
  const usage = [whole(row.ranForMs), whole(row.cpuMs), row.peakRamMb];
  statements.insertAttempt.run(job, index, number, node, reason, row.message, row.exitCode, ...times, ...usage);
  for (const { path, bytes, blob } of row.outputs) statements.insertOutput.run(job, index, path, number, bytes, writeBlob(blob));
}

/** Workers measure finer than anybody wants to know. */
function whole(figure: number | null): number | null {
  return figure === null ? null : Math.round(figure);
}

function saveNode(statements: Statements, row: NodeRow, number: number): void {
  const { description, adminAvailability, carrier, registeredAt, lastSeenAt } = row;
  const availability = AVAILABILITY_CODES[adminAvailability];
  const health = row.health === null ? null : JSON.stringify(row.health);
  statements.saveNode.run(number, JSON.stringify(description), availability, CARRIER_CODES[carrier], registeredAt, lastSeenAt, health);
}
