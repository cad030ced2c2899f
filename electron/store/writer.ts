import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { JobId, NodeId } from '../../shared/ids.ts';
import type { AttemptRow, JobRow, TaskRow } from '../../shared/job.ts';
import type { NodeRow } from '../../shared/node.ts';
import type { StoredSpec, WriteBatch } from '../ports/store.ts';
import { endsTask, KEEP_ATTEMPT, LONE_COLUMNS, loneValues, taskValues, usageValues } from './lone-tasks.ts';
import { AVAILABILITY_CODES, CARRIER_CODES, type Cell, foldName, JOB_VALUES, jobValues, REASON_CODES, writeBlob } from './rows.ts';
import { createSpecWriter, type SpecWriter } from './spec-writer.ts';

export interface Writer {
  /** Writes all of `batch` or, when it throws, nothing. @returns how many rows there were */
  commit(batch: WriteBatch): number;
  nextJobId(): JobId;
  nodeName(number: number): NodeId;
  nodeNumber(node: NodeId): number | undefined;
}

const PARTS = ['specs', 'inputs', 'canaries', 'jobs', 'tasks', 'attempts', 'nodes', 'owners', 'removedNodes', 'removedJobs'] as const;

/** The one writer of a database, its statements prepared once. */
export function createWriter(database: DatabaseSync): Writer {
  const statements = prepareAll(database);
  const specs = createSpecWriter(database);
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
      const rows = PARTS.reduce((sum, part) => sum + batch[part].length, 0);
      if (rows === 0) return rows;
      let next = nextJob;
      statements.begin.run();
      try {
        for (const { job } of batch.specs) if (job >= next) next = (job + 1) as JobId;
        // As long as no job is removed, the jobs themselves tell which id comes next.
        if (batch.removedJobs.length > 0) statements.setMeta.run(String(next), 'next_job');
        saveJobs({ statements, specs, numberOf }, batch);
        for (const { job, input, bytes } of batch.inputs) specs.setInput(job, input, bytes);
        for (const { job, decision } of batch.canaries) specs.setCanary(job, decision);
        for (const row of batch.nodes) saveNode(statements, row, numberOf(row.description.id));
        for (const { owner, usage, at } of batch.owners) statements.saveOwner.run(owner, usage, at);
        for (const node of batch.removedNodes) statements.removeNode.run(names.numbers.get(node) ?? null);
        for (const job of batch.removedJobs) {
          specs.remove(job);
          for (const remove of statements.removeJob) remove.run(job);
        }
        statements.commit.run();
        nextJob = next;
        return rows;
      } catch (error) {
        if (database.isTransaction) statements.rollback.run();
        names = loadNames(database);
        specs.forget();
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
  const insertJob = (columns: readonly string[]) =>
    prepare(`INSERT INTO job (id, name, folded_name, owner, spec, ${columns.join(', ')}) VALUES (${marks(5 + columns.length)})`);
  const updateJob = (columns: readonly string[]) => `UPDATE job SET ${columns.map((column) => `${column} = ?`).join(', ')} WHERE id = ?`;
  // A result that is there already is not written over.
  const ifOpen = 'AND (task_ran_for_ms IS NULL OR task_attempt < ?)';
  return {
    begin: prepare('BEGIN IMMEDIATE'),
    commit: prepare('COMMIT'),
    rollback: prepare('ROLLBACK'),
    setMeta: prepare('UPDATE meta SET value = ? WHERE key = ?'),
    addName: prepare('INSERT INTO node_name (id) VALUES (?)'),
    taskCount: prepare('SELECT task_count FROM job WHERE id = ?'),
    insertJob: insertJob(JOB_VALUES),
    insertJobAndTask: insertJob([...JOB_VALUES, ...LONE_COLUMNS]),
    updateJob: prepare(updateJob(JOB_VALUES)),
    updateJobAndTask: prepare(`${updateJob([...JOB_VALUES, ...LONE_COLUMNS])} ${ifOpen}`),
    updateTask: prepare(`${updateJob(LONE_COLUMNS)} ${ifOpen}`),
    keepAttempt: prepare(KEEP_ATTEMPT),
    saveTask: prepare(`INSERT OR REPLACE INTO task VALUES (${marks(15)})`),
    insertAttempt: prepare(`INSERT INTO attempt VALUES (${marks(13)})`),
    insertOutput: prepare('INSERT INTO output (job, task_index, path, number, bytes, blob) VALUES (?, ?, ?, ?, ?, ?)'),
    saveOwner: prepare('INSERT OR REPLACE INTO owner VALUES (?, ?, ?)'),
    saveNode: prepare(`INSERT OR REPLACE INTO node VALUES (${marks(7)})`),
    removeNode: prepare('DELETE FROM node WHERE number = ?'),
    removeJob: [
      prepare('DELETE FROM job WHERE id = ?'),
      ...['task', 'attempt', 'output'].map((table) => prepare(`DELETE FROM ${table} WHERE job = ?`)),
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
  const stored = Number(database.prepare("SELECT value FROM meta WHERE key = 'next_job'").get()?.value);
  const newest = Number(database.prepare('SELECT max(id) AS newest FROM job').get()?.newest ?? 0);
  return Math.max(stored, newest + 1) as JobId;
}

interface Tools {
  readonly statements: Statements;
  readonly specs: SpecWriter;
  readonly numberOf: (node: NodeId) => number;
}

/** The only task of a job, which is written with it, and the attempt that has ended it. */
interface LoneTask {
  readonly task: TaskRow;
  attempt?: AttemptRow;
}

/** Jobs with all that belongs to them. */
function saveJobs(tools: Tools, batch: WriteBatch): void {
  const { statements, numberOf } = tools;
  const lone = new Map<JobId, LoneTask>();
  const isAlone = onlyTasks(statements, batch);
  for (const task of batch.tasks)
    if (isAlone(task)) lone.set(task.job, { task });
    else saveTask(statements, task, numberOf);
  const attempts = batch.attempts.filter((attempt) => {
    const of = attempt.index === 0 ? lone.get(attempt.job) : undefined;
    if (of === undefined || !endsTask(attempt, of.task)) return true;
    of.attempt = attempt;
    return false;
  });
  const added = new Map(batch.specs.map(({ job, stored }) => [job, stored]));
  for (const row of batch.jobs) {
    saveJob(tools, row, added.get(row.id), lone.get(row.id));
    added.delete(row.id);
    lone.delete(row.id);
  }
  if (added.size > 0) throw new Error('a new job came without its first row');
  for (const [job, one] of lone) updateTask(tools, job, [], one, statements.updateTask);
  for (const row of attempts) saveAttempt(statements, row, numberOf(row.node));
  for (const { job, index, number, outputs } of batch.attempts)
    for (const { path, bytes, blob } of outputs) statements.insertOutput.run(job, index, path, number, bytes, writeBlob(blob));
}

/** @returns whether a task is the only one of its job */
function onlyTasks(statements: Statements, batch: WriteBatch): (task: TaskRow) => boolean {
  const counts = new Map(batch.jobs.map(({ id, taskCount }) => [id, taskCount]));
  return ({ job, index }) => {
    if (index > 0) return false;
    const count = counts.get(job);
    if (count !== undefined) return count === 1;
    return Number(statements.taskCount.get(job)?.task_count) === 1;
  };
}

/** @param stored of a job whose first row it is */
function saveJob(tools: Tools, row: JobRow, stored: StoredSpec | undefined, lone: LoneTask | undefined): void {
  const { statements, specs, numberOf } = tools;
  const values = jobValues(row);
  if (stored === undefined) {
    if (lone !== undefined) updateTask(tools, row.id, values, lone, statements.updateJobAndTask);
    else mustChange(statements.updateJob.run(...values, row.id), 'job', row.id);
    return;
  }
  const { name } = stored.spec;
  const fresh = [row.id, name, foldName(name), stored.owner, specs.add(row, stored), ...values];
  if (lone === undefined) statements.insertJob.run(...fresh);
  else statements.insertJobAndTask.run(...fresh, ...valuesOf(lone, numberOf));
}

function valuesOf({ task, attempt }: LoneTask, numberOf: Tools['numberOf']): Cell[] {
  return loneValues(task, task.node === null ? null : numberOf(task.node), attempt);
}

/** Writes a task into its job's row, with those of the job's own `values` that the statement takes. */
function updateTask({ statements, numberOf }: Tools, job: JobId, values: readonly Cell[], lone: LoneTask, update: StatementSync): void {
  const { task, attempt } = lone;
  const isFirst = task.attempt === 0 || (task.attempt === 1 && (attempt !== undefined || (task.finishedAt === null && task.node !== null)));
  // The attempts before this one, and this one too where its end is not written now.
  const below = attempt === undefined ? task.attempt + 1 : task.attempt;
  if (!isFirst) statements.keepAttempt.run(job, below);
  mustChange(update.run(...values, ...valuesOf(lone, numberOf), job, below), 'job', job);
}

function mustChange(result: { changes: number | bigint }, table: string, job: JobId): void {
  if (Number(result.changes) !== 1) throw new Error(`job ${job} has no row in ${table}`);
}

function saveTask(statements: Statements, row: TaskRow, numberOf: Tools['numberOf']): void {
  statements.saveTask.run(row.job, row.index, ...taskValues(row, row.node === null ? null : numberOf(row.node)));
}

function saveAttempt(statements: Statements, row: AttemptRow, node: number): void {
  const { job, index, number, reason, message, exitCode, assignedAt, startedAt, finishedAt } = row;
  const times = [assignedAt, startedAt, finishedAt];
  statements.insertAttempt.run(job, index, number, node, REASON_CODES[reason], message, exitCode, ...times, ...usageValues(row));
}

function saveNode(statements: Statements, row: NodeRow, number: number): void {
  const { description, adminAvailability, carrier, registeredAt, lastSeenAt } = row;
  const availability = AVAILABILITY_CODES[adminAvailability];
  const health = row.health === null ? null : JSON.stringify(row.health);
  statements.saveNode.run(number, JSON.stringify(description), availability, CARRIER_CODES[carrier], registeredAt, lastSeenAt, health);
}
