import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestNode } from '../../tests/fakes/devices.ts';
import { openDevice } from '../compose/device.ts';
import type { LanyardNode } from '../compose/node.ts';
import { parseInvite } from '../trust/invite-text.ts';
import { runCommandLine } from './run.ts';

/** The commands about trust, in this process, against real coordinators on loopback. */

let folder: string;
let first: LanyardNode;
const nodes: LanyardNode[] = [];

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Run extends Promise<Said> {
  /** Resolves with the match, once that was written to stderr or stdout. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Ctrl-C. */
  stop(): void;
}

type Answers = readonly (readonly [question: RegExp, answer: string])[];

/**
 * Runs one command with the data folder `name`.
 * @param answers what somebody at a terminal types when asked; without them there is nobody
 */
function lanyard(name: string, argv: readonly string[], answers?: Answers, env: Readonly<Record<string, string>> = {}): Run {
  const stdin = Object.assign(new PassThrough(), { isTTY: answers !== undefined });
  const left = [...(answers ?? [])];
  const listeners = new Set<() => void>();
  const texts = { stdout: '', stderr: '' };
  const stream = (to: 'stdout' | 'stderr') =>
    Object.assign(
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          texts[to] += chunk.toString();
          const [question, answer] = left[0] ?? [];
          if (question?.test(texts.stderr)) {
            left.shift();
            stdin.write(`${answer}\n`);
          }
          for (const listener of listeners) listener();
          done();
        },
      }),
      { isTTY: answers !== undefined, columns: 120 },
    );
  const interruption = new AbortController();
  const ended = runCommandLine({
    argv: ['--data', join(folder, name), ...argv],
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    stdin,
    env: { LANYARD_DISCOVERY: 'false', ...env },
    cwd: folder,
    signal: AbortSignal.any([interruption.signal, AbortSignal.timeout(15_000)]),
  }).then((code) => ({ code, ...texts }));
  const until = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(texts.stdout + texts.stderr);
        if (match !== null) resolve(match);
      };
      listeners.add(look);
      look();
      void ended.then(() => reject(new Error(`${pattern} was never said, but: ${texts.stdout}${texts.stderr}`)));
    });
  return Object.assign(ended, { until, stop: () => interruption.abort(new Error('interrupted')) });
}

