-- A version 7 database. Never edited: files like it are in use.
PRAGMA application_id = 1280203076;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE spec (
job INTEGER PRIMARY KEY,
input BLOB,
input_bytes INTEGER,
json TEXT NOT NULL
, canary TEXT) STRICT;
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
, position REAL NOT NULL DEFAULT 0, task_state INTEGER, task_attempt INTEGER, task_retries_used INTEGER, task_requeues INTEGER, task_node INTEGER, task_avoid TEXT, task_assigned_at INTEGER, task_started_at INTEGER, task_finished_at INTEGER, task_exit_code INTEGER, task_reason INTEGER, task_message TEXT, task_preemptions INTEGER, task_ran_for_ms INTEGER, task_cpu_ms INTEGER, task_peak_ram_mb INTEGER, spec INTEGER) STRICT;
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
message TEXT, preemptions INTEGER NOT NULL DEFAULT 0,
PRIMARY KEY (job, task_index)
) STRICT, WITHOUT ROWID;
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
finished_at INTEGER NOT NULL, ran_for_ms INTEGER, cpu_ms INTEGER, peak_ram_mb INTEGER,
PRIMARY KEY (job, task_index, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE output (
job INTEGER NOT NULL,
task_index INTEGER NOT NULL,
path TEXT NOT NULL,
number INTEGER NOT NULL,
bytes INTEGER NOT NULL,
blob BLOB NOT NULL,
PRIMARY KEY (job, task_index, path)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_name (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE node (
number INTEGER PRIMARY KEY,
description TEXT NOT NULL,
admin_availability INTEGER NOT NULL,
carrier INTEGER NOT NULL,
registered_at INTEGER NOT NULL,
last_seen_at INTEGER NOT NULL
, health TEXT) STRICT;
CREATE TABLE owner (
owner TEXT PRIMARY KEY,
usage REAL NOT NULL,
at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX task_unsuccessful ON task (job, state) WHERE state >= 5;
CREATE INDEX waiting_job ON job (state) WHERE state <= 1;
CREATE INDEX waiting_job_of_owner ON job (owner, state) WHERE state <= 1;
CREATE INDEX waiting_job_by_priority ON job (state, priority DESC, position) WHERE state <= 1;
CREATE INDEX waiting_job_of_owner_by_priority ON job (owner, state, priority DESC, position) WHERE state <= 1;
CREATE INDEX running_job ON job (state) WHERE state IN (2, 3);
CREATE INDEX ended_job ON job (state) WHERE state >= 4;
CREATE INDEX ended_job_of_owner ON job (owner, state) WHERE state >= 4;
CREATE INDEX spec_by_input ON spec (input) WHERE input IS NOT NULL;
CREATE INDEX attempt_by_node ON attempt (node, finished_at);
CREATE INDEX job_by_node ON job (task_node, task_finished_at) WHERE task_ran_for_ms IS NOT NULL;
INSERT INTO meta VALUES ('farm_id', 'b45a418c-4f09-402f-afcb-2c73e332e03a');
INSERT INTO meta VALUES ('next_job', '10');
INSERT INTO spec VALUES (3, X'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 1234, '{"name":"Shot 12","command":["blender","-b","scene.blend","-f","{frame}"],"image":"blender:4","input":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","env":{"THREADS":"4"},"workdir":".","outputs":["out/*.png"],"tasks":{"kind":"frames","frames":"1-8","chunk":1},"requirements":{"cpu":1,"ramMb":512,"gpus":0,"gpuRamMb":0,"diskMb":0,"labels":[],"limits":{}},"priority":50,"after":[],"inputsFrom":[],"timeoutMs":3600000,"maxRetries":3,"network":false,"preemptible":false,"notify":"end","canary":{"approval":"by-hand","least":{}}}', '{"asked":{"cpu":1,"ramMb":512,"timeoutMs":3600000},"needs":{"cpu":0.75,"ramMb":256,"timeoutMs":120000},"reasons":["CPU: at most 0.50 cores were in use on average; with a quarter to spare 0.75, instead of 1"],"runs":[{"index":0,"ranForMs":10000,"cpuMs":5000,"peakRamMb":150}],"decided":{"cpu":0.75,"ramMb":256,"timeoutMs":120000},"by":"ana","at":1700000000800}');
INSERT INTO spec VALUES (4, NULL, NULL, '{"name":"job 4","command":"true","env":{},"workdir":".","outputs":[],"tasks":{"kind":"single"},"requirements":{"cpu":1,"ramMb":512,"gpus":0,"gpuRamMb":0,"diskMb":0,"labels":[],"limits":{}},"priority":50,"after":[],"inputsFrom":[],"timeoutMs":3600000,"maxRetries":3,"network":false,"preemptible":false,"notify":"end"}', NULL);
INSERT INTO spec VALUES (5, NULL, NULL, '{"name":"same","command":"true"}', NULL);
INSERT INTO job VALUES (3, 'Shot 12', 'shot 12', 'ana', 3, 60, 0, 8, 1, '[0,8,0,0,0,0,0,0]', 0, 1700000000003, 1700000000005, 1700000000200, NULL, NULL, 0.5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO job VALUES (4, 'job 4', 'job 4', 'ben', 7, 50, 1, 1, 7, '[0,0,0,0,0,0,0,1]', 0, 1700000000004, NULL, NULL, 1700000000999, 'cancelled by ben', 4.0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO job VALUES (5, 'same', 'same', 'ben', 3, 50, 0, 1, 1, '[0,0,0,1,0,0,0,0]', 0, 1700000000005, 1700000000005, 1700000000200, NULL, NULL, 5.0, 3, 1, 0, 0, 1, NULL, 1700000000100, 1700000000200, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL);
INSERT INTO job VALUES (6, 'same', 'same', 'ben', 4, 50, 0, 1, 1, '[0,0,0,0,1,0,0,0]', 1, 1700000000005, 1700000000005, 1700000000200, 1700000000900, NULL, 6.0, 4, 2, 1, 0, 2, '["node-a"]', 1700000000700, 1700000000800, 1700000000900, 0, 0, NULL, 0, 90, 80, 70, 5);
INSERT INTO task VALUES (3, 1, 1, 1, 0, 0, 1, NULL, 1700000000100, 1700000000200, NULL, NULL, NULL, NULL, 0);
INSERT INTO task VALUES (3, 2, 2, 1, 0, 0, 1, NULL, 1700000000100, 1700000000200, NULL, NULL, NULL, NULL, 0);
INSERT INTO task VALUES (3, 3, 3, 1, 0, 0, 1, NULL, 1700000000100, 1700000000200, NULL, NULL, NULL, NULL, 0);
INSERT INTO task VALUES (3, 4, 4, 1, 0, 0, 1, NULL, 1700000000100, 1700000000200, NULL, NULL, NULL, NULL, 0);
INSERT INTO task VALUES (3, 5, 5, 3, 1, 2, NULL, '["node-a"]', 1700000000100, 1700000000200, 1700000000900, 2, 1, 'exit code 2', 2);
INSERT INTO task VALUES (3, 6, 6, 1, 0, 0, 1, NULL, 1700000000100, 1700000000200, NULL, NULL, NULL, NULL, 0);
INSERT INTO task VALUES (3, 7, 7, 1, 0, 0, 1, NULL, 1700000000100, 1700000000200, NULL, NULL, NULL, NULL, 0);
INSERT INTO attempt VALUES (3, 4, 1, 1, 0, NULL, 0, 1700000000100, 1700000000200, 1700000000300, 100, 1250, 96);
INSERT INTO attempt VALUES (3, 5, 2, 1, 1, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 3, 1, 2, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 4, 1, 3, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 5, 1, 4, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 6, 1, 5, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 7, 1, 6, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 8, 1, 7, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 9, 1, 8, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 10, 1, 9, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 11, 1, 10, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 12, 1, 11, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 13, 1, 12, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 14, 1, 13, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 15, 1, 14, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (3, 5, 16, 1, 15, NULL, 0, 1700000000100, 1700000000200, 1700000000300, NULL, NULL, NULL);
INSERT INTO attempt VALUES (6, 0, 1, 1, 1, 'exit code 2', 2, 1700000000100, 1700000000200, 1700000000300, 9, 8, 7);
INSERT INTO output VALUES (3, 4, 'out/0005.png', 1, 99, X'BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB');
INSERT INTO node_name VALUES (1, 'node-a');
INSERT INTO node_name VALUES (2, 'node-b');
INSERT INTO node_name VALUES (3, 'node-c');
INSERT INTO node VALUES (1, '{"id":"node-a","name":"node-a","os":"linux","arch":"x64","version":"1.0.0","capacity":{"cpu":8,"ramMb":16384,"diskMb":100000,"gpus":[]},"labels":{"rack":"2"},"zone":"attic","maxParallel":4,"executors":["docker"],"availability":"available"}', 0, 0, 1700000000000, 1700000000500, NULL);
INSERT INTO node VALUES (2, '{"id":"node-b","name":"node-b","os":"linux","arch":"x64","version":"1.0.0","capacity":{"cpu":8,"ramMb":16384,"diskMb":100000,"gpus":[]},"labels":{"rack":"2"},"zone":"attic","maxParallel":4,"executors":["docker"],"availability":"available"}', 1, 1, 1700000000000, 1700000000500, '{"unhealthyUntil":1700000060000,"strikes":2,"probation":false,"convictions":["3.5"],"completedSince":1,"failedJob":3,"reason":"job 3: the engine is down"}');
INSERT INTO node VALUES (3, '{"id":"node-c","name":"node-c","os":"linux","arch":"x64","version":"1.0.0","capacity":{"cpu":8,"ramMb":16384,"diskMb":100000,"gpus":[]},"labels":{"rack":"2"},"zone":"attic","maxParallel":4,"executors":["docker"],"availability":"available"}', 2, 0, 1700000000000, 1700000000500, NULL);
INSERT INTO owner VALUES ('ana', 123456.5, 1700000000000);
PRAGMA user_version = 7;
