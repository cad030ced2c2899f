import type { DatabaseSync } from 'node:sqlite';
import type { BlobId, JobId, NodeId } from '../../shared/ids.ts';
import { isTerminal, type JobRow, type JobState, type OutputFile, TASK_STATES, type TaskRow } from '../../shared/job.ts';
import type { Store, StoredSpec } from '../ports/store.ts';
import { jobsInState, listJobs } from './job-lists.ts';
import { EVERY_ATTEMPT, EVERY_TASK, LONE_TASK } from './lone-tasks.ts';
import {
  type Cell,
  type Cells,
  JOB_COLUMNS,
  LIVE_JOB_COLUMNS,
  REASON_CODES,
  readAttempt,
  readBlob,
  readJob,
  readLiveJob,
  readNode,
  readOutput,
  readOwner,
  readSpec,
  readTask,
  STATE_CODES,
  stateLiterals,
  TASK_COLUMNS,
  writeBlob,
} from './rows.ts';
import type { Writer } from './writer.ts';

export type Reader = Pick<
  Store,
  | 'load'
  | 'runs'
  | 'readTogether'
  | 'spec'
  | 'job'
  | 'jobs'
  | 'task'
  | 'tasks'
  | 'attempts'
  | 'nodeAttempts'
  | 'newestJobOf'
  | 'outputs'
  | 'node'
  | 'referencedBlobs'
>;

const LIVE_JOBS = stateLiterals(TASK_STATES.filter((state) => !isTerminal(state)))
  .map((code) => `SELECT id FROM ${jobsInState(code)}`)
  .join(' UNION ALL ');
/** All that is read from a database. Each method sees what was committed before it was called. */
export function createReader(database: DatabaseSync, writer: Writer): Reader {
  const all = (sql: string) => {
    const statement = database.prepare(sql);
    return (...values: Cell[]) => statement.all(...values) as Cells[];
  };
  const specOf = all(
    'SELECT owner, input, input_bytes, json, canary FROM job JOIN spec ON spec.job = coalesce(job.spec, job.id) WHERE job.id = ?',
  );
  const jobOf = all(`SELECT ${JOB_COLUMNS.join(', ')} FROM job WHERE id = ?`);
  const taskOf = all(`SELECT * FROM ${EVERY_TASK} WHERE job = ? AND task_index = ?`);
  const attemptsOf = all(`SELECT * FROM ${EVERY_ATTEMPT} WHERE job = ? AND task_index = ? ORDER BY number`);
  const attemptsOfNode = all(
    `SELECT page.*, job.name AS job_name, job.owner
      FROM (SELECT * FROM ${EVERY_ATTEMPT} WHERE node = ? ORDER BY finished_at DESC LIMIT ? OFFSET ?) AS page JOIN job ON job.id = page.job
      ORDER BY page.finished_at DESC`,
  );
  const countOfNode = all(`SELECT count(*) AS total FROM ${EVERY_ATTEMPT} WHERE node = ?`);
  const newestOfInput = all(
    'SELECT job.id, job.name FROM spec JOIN job ON job.id = spec.job WHERE spec.input = ? ORDER BY spec.job DESC LIMIT 1',
  );
  const runsOfJob = all(
    `SELECT node, ran_for_ms, finished_at, task_index FROM ${EVERY_ATTEMPT}
      WHERE job = ? AND reason = ${REASON_CODES.completed} AND ran_for_ms > 0 ORDER BY task_index DESC LIMIT ?`,
  );
  const outputsOfTask = all('SELECT * FROM output WHERE job = ? AND task_index = ? ORDER BY path');
  const outputsOfJob = all('SELECT * FROM output WHERE job = ? ORDER BY task_index, path');
  const nodeOf = all('SELECT * FROM node WHERE number = ?');
  const nodes = all('SELECT * FROM node ORDER BY number');
  const owners = all('SELECT * FROM owner ORDER BY owner');
  const begin = database.prepare('BEGIN');
  const end = database.prepare('COMMIT');

  const spec: SpecOf = (job) => {
    const cells = specOf(job)[0];
    return cells === undefined ? undefined : readSpec(cells);
  };

  return {
    load: () => ({ jobs: loadJobs(database, writer, spec), nodes: nodes().map(readNode), owners: owners().map(readOwner) }),
    readTogether(read) {
      begin.run();
      try {
        return read();
      } finally {
        if (database.isTransaction) end.run();
      }
    },
    spec,
    job(job) {
      const cells = jobOf(job)[0];
      return cells === undefined ? undefined : readJob(cells);
    },
    jobs: (query) => listJobs(database, query),
    task(job, index) {
      const cells = taskOf(job, index)[0];
      return cells === undefined ? undefined : readTask(cells, writer.nodeName);
    },
    tasks: (job, query) => listTasks(database, writer, job, query),
    attempts(job, index) {
      const outputs = outputsOfTask(job, index);
      return attemptsOf(job, index).map((cells) => readAttempt(cells, writer.nodeName, outputsOfAttempt(outputs, cells.number)));
    },
    runs(job, count) {
      const cells = runsOfJob(job, count).sort((one, other) => Number(one.finished_at) - Number(other.finished_at));
      return cells.map(({ node, ran_for_ms }) => ({ node: writer.nodeName(Number(node)), ranForMs: Number(ran_for_ms) }));
    },
    nodeAttempts(node, { limit, offset }) {
      const number = writer.nodeNumber(node) ?? null;
      const attempts = attemptsOfNode(number, limit, offset).map(({ job_name, owner, ...cells }) => ({
        // What an attempt produced is not asked of a machine's history.
        row: readAttempt(cells, writer.nodeName, []),
        jobName: String(job_name),
        owner: String(owner),
      }));
      return { attempts, total: Number(countOfNode(number)[0]?.total) };
    },
    newestJobOf(input) {
      const found = newestOfInput(writeBlob(input))[0];
      return found === undefined ? undefined : { id: Number(found.id) as JobId, name: String(found.name) };
    },
    outputs: (job, index) => (index === undefined ? outputsOfJob(job) : outputsOfTask(job, index)).map(readOutput),
    node(node: NodeId) {
      const cells = nodeOf(writer.nodeNumber(node) ?? null)[0];
      return cells === undefined ? undefined : readNode(cells);
    },
    referencedBlobs: () => referencedBlobs(database),
  };
}

