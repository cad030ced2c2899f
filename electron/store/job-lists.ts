import type { DatabaseSync } from 'node:sqlite';
import { isTerminal, type JobState, TASK_STATES } from '../../shared/job.ts';
import type { JobQuery, Store } from '../ports/store.ts';
import { type Cell, foldName, JOB_COLUMNS, readJob, STATE_CODES, stateLiterals } from './rows.ts';

/**
 * Jobs that wait, run and have ended stand in indexes of their own: most jobs of a busy farm go from nowhere to a place, and from there
 * to their end, and one index of all would be written at each step. SQLite takes such an index only where a query repeats its condition.
 */
export function jobsInState(code: number): string {
  return `job WHERE state = ${code} AND ${conditionOf(code)}`;
}

function conditionOf(code: number): string {
  if (code <= STATE_CODES.QUEUED) return 'state <= 1';
  return code <= STATE_CODES.RUNNING ? 'state IN (2, 3)' : 'state >= 4';
}

const ORDERS = { newest: 'id DESC', oldest: 'id ASC', priority: 'priority DESC, position ASC, id ASC' } as const;

/** Jobs of some states in one order. */
interface Section {
  readonly states: readonly JobState[];
  readonly order: keyof typeof ORDERS;
}

/** A page of jobs, and how many there are in all. */
export function listJobs(database: DatabaseSync, query: JobQuery): ReturnType<Store['jobs']> {
  const filters: string[] = [];
  const values: Record<string, Cell> = {};
  if (query.owner !== undefined) {
    filters.push('owner = :owner');
    values.owner = query.owner;
  }
  if (query.search !== undefined && query.search !== '') {
    filters.push('instr(folded_name, :search) > 0');
    values.search = foldName(query.search);
  }
  const found: ReturnType<Store['jobs']>['jobs'][number][] = [];
  let total = 0;
  for (const { states, order } of sectionsOf(query)) {
    const branches = stateLiterals(states).map((code) => [jobsInState(code), ...filters].join(' AND '));
    if (branches.length === 0) continue;
    const page = database.prepare(pageOf(branches, order));
    const [limit, offset] = [query.limit - found.length, Math.max(0, query.offset - total)];
    if (limit > 0) found.push(...page.all({ ...values, limit, offset }).map(readJob));
    const counts = branches.map((branch) => `(SELECT count(*) FROM ${branch})`);
    total += Number(database.prepare(`SELECT ${counts.join(' + ')} AS total`).get(values)?.total);
  }
  return { jobs: found, total };
}

/** What has ended has no place in the order of priority any more: it comes behind, as it came. */
function sectionsOf({ states = TASK_STATES, order }: JobQuery): Section[] {
  if (order !== 'priority') return [{ states, order }];
  return [
    { states: states.filter((state) => !isTerminal(state)), order },
    { states: states.filter(isTerminal), order: 'newest' },
  ];
}

/**
 * One branch for each state asked for: within one state an index gives the ids in the wanted order, and SQLite merges the
 * branches without sorting, so that a page costs what it and the pages before it hold. Only what runs is sorted.
 */
function pageOf(branches: readonly string[], order: Section['order']): string {
  const columns = order === 'priority' ? 'id, priority, position' : 'id';
  const ids = branches.map((branch) => `SELECT ${columns} FROM ${branch}`).join(' UNION ALL ');
  return `SELECT ${JOB_COLUMNS.map((column) => `job.${column}`).join(', ')}
    FROM (${ids} ORDER BY ${ORDERS[order]} LIMIT :limit OFFSET :offset) AS page JOIN job USING (id)
    ORDER BY ${ORDERS[order].replaceAll(/(priority|position|id) /g, 'job.$1 ')}`;
}
