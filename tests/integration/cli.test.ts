import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { UpAnnouncement } from '../../electron/cli/up.ts';
import { zipFolder } from '../../electron/files/zip.ts';
import { decodePng } from '../../resources/examples/path-tracer/png.mjs';
import { viewEventSchema } from '../../shared/view.ts';
import { beginCommand, type Result, type Started, said } from './support/commands.ts';

/** The command line from end to end: real processes, a coordinator and a worker with the host executor. */

let folder: string;
let farm: Started;
let announced: UpAnnouncement & { readonly url: string };

function begin(argv: readonly string[], extra?: Readonly<Record<string, string>>): Started {
  return beginCommand(folder, argv, extra);
}

/** Runs a command against the farm of this file. */
function lanyard(...argv: readonly string[]): Promise<Result> {
  return begin(['--data', join(folder, 'data'), ...argv]).result;
}

async function json<T>(...argv: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await lanyard('--json', ...argv);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-cli-'));
  const argv = [
    '--json',
    '--data',
    join(folder, 'data'),
    'up',
    '--port',
    '0',
    '--name',
    'north',
    '--allow-host',
    '--no-docker',
    '--max-parallel',
    '2',
  ];
  farm = begin([...argv, '--stop-grace', '200ms'], { LANYARD_ZONE: 'cellar' });
  if (farm.process.stdout === null) throw new Error('started without a pipe');
  const [line] = await Promise.race([
    once(createInterface(farm.process.stdout), 'line'),
    farm.result.then(({ code, stderr }) => {
      throw new Error(`it ended with ${code}: ${stderr}`);
    }),
  ]);
  announced = JSON.parse(line as string) as typeof announced;
});

afterAll(async () => {
  farm?.process.kill('SIGKILL');
  await farm?.result;
  await rm(folder, { recursive: true, force: true });
});

test('`up` says where it is and shows its worker with the settings of all sources', async () => {
  expect(announced).toMatchObject({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/), dataFolder: join(folder, 'data') });
  const { nodes } = await json<{ nodes: { description: { id: string; name: string; zone: string; maxParallel: number } }[] }>('nodes');
  expect(nodes.map((node) => node.description)).toMatchObject([{ id: announced.node, name: 'north', zone: 'cellar', maxParallel: 2 }]);
  expect((await lanyard('nodes')).stdout).toMatch(/^NAME .*\nnorth +\w+ +(IDLE|BUSY)/);
});