async function json<T>(name: string, ...argv: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await lanyard(name, ['--json', ...argv]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}

const invited = async (...options: readonly string[]) => (await json<{ text: string }>('first', 'invite', '--approve', ...options)).text;

/** `fetch` sets the Host header itself. */
function statusWithHost(url: string, host: string, authorization: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(`${url}/api/farm`, { headers: { host, authorization } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .once('error', reject)
      .end();
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-trust-cli-'));
  expect(await lanyard('first', ['farm', 'create', 'studio', '--name', 'north'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('"studio"'),
  });
  first = await startTestNode({ dataFolder: join(folder, 'first'), works: false });
  nodes.push(first);
});
afterAll(async () => {
  for (const node of nodes.toReversed()) await node.close();
  await rm(folder, { recursive: true, force: true });
});

describe('farm', () => {
  test('says what this device belongs to, and makes nothing where there is nothing', async () => {
    expect(await lanyard('nowhere', ['farm'])).toMatchObject({ code: 0, stdout: 'this device belongs to no farm\n' });
    expect(await json('nowhere', 'farm')).toEqual({ farm: null, device: null, coordinator: null, term: null });
    expect(await readdir(folder)).not.toContain('nowhere');
    const { id } = first.device.identity;
    expect(await json('first', 'farm')).toMatchObject({
      farm: { name: 'studio' },
      device: { id, name: 'north' },
      coordinator: id,
      term: 1,
    });
    expect((await lanyard('first', ['farm'])).stdout).toMatch(/^coordinator +this device$/m);
    expect(await lanyard('first', ['farm', 'create', 'another'])).toMatchObject({ code: 5 });
  });
});

describe('invite and join', () => {
  test('one command on each side: the administrator sees who comes, and lets it in', async () => {
    const inviting = lanyard('first', ['invite', '--role', 'submitter', '--qr'], [[/let it in\? \[y\/N\] $/, 'y']]);
    const [text] = await inviting.until(/^[a-z2-7]{4}(-[a-z2-7]{1,4})+$/m);
    await inviting.until(/█/);
    expect(parseInvite(text).role).toBe('submitter');
    const joined = await lanyard('laptop', ['join', text, '--name', 'laptop']);
    expect(joined).toMatchObject({ code: 0, stderr: expect.stringContaining('joined the farm "studio"') });
    const { identity } = await openDevice(join(folder, 'laptop'));
    expect(await inviting).toMatchObject({ code: 0, stderr: expect.stringContaining(`laptop (${identity.shortFingerprint}) asks from`) });
    // With the device's own key, and no token.
    expect(await lanyard('laptop', ['jobs'])).toMatchObject({ code: 0 });
    expect(await lanyard('laptop', ['invite'])).toMatchObject({ code: 4, stderr: expect.stringContaining('admin') });
    expect(await lanyard('laptop', ['join', text])).toMatchObject({ code: 5, stderr: expect.stringContaining('farm leave') });
  });

  test('whoever is turned away is told', async () => {
    const inviting = lanyard('first', ['invite', '--link'], [[/let it in\? \[y\/N\] $/, '']]);
    const [link] = await inviting.until(/lanyard:\/\/join\/[a-z2-7]+/);
    expect(await lanyard('stranger', ['join', link])).toMatchObject({ code: 4, stderr: expect.stringContaining('refused') });
    expect(await inviting).toMatchObject({ code: 0, stdout: expect.stringContaining('was turned away') });
  });

  test('an invite that lets in at once says who came', async () => {
    const inviting = lanyard('first', ['invite', '--approve'], []);
    const [text] = await inviting.until(/^[a-z2-7]{4}(-[a-z2-7]{1,4})+$/m);
    expect((await json<{ device: { roles: string[] } }>('helper', 'join', text, '--name', 'helper')).device.roles).toEqual(['worker']);
    expect(await inviting).toMatchObject({ code: 0, stderr: expect.stringMatching(/helper \(.*\) joined as worker/) });
    expect(await lanyard('helper', ['jobs'])).toMatchObject({ code: 4 });
  });

  test('a text that is no invite, and one that is cut, are refused before anything is sent', async () => {
    expect(await lanyard('stranger', ['join', 'abcd-efgh'])).toMatchObject({ code: 2 });
    expect(await lanyard('stranger', ['join', (await invited()).slice(0, -9)])).toMatchObject({ code: 2 });
  });
});

describe('six digits', () => {
  test('stand on both screens, and let a device in that both people agree on', async () => {
    const address = first.coordinator?.addresses[0] ?? '';
    const joining = lanyard('tablet', ['join', '--address', address, '--name', 'tablet'], [[/is it the same there\? \[y\/N\] $/, 'y']]);
    const [, digits = ''] = await joining.until(/must show (\d{3} \d{3})/);
    expect((await lanyard('first', ['devices'])).stdout).toMatch(new RegExp(`^tablet .* worker .* ${digits}$`, 'm'));
    expect(await lanyard('first', ['approve', 'tablet'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--digits') });
    const wrong = digits === '000 000' ? '111111' : '000000';
    expect(await lanyard('first', ['approve', 'tablet', '--digits', wrong])).toMatchObject({ code: 4 });
    const approving = lanyard('first', ['approve', '--role', 'viewer'], [[/let in\? \[y\/N\] $/, 'y']]);
    expect(await approving).toMatchObject({ code: 0, stderr: expect.stringContaining(`its screen must show ${digits}`) });
    expect(await joining).toMatchObject({ code: 0 });
    expect(await json('tablet', 'farm')).toMatchObject({ device: { roles: ['viewer'] } });
    expect(await lanyard('first', ['approve'])).toMatchObject({ code: 5, stderr: expect.stringContaining('no device waits') });
  });

  test('are compared by a person, or not at all', async () => {
    const address = first.coordinator?.addresses[0] ?? '';
    expect(await lanyard('stranger', ['join', '--address', address])).toMatchObject({ code: 2, stderr: expect.stringContaining('invite') });
    const joining = lanyard('stranger', ['join', '--address', address, '--name', 'odd'], [[/the same there\? \[y\/N\] $/, 'n']]);
    expect(await joining).toMatchObject({ code: 4 });
    expect(await json('first', 'refuse', 'odd')).toMatchObject({ name: 'odd', role: null });
  });
});

test('the dashboard of a coordinator elsewhere is served to browsers of this machine, and to nobody without its token', async () => {
  expect(await lanyard('laptop', ['dashboard'])).toMatchObject({ code: 5, stderr: expect.stringContaining('--serve') });
  const serving = lanyard('laptop', ['dashboard', '--serve']);
  const [, url = '', token = ''] = await serving.until(/^(http:\/\/127\.0\.0\.1:\d+)\/#token=(\S+)$/m);
  const authorization = `Bearer ${token}`;
  const get = async (path: string, headers: Record<string, string>) => (await fetch(url + path, { headers })).status;
  const farm = await fetch(`${url}/api/farm`, { headers: { authorization } });
  expect(await farm.json()).toMatchObject({ name: 'studio', role: 'submitter' });
  const body = JSON.stringify({ command: 'true', image: null, name: 'by the browser' });
  const headers = { authorization, 'content-type': 'application/json' };
  expect(await (await fetch(`${url}/api/jobs`, { method: 'POST', headers, body })).json()).toMatchObject({ name: 'by the browser' });
  expect(await get('/', {})).toBe(200);
  for (const path of ['/api/farm', '/%61pi/farm', '//api/farm', '/API/farm', '/assets/../api/farm', '/assets%2f..%2fapi/farm'])
    expect(await get(path, {}), path).toBe(401);
  expect(await get('/api/farm', { authorization: `Bearer ${'x'.repeat(token.length)}` })).toBe(401);
  expect(await get('/api/farm', { authorization, origin: 'http://evil.example' })).toBe(403);
  expect(await statusWithHost(url, 'evil.example', authorization)).toBe(403);
  serving.stop();
  expect(await serving).toMatchObject({ code: 0 });
  await expect(fetch(url)).rejects.toThrow();
});

test('devices change roles, and are removed', async () => {
  await json('aide', 'join', await invited('--role', 'viewer'), '--name', 'aide');
  expect(await json('first', 'role', 'aide', 'worker', 'submitter')).toMatchObject({ name: 'aide', roles: ['submitter', 'worker'] });
  expect(await lanyard('first', ['role', 'aide', 'king'])).toMatchObject({ code: 2 });
  expect(await lanyard('first', ['role', 'nobody', 'viewer'])).toMatchObject({ code: 5 });
  const { devices } = await json<{ devices: { id: string; name: string }[] }>('first', 'devices');
  const { id = '' } = devices.find(({ name }) => name === 'aide') ?? {};
  expect(await lanyard('first', ['remove', '12', 'aide'])).toMatchObject({ code: 2 });
  expect(await lanyard('first', ['remove', `${id.slice(0, 4)}-${id.slice(4, 8)}`])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('aide'),
  });
  expect(await lanyard('aide', ['jobs'])).toMatchObject({ code: 3, stderr: expect.stringContaining('removed') });
});

test('a device leaves, and the farm knows; the coordinator of others stays', async () => {
  await json('guest', 'join', await invited(), '--name', 'guest');
  expect(await json('guest', 'farm', 'leave')).toMatchObject({ left: { name: 'studio' }, isTold: true });
  expect(await json('guest', 'farm')).toMatchObject({ farm: null });
  const { devices } = await json<{ devices: { name: string }[] }>('first', 'devices');
  expect(devices.map(({ name }) => name)).not.toContain('guest');
  expect(await lanyard('first', ['farm', 'leave'])).toMatchObject({ code: 5, stderr: expect.stringContaining('coordinator move') });
  expect(await lanyard('first', ['farm', 'leave', '--force'])).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('runs from this data folder'),
  });
});

test('whoever ends a farm keeps its files aside, and the next one begins without them', async () => {
  await json('solo', 'farm', 'create', 'old');
  const solo = await startTestNode({ dataFolder: join(folder, 'solo'), works: false });
  expect(await lanyard('solo', ['farm', 'leave'])).toMatchObject({ code: 5, stderr: expect.stringContaining('end it') });
  await solo.close();
  const { aside } = await json<{ aside: string }>('solo', 'farm', 'leave');
  expect(await readdir(aside)).toEqual(
    expect.arrayContaining(['farm-key.pem', 'farm.sqlite', 'tokens.json', 'audit.jsonl', 'connection.json', 'blobs']),
  );
  expect((await readdir(join(folder, 'solo'))).filter((name) => !name.startsWith('left-')).toSorted()).toEqual(['identity.json']);
  await json('solo', 'farm', 'create', 'new');
  const next = await startTestNode({ dataFolder: join(folder, 'solo'), works: false });
  expect(await json('solo', 'jobs')).toMatchObject({ total: 0 });
  await next.close();
});

test('tokens work from elsewhere through their connection string, until they are revoked', async () => {
  const { token, connections } = await json<{ token: string; connections: string[] }>('first', 'token', 'create', 'ci', '--role', 'viewer');
  const [connection = ''] = connections;
  expect(connection).toContain(token);
  expect(await lanyard('elsewhere', ['--url', connection, 'jobs'])).toMatchObject({ code: 0 });
  const otherKey = connection.replace(/#(.)/, (_, first: string) => `#${first === 'a' ? 'b' : 'a'}`);
  expect(await lanyard('elsewhere', ['--url', otherKey, 'jobs'])).toMatchObject({ code: 4 });
  expect(await lanyard('elsewhere', ['--url', 'lanyard+https://x', 'jobs'])).toMatchObject({ code: 2 });
  expect(await lanyard('elsewhere', ['--url', connection, 'dashboard'])).toMatchObject({ code: 5 });
  expect((await lanyard('first', ['token'])).stdout).toMatch(/^[0-9a-f]{12} +ci +viewer +in /m);
  expect(await lanyard('first', ['token', 'revoke', 'ci'])).toMatchObject({ code: 0 });
  expect(await lanyard('elsewhere', ['--url', connection, 'jobs'])).toMatchObject({ code: 4 });
  expect(await lanyard('first', ['token', 'create', 'x', '--days', '0'])).toMatchObject({ code: 2 });
  const { stdout } = await lanyard('first', ['audit', '--limit', '200']);
  for (const event of [
    'token-revoked',
    'token-created',
    'device-removed',
    'role-changed',
    'device-refused',
    'device-approved',
    'invite-used',
  ])
    expect(stdout).toContain(event);
});

test('coordination moves on command, and is taken when its device is gone', async () => {
  await json('second', 'join', await invited('--role', 'worker'), '--name', 'second');
  await json('first', 'role', 'second', 'worker', 'admin');
  await json('third', 'join', await invited('--role', 'admin'), '--name', 'third');
  expect((await lanyard('third', ['coordinator'])).stdout).toMatch(/^north \(.*\) coordinates the farm, in term 1\n$/);
  expect(await lanyard('third', ['coordinator', 'move', 'second'])).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('not connected'),
  });
  expect(await lanyard('third', ['coordinator', 'take'])).toMatchObject({ code: 5, stderr: expect.stringContaining('answers') });

  const second = await startTestNode({ dataFolder: join(folder, 'second'), executors: [] });
  nodes.push(second);
  expect(await lanyard('third', ['coordinator', 'move', 'second'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^second .* now, at 127\.0\.0\.1\n$/),
  });
  expect(await json('third', 'coordinator')).toMatchObject({ coordinator: { name: 'second' }, term: 2 });
  // The device that was the coordinator follows like any other.
  expect(await json('first', 'coordinator')).toMatchObject({ term: 2 });

  await second.close();
  expect(await lanyard('third', ['jobs'])).toMatchObject({ code: 3 });
  expect(await lanyard('helper', ['coordinator', 'take', '--force'])).toMatchObject({ code: 4 });
  await writeFile(join(folder, 'third', 'farm.sqlite'), 'of an earlier term');
  const unattended = await lanyard('third', ['coordinator', 'take']);
  expect(unattended).toMatchObject({ code: 2, stderr: expect.stringMatching(/queue[\s\S]*tokens[\s\S]*--force/) });
  expect(await lanyard('third', ['coordinator', 'take'], [[/take coordination from second .*\? \[y\/N\] $/, 'y']])).toMatchObject({
    code: 0,
  });
  expect(await json('third', 'farm')).toMatchObject({ coordinator: (await openDevice(join(folder, 'third'))).identity.id, term: 3 });
  // Jobs of an earlier term have moved on since: the queue begins empty, and the log says why.
  expect(await readFile(join(folder, 'third', 'farm.sqlite.earlier'), 'utf8')).toBe('of an earlier term');
  nodes.push(await startTestNode({ dataFolder: join(folder, 'third'), works: false }));
  expect(await json('third', 'jobs')).toMatchObject({ total: 0 });
  expect((await lanyard('third', ['audit'])).stdout).toMatch(/coordinator-moved .* taken from /);
});
