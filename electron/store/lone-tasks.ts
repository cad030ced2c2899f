import type { AttemptRow, TaskRow } from '../../shared/job.ts';
import { ATTEMPT_COLUMNS, type Cell, REASON_CODES, STATE_CODES, TASK_COLUMNS } from './rows.ts';

/**
 * The only task of a job has no row in `task`: it is in the row of its job, and so is its newest attempt, once that has ended the task.
 * All others have rows of their own. Whoever reads takes `EVERY_TASK` and `EVERY_ATTEMPT`, and need not know.
 */

/** Columns of an attempt that are not those of its task under another name. */
const USAGE = ['ran_for_ms', 'cpu_ms', 'peak_ram_mb'] as const;

/** What a task's row holds besides whose it is, in the order of `taskValues`. */
const TASK_VALUES = TASK_COLUMNS.filter((column) => column !== 'job' && column !== 'task_index');

/** The columns of `job` that hold the only task and its newest attempt, in the order of `loneValues`. */
export const LONE_COLUMNS = [...TASK_VALUES, ...USAGE].map(inJob);

function inJob(column: string): string {
  return `task_${column}`;
}

function loneColumn(column: string): string {
  if (column === 'job') return 'id';
  // With the affinity of the other tables' columns: only then SQLite takes a union apart and keeps the order of the indexes.
  if (column === 'task_index') return 'CAST(0 AS INTEGER)';
  return inJob(column === 'number' ? 'attempt' : column);
}

const select = (columns: readonly string[], table: string): string => `SELECT ${columns.join(', ')} FROM ${table}`;
const selectLone = (columns: readonly string[]): string =>
  `SELECT ${columns.map((column) => `${loneColumn(column)} AS ${column}`).join(', ')} FROM job`;
const HAS_TASK = 'task_state IS NOT NULL';
const HAS_ATTEMPT = 'task_ran_for_ms IS NOT NULL';

const LONE = `${selectLone(TASK_COLUMNS)} WHERE ${HAS_TASK}`;
export const LONE_TASK = `(${LONE})`;
export const EVERY_TASK = `(${select(TASK_COLUMNS, 'task')} UNION ALL ${LONE})`;
export const EVERY_ATTEMPT = `(${select(ATTEMPT_COLUMNS, 'attempt')} UNION ALL ${selectLone(ATTEMPT_COLUMNS)} WHERE ${HAS_ATTEMPT})`;

/** Gives the attempt that a job's row holds a row of its own, if its number is below a given one, before it is written over. */
export const KEEP_ATTEMPT = `INSERT INTO attempt (${ATTEMPT_COLUMNS.join(', ')}) ${selectLone(ATTEMPT_COLUMNS)}
  WHERE id = ? AND ${HAS_ATTEMPT} AND task_attempt < ?`;

/** @param node the number of `row.node` */
export function taskValues(row: TaskRow, node: number | null): Cell[] {
  return [
    STATE_CODES[row.state],
    row.attempt,
    row.retriesUsed,
    row.requeues,
    node,
    row.avoid.length === 0 ? null : JSON.stringify(row.avoid),
    row.assignedAt,
    row.startedAt,
    row.finishedAt,
    row.exitCode,
    row.reason === null ? null : REASON_CODES[row.reason],
    row.message,
    row.preemptions,
  ];
}

/** Workers measure finer than anybody wants to know. */
export function usageValues({ ranForMs, cpuMs, peakRamMb }: Pick<AttemptRow, 'ranForMs' | 'cpuMs' | 'peakRamMb'>): Cell[] {
  return [whole(ranForMs), whole(cpuMs), peakRamMb];
}

function whole(figure: number | null): number | null {
  return figure === null ? null : Math.round(figure);
}

const NO_USAGE = usageValues({ ranForMs: null, cpuMs: null, peakRamMb: null });

/** @param attempt the one that has ended the task, which then needs no row of its own (`endsTask`) */
export function loneValues(row: TaskRow, node: number | null, attempt: AttemptRow | undefined): Cell[] {
  return [...taskValues(row, node), ...(attempt === undefined ? NO_USAGE : usageValues(attempt))];
}

/** @returns whether the task's row says of the attempt all but what it has used */
export function endsTask(attempt: AttemptRow, task: TaskRow): boolean {
  return (
    attempt.ranForMs !== null &&
    attempt.number === task.attempt &&
    attempt.node === task.node &&
    attempt.reason === task.reason &&
    attempt.message === task.message &&
    attempt.exitCode === task.exitCode &&
    attempt.assignedAt === task.assignedAt &&
    attempt.startedAt === task.startedAt &&
    attempt.finishedAt === task.finishedAt
  );
}