describe('submit', () => {
  test('a command after --, and its log', async () => {
    const { code, stderr } = await lanyard(
      'submit',
      '--host',
      '--name',
      'echo',
      '--wait',
      '--',
      'node',
      '-e',
      'console.log("hello", process.env.LANYARD_INDEX)',
    );
    expect([code, stderr]).toEqual([0, expect.stringContaining('COMPLETED')]);
    const id = /job (\d+)/.exec(stderr)?.[1] as string;
    expect(await lanyard('logs', id, '--stream', 'stdout')).toEqual({ code: 0, stdout: 'hello 0\n', stderr: '' });
    expect(await json('job', id)).toMatchObject({ id: Number(id), name: 'echo', state: 'COMPLETED', spec: { image: null } });
    expect((await lanyard('job', id)).stdout).toMatch(/^state +COMPLETED$/m);
    expect((await lanyard('jobs', '--search', 'ech')).stdout).toMatch(/echo .* COMPLETED +1\/1/);
  });

  test('a folder with lanyard.json, with its outputs downloaded', async () => {
    const job = join(folder, 'job');
    await mkdir(job);
    await writeFile(
      join(job, 'make.mjs'),
      'import fs from "node:fs"; const frame = process.argv[2]; fs.mkdirSync("out"); fs.writeFileSync("out/" + frame + ".txt", "frame " + frame);',
    );
    await writeFile(
      join(job, 'lanyard.json'),
      JSON.stringify({
        command: ['node', 'make.mjs', '{frame}'],
        image: null,
        outputs: ['out/*.txt'],
        tasks: { kind: 'frames', frames: '1-3' },
      }),
    );
    const { code, stdout, stderr } = await lanyard('--json', 'submit', job, '--download', 'saved');
    expect(code, stderr).toBe(0);
    const view = JSON.parse(stdout) as { id: number };
    expect(view).toMatchObject({ name: 'job', state: 'COMPLETED', taskCount: 3 });
    expect((await readdir(join(folder, 'saved', 'out'))).toSorted()).toEqual(['1.txt', '2.txt', '3.txt']);
    expect(await readFile(join(folder, 'saved', 'out', '2.txt'), 'utf8')).toBe('frame 2');
    expect((await json<{ outputs: unknown[] }>('outputs', String(view.id))).outputs).toHaveLength(3);
    expect((await lanyard('tasks', String(view.id))).stdout).toMatch(/COMPLETED +1 +north/);
  });

  test('a canary that waits is shown, approved with a change, and then followed to the end', async () => {
    const work = [
      '--host',
      '--count',
      '5',
      '--ram',
      '64m',
      '--cpu',
      '0.2',
      '--',
      'node',
      '-e',
      'for (const end = Date.now() + 300; Date.now() < end;);',
    ];
    const { id } = await json<{ id: number }>('submit', '--canary', 'by-hand', ...work);
    const job = String(id);
    await expect.poll(async () => (await lanyard('job', job)).stdout, { timeout: 60_000 }).toMatch(/^state +RUNNING \(to approve\)$/m);
    const shown = (await lanyard('canary', job)).stdout;
    expect(shown).toMatch(/The first tasks of job \d+ have ended, and it waits for approval\./);
    expect(shown).toMatch(new RegExp(`^${job}\\.2 +`, 'm'));
    expect(shown).toMatch(/^- timeout: the longest run took /m);
    expect((await lanyard('explain', `${job}.1`)).stdout).toContain(`lanyard canary ${job}`);
    expect((await lanyard('approve-canary', job, '--ram', '96m', '--timeout', '5m')).code).toBe(0);
    await expect.poll(async () => (await json<{ state: string }>('job', job)).state, { timeout: 60_000 }).toBe('COMPLETED');
    expect((await lanyard('canary', job)).stdout).toMatch(/was approved by .*: [\d.]+ CPU, 96 MiB, timeout 5 min 00 s/);
    expect((await lanyard('task', `${job}.1`)).stdout).toMatch(new RegExp(`^${job}\\.1\\.1 +COMPLETED +north +.* s +[\\d.]+ s +`, 'm'));
    expect(await lanyard('approve-canary', job)).toMatchObject({ code: expect.toSatisfy((code: number) => code !== 0) });
  });

  test('a zip with lanyard.json in the one folder that holds all', async () => {
    const top = join(folder, 'zipped');
    await mkdir(join(top, 'inner'), { recursive: true });
    await writeFile(join(top, 'inner', 'lanyard.json'), JSON.stringify({ command: ['node', 'say.mjs'], image: null, name: 'from a zip' }));
    await writeFile(join(top, 'inner', 'say.mjs'), 'console.log("from inside")');
    await zipFolder(top, join(folder, 'project.zip'));
    const { code, stdout, stderr } = await lanyard('--json', 'submit', 'project.zip', '--wait');
    expect(code, stderr).toBe(0);
    const view = JSON.parse(stdout) as { id: number; name: string };
    expect(view.name).toBe('from a zip');
    expect((await lanyard('logs', `${view.id}.0.1`)).stdout).toContain('from inside\n');
  });

  test('a job from a template of the program, of a file, and of the farm; a wrong value names its field', async () => {
    const work = join(folder, 'from-template');
    await mkdir(work);
    await writeFile(join(work, 'main.mjs'), 'console.log("rate", process.argv[2])');
    const file = join(folder, 'say-rates.json');
    await writeFile(
      file,
      JSON.stringify({
        name: 'Say rates',
        fields: [{ type: 'matrix', name: 'rates', label: 'Rates' }],
        job: { command: ['node', 'main.mjs', '{{rates.arguments}}'], image: null, tasks: { kind: 'matrix', parameters: '{{rates}}' } },
      }),
    );
    const values = ['--set', 'rates=rate=1,2'];
    const fromFile = await lanyard('--json', 'submit', work, '--template', 'say-rates.json', ...values, '--wait');
    expect(fromFile.code, fromFile.stderr).toBe(0);
    const { id } = JSON.parse(fromFile.stdout) as { id: number };
    expect((await lanyard('logs', `${id}.1`)).stdout).toBe('rate --rate=2\n');

    const elsewhere = join(folder, 'another-machine');
    await mkdir(join(elsewhere, 'templates'), { recursive: true });
    await writeFile(join(elsewhere, 'templates', 'mine.json'), await readFile(file));
    const { url, token } = JSON.parse(await readFile(join(folder, 'data', 'connection.json'), 'utf8')) as { url: string; token: string };
    const there = await begin(['--data', elsewhere, '--url', url, '--token', token, 'templates']).result;
    expect(there.stdout, there.stderr).toMatch(/^mine +this machine +Say rates +rates$/m);

    expect((await lanyard('add-template', file)).code).toBe(0);
    expect((await lanyard('templates')).stdout).toMatch(/^say-rates +the farm +Say rates +rates$/m);
    const fromFarm = await lanyard('--json', 'submit', work, '--template', 'say-rates', ...values, '--name', 'rates', '--wait');
    expect(fromFarm.code, fromFarm.stderr).toBe(0);
    expect(JSON.parse(fromFarm.stdout)).toMatchObject({ name: 'rates', state: 'COMPLETED', taskCount: 2 });
    expect((await lanyard('remove-template', 'say-rates')).code).toBe(0);
    expect(await lanyard('submit', '--template', 'say-rates')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('no template say-rates'),
    });

    const own = await lanyard('--json', 'submit', '--host', '--template', 'command', '--set', 'command=node -p 6*7', '--wait');
    expect(own.code, own.stderr).toBe(0);
    expect((await lanyard('templates', 'blender')).stdout).toMatch(/^scene +path in the input +must be given/m);
    const wrong = await lanyard('--json', 'submit', '--template', 'blender', '--set', 'scene=a.blend', '--set', 'frames=9-1');
    expect([wrong.code, JSON.parse(wrong.stderr)]).toMatchObject([2, { error: { code: 'INVALID', field: 'frames' } }]);
  });

  test('the owner of the machine pauses it without asking the farm, for a while or until further notice', async () => {
    const availability = async () => (await json<{ nodes: { availability: string }[] }>('nodes')).nodes.map((node) => node.availability);
    expect(await json('owner')).toEqual({ paused: false, pausedUntil: null });
    expect((await lanyard('owner', 'pause', '--for', '2h')).stdout).toMatch(/paused for (1 h 59|2 h 00) min/);
    await expect.poll(availability, { timeout: 15_000, interval: 500 }).toEqual(['owner-paused']);
    expect((await lanyard('owner', 'resume')).stdout).toContain('not paused');
    await expect.poll(availability, { timeout: 15_000, interval: 500 }).toEqual(['available']);
    expect(await lanyard('owner', 'resume', '--for', '2h')).toMatchObject({ code: 2 });
    expect(await lanyard('owner', 'pounce')).toMatchObject({ code: 2 });
    const { receipts } = await json<{ receipts: { job: string; owner: string; image: null }[] }>('receipts', '--limit', '1000');
    expect(receipts).toContainEqual(expect.objectContaining({ job: 'echo', owner: 'local administrator', image: null, exitCode: 0 }));
    expect((await lanyard('receipts')).stdout).toMatch(/^STARTED +RAN FOR +FOR/);
  });

  test('a job that fails ends with 1 and says where to look', async () => {
    const { code, stderr } = await lanyard('submit', '--host', '--retries', '0', '--wait', '--', 'node', '-e', 'process.exit(7)');
    expect(code).toBe(1);
    expect(stderr).toMatch(/FAILED/);
    expect(stderr).toMatch(/task \d+\.0 on .*exit code 7; see `lanyard logs \d+\.0`/);
  });

  test('the time is over with 124, and the job goes on until it is cancelled', async () => {
    const { code, stdout, stderr } = await lanyard(
      '--json',
      'submit',
      '--host',
      '--wait-timeout',
      '300ms',
      '--',
      'node',
      '-e',
      'setTimeout(() => {}, 60_000)',
    );
    expect([code, stderr]).toEqual([124, expect.stringContaining('lanyard cancel')]);
    const { id } = JSON.parse(stdout) as { id: number };
    expect((await json<{ state: string }>('job', String(id))).state).not.toBe('CANCELLED');
    expect((await lanyard('cancel', String(id))).stdout).toMatch(/CANCELLED/);
    expect((await lanyard('cancel', String(id))).code).toBe(5);
  });

  test('Ctrl-C detaches from the job, says how to follow it, and ends with 130', async () => {
    const waiting = begin([
      '--data',
      join(folder, 'data'),
      'submit',
      '--host',
      '--wait',
      '--',
      'node',
      '-e',
      'setTimeout(() => {}, 60_000)',
    ]);
    const [, id] = await said(waiting, /job (\d+): RUNNING/);
    waiting.process.kill('SIGINT');
    const { code, stderr } = await waiting.result;
    expect([code, stderr]).toEqual([130, expect.stringContaining(`lanyard logs ${id} -f`)]);
    expect(await json('job', String(id))).toMatchObject({ state: 'RUNNING' });
    await json('cancel', String(id));
  });
});

