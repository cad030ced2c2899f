import type { DatabaseSync } from 'node:sqlite';

/** Written into every database of ours (`LNYD`), so that another program's file is never taken for one. */
export const APPLICATION_ID = 0x4c4e5944;

/**
 * Step N turns a version N-1 database into version N. Steps are only ever appended: files of every version that was
 * released are in use somewhere, and `compatibility.test.ts` opens one of each.
 *
 * Rows are compact because there may be millions: codes instead of words (`rows.ts`), numbers instead of node names,
 * bytes instead of hexadecimal, and no row ids where the natural key is composite.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE spec (
    job INTEGER PRIMARY KEY,
    input BLOB,
    input_bytes INTEGER,
    json TEXT NOT NULL
  ) STRICT;

  CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    owner TEXT NOT NULL,
    state INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    held INTEGER NOT NULL,
    task_count INTEGER NOT NULL,
    rest_state INTEGER NOT NULL,
    counts TEXT NOT NULL,
    retries INTEGER NOT NULL,
    submitted_at INTEGER NOT NULL,
    queued_at INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    reason TEXT
  ) STRICT;
  CREATE INDEX job_by_state ON job (state);
  CREATE INDEX job_by_state_and_priority ON job (state, priority DESC);
  CREATE INDEX job_by_owner ON job (owner, state);
  CREATE INDEX job_by_owner_and_priority ON job (owner, state, priority DESC);

  CREATE TABLE task (
    job INTEGER NOT NULL,
    task_index INTEGER NOT NULL,
    state INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    retries_used INTEGER NOT NULL,
    requeues INTEGER NOT NULL,
    node INTEGER,
    avoid TEXT,
    assigned_at INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    exit_code INTEGER,
    reason INTEGER,
    message TEXT,
    PRIMARY KEY (job, task_index)
  ) STRICT, WITHOUT ROWID;
  -- Only the states that are rare and looked for: an index of all would cost each of a task's moves a second write.
  CREATE INDEX task_unsuccessful ON task (job, state) WHERE state >= 5;

  CREATE TABLE attempt (
    job INTEGER NOT NULL,
    task_index INTEGER NOT NULL,
    number INTEGER NOT NULL,
    node INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    message TEXT,
    exit_code INTEGER,
    assigned_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER NOT NULL,
    PRIMARY KEY (job, task_index, number)
  ) STRICT, WITHOUT ROWID;

  -- Without the attempt's number in the key: a second result of one task does not fit in.
  CREATE TABLE output (
    job INTEGER NOT NULL,
    task_index INTEGER NOT NULL,
    path TEXT NOT NULL,
    number INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    blob BLOB NOT NULL,
    PRIMARY KEY (job, task_index, path)
  ) STRICT, WITHOUT ROWID;

  -- Every node that a row names, for ever: the history of a job outlives the node.
  CREATE TABLE node_name (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;

  CREATE TABLE node (
    number INTEGER PRIMARY KEY,
    description TEXT NOT NULL,
    admin_availability INTEGER NOT NULL,
    carrier INTEGER NOT NULL,
    registered_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- What owners have had of the farm, for their fair share.
  CREATE TABLE owner (
    owner TEXT PRIMARY KEY,
    usage REAL NOT NULL,
    at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- The place of a job among those of its owner and priority.
  ALTER TABLE job ADD COLUMN position REAL NOT NULL DEFAULT 0;
  UPDATE job SET position = id;
  DROP INDEX job_by_state_and_priority;
  DROP INDEX job_by_owner_and_priority;
  CREATE INDEX job_by_state_and_priority ON job (state, priority DESC, position);
  CREATE INDEX job_by_owner_and_priority ON job (owner, state, priority DESC, position);
  `,
  `
  -- What a machine has done, newest first; and which job brought an input.
  CREATE INDEX attempt_by_node ON attempt (node, finished_at DESC);
  CREATE INDEX spec_by_input ON spec (input) WHERE input IS NOT NULL;
  `,
  `
  -- What attempts have used of their machines.
  ALTER TABLE attempt ADD COLUMN ran_for_ms INTEGER;
  ALTER TABLE attempt ADD COLUMN cpu_ms INTEGER;
  ALTER TABLE attempt ADD COLUMN peak_ram_mb INTEGER;

  -- What was decided after the canary of a job (JSON), beside the specification as it was submitted.
  ALTER TABLE spec ADD COLUMN canary TEXT;
  `,
  `
  -- What a node's failures have led to (JSON), and how often a task has made room for others.
  ALTER TABLE node ADD COLUMN health TEXT;
  ALTER TABLE task ADD COLUMN preemptions INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- The only task of a job, and the newest of its attempts once that has ended (task_ran_for_ms), are in the job's own row: most
  -- jobs of a busy farm have one task, and cost two writes of one row then, instead of five of three.
  ALTER TABLE job ADD COLUMN task_state INTEGER;
  ALTER TABLE job ADD COLUMN task_attempt INTEGER;
  ALTER TABLE job ADD COLUMN task_retries_used INTEGER;
  ALTER TABLE job ADD COLUMN task_requeues INTEGER;
  ALTER TABLE job ADD COLUMN task_node INTEGER;
  ALTER TABLE job ADD COLUMN task_avoid TEXT;
  ALTER TABLE job ADD COLUMN task_assigned_at INTEGER;
  ALTER TABLE job ADD COLUMN task_started_at INTEGER;
  ALTER TABLE job ADD COLUMN task_finished_at INTEGER;
  ALTER TABLE job ADD COLUMN task_exit_code INTEGER;
  ALTER TABLE job ADD COLUMN task_reason INTEGER;
  ALTER TABLE job ADD COLUMN task_message TEXT;
  ALTER TABLE job ADD COLUMN task_preemptions INTEGER;
  ALTER TABLE job ADD COLUMN task_ran_for_ms INTEGER;
  ALTER TABLE job ADD COLUMN task_cpu_ms INTEGER;
  ALTER TABLE job ADD COLUMN task_peak_ram_mb INTEGER;
  UPDATE job SET (task_state, task_attempt, task_retries_used, task_requeues, task_node, task_avoid, task_assigned_at, task_started_at,
      task_finished_at, task_exit_code, task_reason, task_message, task_preemptions) =
    (SELECT state, attempt, retries_used, requeues, node, avoid, assigned_at, started_at, finished_at, exit_code, reason, message, preemptions
      FROM task WHERE job = job.id AND task_index = 0)
    WHERE task_count = 1;
  DELETE FROM task WHERE task_index = 0 AND job IN (SELECT id FROM job WHERE task_count = 1);

  -- What a machine has done, in the order in which it comes: an index that grows at its end costs less.
  DROP INDEX attempt_by_node;
  CREATE INDEX attempt_by_node ON attempt (node, finished_at);
  CREATE INDEX job_by_node ON job (task_node, task_finished_at) WHERE task_ran_for_ms IS NOT NULL;

  -- The job whose specification this one has too; null: it has a row of its own in spec.
  ALTER TABLE job ADD COLUMN spec INTEGER;
  `,
  `
  -- Jobs that wait, run and have ended have indexes of their own: a job that is placed as it comes is never among those that wait.
  -- Few run, so that they can be sorted; and what has ended has no place in the order of priority.
  DROP INDEX job_by_state;
  DROP INDEX job_by_owner;
  DROP INDEX job_by_state_and_priority;
  DROP INDEX job_by_owner_and_priority;
  CREATE INDEX waiting_job ON job (state) WHERE state <= 1;
  CREATE INDEX waiting_job_of_owner ON job (owner, state) WHERE state <= 1;
  CREATE INDEX waiting_job_by_priority ON job (state, priority DESC, position) WHERE state <= 1;
  CREATE INDEX waiting_job_of_owner_by_priority ON job (owner, state, priority DESC, position) WHERE state <= 1;
  CREATE INDEX running_job ON job (state) WHERE state IN (2, 3);
  CREATE INDEX ended_job ON job (state) WHERE state >= 4;
  CREATE INDEX ended_job_of_owner ON job (owner, state) WHERE state >= 4;
  `,
];

/** The version that this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Brings a database up to `SCHEMA_VERSION`, each step in a transaction of its own. @returns the version it had */
export function migrate(database: DatabaseSync): number {
  const before = pragmaNumber(database, 'user_version');
  for (let version = before + 1; version <= SCHEMA_VERSION; version++) {
    const step = MIGRATIONS[version - 1] as string;
    database.exec(`BEGIN IMMEDIATE; ${step}; PRAGMA user_version = ${version}; COMMIT;`);
  }
  return before;
}

export function pragmaNumber(database: DatabaseSync, name: 'user_version' | 'application_id' | 'page_count'): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}
