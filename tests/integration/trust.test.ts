import { once } from 'node:events';
import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beginCommand, type Result, type Started, said } from './support/commands.ts';

/** Farms from the command line, as real processes that listen on loopback: joining, leaving, talking from elsewhere, taking coordination. */

let folder: string;
let first: Started;
const programs: Started[] = [];
const LOOPBACK = { LANYARD_LAN_HOST: '127.0.0.1', LANYARD_DISCOVERY: 'false', LANYARD_DOCKER: 'false', LANYARD_ALLOW_HOST: 'true' };
const PORTS = ['--port', '0', '--api-port', '0', '--peer-port', '0'];

const begin = (name: string, ...argv: readonly string[]): Started =>
  beginCommand(folder, ['--data', join(folder, name), ...argv], LOOPBACK);
const lanyard = (name: string, ...argv: readonly string[]): Promise<Result> => begin(name, ...argv).result;

async function json<T>(name: string, ...argv: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await lanyard(name, '--json', ...argv);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}

/** Starts a node, and waits for the line that says that it is there. */
async function up(name: string, ...argv: readonly string[]): Promise<Started> {
  const program = begin(name, '--json', 'up', ...PORTS, '--name', name, ...argv);
  programs.push(program);
  if (program.process.stdout === null) throw new Error('started without a pipe');
  await Promise.race([
    once(createInterface(program.process.stdout), 'line'),
    program.result.then(({ code, stderr }) => {
      throw new Error(`${name} ended with ${code}: ${stderr}`);
    }),
  ]);
  return program;
}

const invited = async (...options: readonly string[]) => (await json<{ text: string }>('first', 'invite', '--approve', ...options)).text;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-trust-'));
  first = await up('first', '--farm', 'studio', '--only', 'coordinator');
});

afterAll(async () => {
  for (const program of programs) program.process.kill('SIGKILL');
  await Promise.all(programs.map(({ result }) => result));
  await rm(folder, { recursive: true, force: true });
});

test('one command on each side, and the machine works; it leaves while it runs, and its program ends', async () => {
  const second = await up('second', '--join', await invited());
  const ran = await lanyard('first', 'submit', '--host', '--wait', '--', 'node', '-e', '0');
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  expect(await json('second', 'farm')).toMatchObject({ farm: { name: 'studio' }, device: { name: 'second', roles: ['worker'] } });

  expect(await json('second', 'farm', 'leave')).toMatchObject({ left: { name: 'studio' }, isTold: true });
  expect((await second.result).code).toBe(4);
  const { devices } = await json<{ devices: { name: string }[] }>('first', 'devices');
  expect(devices.map(({ name }) => name)).toEqual(['first']);
  expect(await readdir(join(folder, 'second'))).not.toContain('roster.json');
});

test('a submitter on its own machine sends a folder, follows the log, and gets the files', async () => {
  await json('laptop', 'join', await invited('--role', 'submitter'), '--name', 'laptop');
  const worker = await up('third', '--join', await invited());
  const submitted = await lanyard(
    'laptop',
    'submit',
    '--host',
    '--output',
    'out.txt',
    '--download',
    'got',
    '--',
    'node',
    '-e',
    'console.log("seen");fs.writeFileSync("out.txt", "42")',
  );
  expect(submitted, submitted.stderr).toMatchObject({ code: 0 });
  expect(await readFile(join(folder, 'got', 'out.txt'), 'utf8')).toBe('42');
  const { jobs } = await json<{ jobs: { id: number }[] }>('laptop', 'jobs');
  expect((await lanyard('laptop', 'logs', String(jobs[0]?.id), '-f')).stdout).toContain('seen');
  worker.process.kill('SIGINT');
  expect((await worker.result).code).toBe(0);
});

test('a script elsewhere speaks with the coordinator by a connection string, and with nobody else', async () => {
  const { connections } = await json<{ connections: string[] }>('first', 'token', 'create', 'ci');
  const [connection = ''] = connections;
  const elsewhere = (url: string) =>
    beginCommand(folder, ['--json', 'jobs'], { LANYARD_URL: url, LANYARD_DATA: join(folder, 'none') }).result;
  expect(await elsewhere(connection)).toMatchObject({ code: 0 });
  const other = connection.replace(/#../, (start) => (start === '#aa' ? '#bb' : '#aa'));
  const refused = await elsewhere(other);
  expect([refused.code, JSON.parse(refused.stderr)]).toMatchObject([4, { error: { message: expect.stringContaining('another key') } }]);
});

test('`doctor` measures and `discover` listens, without changing anything', async () => {
  const { code, stdout } = await lanyard('first', '--json', 'doctor');
  const { isSound, findings } = JSON.parse(stdout) as { isSound: boolean; findings: { level: string; what: string }[] };
  expect(code).toBe(isSound ? 0 : 1);
  expect(findings).toContainEqual(expect.objectContaining({ what: 'coordinator', level: 'ok' }));
  expect(findings).toContainEqual(expect.objectContaining({ what: 'executor host', level: 'ok' }));
  expect(findings.filter(({ what }) => what.startsWith('interface ')).length).toBeGreaterThan(0);
  const elsewhere = await lanyard('laptop', 'doctor');
  expect(elsewhere.stdout).toMatch(/^ok {4}peer port: 127\.0\.0\.1:\d+ answers\.$/m);
  expect(elsewhere.stdout).toMatch(/^ok {4}clock: /m);
  const lost = await lanyard('none', '--json', '--url', 'http://127.0.0.1:9', '--token', 'x', 'doctor');
  expect([lost.code, JSON.parse(lost.stdout)]).toMatchObject([1, { isSound: false }]);
  expect(await json('none', 'discover')).toMatchObject({ interfaces: expect.any(Array), found: expect.any(Array) });
  expect(await readdir(folder)).not.toContain('none');
});

test("a coordinator does not start on another farm's database", async () => {
  await json('other', 'farm', 'create', 'other');
  await json('first', 'backup');
  const [backup = ''] = (await readdir(join(folder, 'first'))).filter((name) => name.startsWith('backup-'));
  await copyFile(join(folder, 'first', backup), join(folder, 'other', 'farm.sqlite'));
  expect(await lanyard('other', 'up', ...PORTS)).toMatchObject({ code: 5, stderr: expect.stringContaining('is of another farm') });
});

test('an administrator takes coordination when the coordinator is gone; the node that runs there begins at once, and keeps the devices', async () => {
  const deputy = await up('deputy', '--join', await invited('--role', 'admin'));
  expect(await lanyard('deputy', 'coordinator', 'take')).toMatchObject({ code: 5, stderr: expect.stringContaining('answers') });
  first.process.kill('SIGKILL');
  await first.result;
  expect(await lanyard('deputy', 'coordinator', 'take')).toMatchObject({ code: 2, stderr: expect.stringMatching(/history[\s\S]*--force/) });
  const begun = said(deputy, /the coordinator is up/);
  expect(await json('deputy', 'coordinator', 'take', '--force')).toMatchObject({ term: 2 });
  await begun;
  expect(await json('deputy', 'coordinator')).toMatchObject({ coordinator: { name: 'deputy' }, term: 2 });
  const { devices } = await json<{ devices: { name: string }[] }>('deputy', 'devices');
  expect(devices.map(({ name }) => name)).toEqual(['first', 'laptop', 'third', 'deputy']);
});