test('logs of a whole job are followed to the end, with the task before each line', async () => {
  const { id } = await json<{ id: number }>(
    'submit',
    '--host',
    '--count',
    '3',
    '--',
    'node',
    '-e',
    'console.log("task", process.env.LANYARD_INDEX)',
  );
  const followed = await lanyard('logs', String(id), '-f', '--stream', 'stdout');
  expect(followed.code).toBe(0);
  expect(followed.stdout.trim().split('\n').toSorted()).toEqual([0, 1, 2].map((index) => `[${id}.${index}] task ${index}`));
  const records = (await lanyard('--json', 'logs', `${id}.1`)).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { stream: string; text: string });
  expect(
    records
      .filter((record) => record.stream === 'stdout')
      .map((record) => record.text)
      .join(''),
  ).toBe('task 1\n');
});

test('--from-file submits a job for each line, and says which lines are refused', async () => {
  const lines = [
    '{"name":"first","command":"true","image":null}',
    '',
    '{"name":"no command"}',
    '{',
    '{"name":"last","command":"true","image":null}',
  ];
  await writeFile(join(folder, 'jobs.ndjson'), lines.join('\n'));
  const { code, stdout, stderr } = await lanyard('--json', 'submit', '--from-file', join(folder, 'jobs.ndjson'));
  expect(code).toBe(2);
  const results = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { line: number; job?: number; error?: { field?: string } })
    .sort((one, other) => one.line - other.line);
  expect(results.map(({ line, error }) => [line, error?.field])).toEqual([
    [1, undefined],
    [3, 'command'],
    [4, undefined],
    [5, undefined],
  ]);
  expect(stderr).toContain('2 jobs are submitted, 2 lines are refused');
  expect(await json('job', String(results[3]?.job))).toMatchObject({ name: 'last' });
  expect(await lanyard('submit', '--from-file', 'jobs.ndjson', '--priority', '9')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('each line says all about its job'),
  });
});