function outputsOfAttempt(outputs: readonly Cells[], number: unknown): OutputFile[] {
  return outputs
    .filter((cells) => cells.number === number)
    .map(readOutput)
    .map(({ path, bytes, blob }) => ({ path, bytes, blob }));
}

type LoadedJobs = ReturnType<Reader['load']>['jobs'];
type SpecOf = (job: JobId) => StoredSpec | undefined;

/** A class, so that `stored` is one getter and not one for each of a million jobs. */
class LoadedJob {
  readonly row: JobRow;
  readonly tasks: readonly TaskRow[];
  readonly #specOf: SpecOf;

  constructor(row: JobRow, tasks: readonly TaskRow[], specOf: SpecOf) {
    this.row = row;
    this.tasks = tasks;
    this.#specOf = specOf;
  }

  /** Read from the file each time it is asked for: a million specifications at once would not fit into memory. */
  get stored(): StoredSpec {
    const stored = this.#specOf(this.row.id);
    if (stored === undefined) throw new Error(`job ${this.row.id} has no specification any more`);
    return stored;
  }
}

const NO_TASKS: readonly TaskRow[] = [];

function loadJobs(database: DatabaseSync, writer: Writer, specOf: SpecOf): LoadedJobs {
  const tasksByJob = new Map<JobId, TaskRow[]>();
  // One after the other: together they would have to be sorted.
  for (const tasks of ['task', LONE_TASK])
    for (const cells of iterate(database, TASK_COLUMNS, `${tasks} WHERE job IN (${LIVE_JOBS}) ORDER BY job, task_index`)) {
      const task = readTask(cells, writer.nodeName);
      const known = tasksByJob.get(task.job);
      if (known === undefined) tasksByJob.set(task.job, [task]);
      else known.push(task);
    }
  const jobs: LoadedJob[] = [];
  for (const cells of iterate(database, LIVE_JOB_COLUMNS, `job WHERE id IN (${LIVE_JOBS}) ORDER BY id`)) {
    const tasks = tasksByJob.get(cells.id as JobId) ?? NO_TASKS;
    jobs.push(new LoadedJob(readLiveJob(cells, tasks), tasks, specOf));
  }
  return jobs;
}

/** As `StatementSync.iterate`, in a third of the time: there, each row's object is made property by property in native code. */
function* iterate(database: DatabaseSync, columns: readonly string[], from: string): Generator<Cells> {
  const statement = database.prepare(`SELECT ${columns.join(', ')} FROM ${from}`);
  statement.setReturnArrays(true);
  for (const values of statement.iterate() as Iterable<unknown>) {
    const cells: Record<string, unknown> = {};
    for (let column = 0; column < columns.length; column++) cells[columns[column] as string] = (values as Cell[])[column];
    yield cells;
  }
}

function listTasks(
  database: DatabaseSync,
  writer: Writer,
  job: JobId,
  query: { readonly fromIndex: number; readonly limit: number; readonly states?: readonly JobState[] },
): readonly TaskRow[] {
  const rows = 'job = :job AND task_index >= :from';
  const branches =
    query.states === undefined
      ? [`SELECT * FROM ${EVERY_TASK} WHERE ${rows}`]
      : stateLiterals(query.states).flatMap((code) => [
          tasksInState(code, rows),
          `SELECT * FROM ${LONE_TASK} WHERE ${rows} AND state = ${code}`,
        ]);
  if (branches.length === 0) return [];
  const statement = database.prepare(`${branches.join(' UNION ALL ')} ORDER BY task_index LIMIT :limit`);
  return statement.all({ job, from: query.fromIndex, limit: query.limit }).map((cells) => readTask(cells, writer.nodeName));
}

/** SQLite takes the index of unsuccessful tasks only where it is named and the query repeats the index's own condition. */
function tasksInState(code: number, rows: string): string {
  return code < STATE_CODES.FAILED
    ? `SELECT * FROM task WHERE ${rows} AND state = ${code}`
    : `SELECT * FROM task INDEXED BY task_unsuccessful WHERE ${rows} AND state = ${code} AND state >= ${STATE_CODES.FAILED}`;
}

function referencedBlobs(database: DatabaseSync): ReadonlySet<BlobId> {
  const blobs = new Set<BlobId>();
  const statement = database.prepare('SELECT blob FROM output UNION SELECT input FROM spec WHERE input IS NOT NULL');
  for (const { blob } of statement.iterate()) blobs.add(readBlob(blob as Uint8Array));
  return blobs;
}