test('jobs are held, released, given a priority, explained, retried and removed', async () => {
  const { id } = await json<{ id: number }>('submit', '--host', '--cpu', '4000', '--retries', '0', '--', 'true');
  expect(await json('hold', String(id))).toMatchObject({ held: true });
  expect(await json('release', String(id))).toMatchObject({ held: false });
  expect(await json('priority', String(id), '80')).toMatchObject({ priority: 80 });
  expect((await lanyard('explain', String(id))).stdout).toMatch(/cpu/i);
  expect((await lanyard('remove', String(id))).code).toBe(5);
  expect(await json('cancel', String(id))).toMatchObject({ state: 'CANCELLED' });
  expect(await json('retry', String(id))).toMatchObject({ state: 'QUEUED' });
  await json('cancel', String(id));
  expect(await json('remove', String(id))).toEqual({ ok: true });
  expect((await lanyard('job', String(id))).code).toBe(5);
});

test('nodes are paused and resumed by name or by the beginning of the id', async () => {
  expect(await json('pause', 'north')).toMatchObject({ availability: 'paused' });
  expect(await json('drain', String(announced.node).slice(0, 12))).toMatchObject({ availability: 'draining' });
  expect(await json('resume', String(announced.node))).toMatchObject({ availability: 'available' });
  expect((await lanyard('pause', 'south')).code).toBe(5);
});

test('the event stream is NDJSON and ends with 130 on Ctrl-C', async () => {
  const watching = begin(['--data', join(folder, 'data'), '--json', 'events']);
  if (watching.process.stdout === null) throw new Error('started without a pipe');
  const [line] = (await once(createInterface(watching.process.stdout), 'line')) as [string];
  expect(viewEventSchema.parse(JSON.parse(line)).type).toBe('snapshot');
  watching.process.kill('SIGINT');
  expect((await watching.result).code).toBe(130);
});

test('a backup is written where it says', async () => {
  const { path } = await json<{ path: string }>('backup');
  expect((await stat(path)).size).toBeGreaterThan(0);
});

test.each<[string, readonly string[], number, RegExp]>([
  ['an unknown option', ['jobs', '--nonsense'], 2, /unknown option/],
  ['no command', [], 2, /Usage: lanyard/],
  ['an id that is none', ['job', 'x'], 2, /"x" is not a job/],
  ['a setting that is not valid', ['up', '--port', '70000'], 2, /--port: coordinator\.port is "70000"/],
  ['an input that is not there', ['submit', 'nowhere.zip'], 2, /cannot read nowhere\.zip/],
  ['a state that is none', ['jobs', '--state', 'DONE'], 2, /state/],
  ['a coordinator that does not answer', ['--url', 'http://127.0.0.1:9', '--token', 'x', 'jobs'], 3, /no coordinator answers/],
  ['a job that is not there', ['logs', '999999'], 5, /hint|999999/],
])('%s ends with its exit code', async (_, argv, expected, message) => {
  const { code, stdout, stderr } = await lanyard(...argv);
  expect([code, stdout]).toEqual([expected, '']);
  expect(stderr).toMatch(message);
});

test('a wrong token ends with 4, and the right one may come from the environment', async () => {
  expect((await lanyard('--url', announced.url, '--token', 'wrong', 'jobs')).code).toBe(4);
  const { token } = JSON.parse(await readFile(join(folder, 'data', 'connection.json'), 'utf8')) as { token: string };
  expect((await begin(['jobs'], { LANYARD_URL: announced.url, LANYARD_TOKEN: token }).result).code).toBe(0);
  const empty = await begin(['--json', 'jobs'], { LANYARD_DATA: join(folder, 'empty') }).result;
  expect(empty.code).toBe(3);
  expect(JSON.parse(empty.stderr)).toMatchObject({ error: { code: 'UNAVAILABLE' } });
});

test('help and version need no coordinator', async () => {
  expect(await lanyard('submit', '--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('--matrix') });
  expect(await lanyard('--version')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

describe('the demo', () => {
  test('renders frames on two workers and leaves only the pictures', async () => {
    const temporary = join(folder, 'tmp');
    await mkdir(temporary);
    const argv = ['--json', 'demo', '--out', 'demo', '--frames', '1-4', '--size', '32x18', '--samples', '1'];
    const { code, stdout, stderr } = await begin(argv, { TMPDIR: temporary }).result;
    expect(code, stderr).toBe(0);
    const { workers, frames, contactSheet } = JSON.parse(stdout) as {
      workers: { frames: number }[];
      frames: string[];
      contactSheet: string;
    };
    expect(workers.reduce((sum, worker) => sum + worker.frames, 0)).toBe(4);
    expect(frames).toHaveLength(4);
    const sheet = decodePng(await readFile(contactSheet));
    expect([sheet.width, sheet.height]).toEqual([2 * 32 + 3 * 4, 2 * 18 + 3 * 4]);
    expect(await readdir(temporary)).toEqual([]);
  });

  test('cleans up on Ctrl-C', async () => {
    const temporary = join(folder, 'tmp2');
    await mkdir(temporary);
    const running = begin(['demo', '--out', 'demo2', '--size', '1600x900'], { TMPDIR: temporary });
    const [, url] = await said(running, /up at (http:\S+);[\s\S]*job 1 is submitted/);
    running.process.kill('SIGINT');
    expect((await running.result).code).toBe(130);
    expect(await readdir(temporary)).toEqual([]);
    await expect(fetch(url as string)).rejects.toThrow();
  });
});

// Last, as it ends the farm that the others need.
test('`up` goes down in good order on Ctrl-C', async () => {
  farm.process.kill('SIGINT');
  expect((await farm.result).code).toBe(0);
});
