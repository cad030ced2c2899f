import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { openDevice } from '../../electron/compose/device.ts';
import { encodeInvite, parseInvite } from '../../electron/trust/invite-text.ts';
import { joinByDigits, joinByInvite } from '../../electron/trust/joining.ts';
import { startPairing } from '../../electron/trust/pairing.ts';
import { pinnedRequest } from '../../electron/trust/pinned-request.ts';
import { apiServerOptions, pinnedClientOptions } from '../../electron/trust/tls.ts';
import { ROUTES } from '../../shared/api.ts';
import type { Route } from '../../shared/api-route.ts';
import { SEED_ROUTES } from '../../shared/api-seed.ts';
import { joinAnswerSchema, pairReplySchema, ROLES, type Role } from '../../shared/trust.ts';
import { type AttackedFarm, startAttackedFarm } from './support/attack.ts';
import type { TestFarm } from './support/farm.ts';

/** What somebody on the network may try against a real coordinator process, and must not get. */

let attacked: AttackedFarm;
let farm: TestFarm;
let otherFarm: TestFarm;
let apiAddress: string;
let coordinatorCertificate: string;
let tokens: AttackedFarm['tokens'];
let api: AttackedFarm['api'];

beforeAll(async () => {
  attacked = await startAttackedFarm();
  ({ farm, otherFarm, apiAddress, coordinatorCertificate, tokens, api } = attacked);
});
afterAll(() => attacked?.close());

const guarded = Object.entries<Route>({ ...ROUTES, ...SEED_ROUTES }).filter(([, { roles }]) => !roles.includes('anonymous'));
const pathOf = ({ path }: Route) =>
  path
    .replace(':blob', 'a'.repeat(64))
    .replace(/:(job|index|number)/g, '1')
    .replace(':device', 'a'.repeat(52))
    .replace(':admission', '0'.repeat(32))
    .replace(/:[a-z]+/g, '0'.repeat(12))
    .replace('*', 'x');

describe.each(guarded)('%s', (_, route) => {
  test('is nothing for who has no token, one that is expired or revoked, of another farm, or of a role that may not', async () => {
    for (const token of [undefined, tokens.expired, tokens.revoked, tokens.other, 'lyd_', 'x'.repeat(4_097)])
      expect((await api(route.method, pathOf(route), token)).status, token).toBe(401);
    const mayNot = ROLES.filter((role) => role !== 'admin' && !(route.roles as readonly string[]).includes(role));
    for (const role of mayNot) expect((await api(route.method, pathOf(route), tokens[role])).status, role).toBe(403);
    // The same request by somebody who may is no matter of tokens.
    if (route.path !== ROUTES.events.path) expect([401]).not.toContain((await api(route.method, pathOf(route), tokens.viewer)).status);
  });
});

describe('a page from elsewhere', () => {
  const own = () => new URL(farm.connection.url);

  test.each(['GET', 'POST', 'DELETE', 'PATCH', 'PUT'])(
    'gets nothing by %s, with the best of tokens, by its name or its origin',
    async (method) => {
      for (const headers of [{ host: `evil.example:${own().port}` }, { origin: 'https://evil.example' }, { origin: 'null' }]) {
        expect((await api(method, '/api/jobs/1', tokens.admin, { headers })).status).toBe(403);
        expect((await api(method, '/api/health', undefined, { headers })).status).toBe(403);
      }
    },
  );

  test('gets no upgrade either', async () => {
    const statuses = await Promise.all(
      [{ host: `evil.example:${own().port}` }, { origin: 'https://evil.example' }].map(
        (headers) =>
          new Promise((resolve) => {
            const socket = new WebSocket(`${farm.connection.url.replace('http', 'ws')}/api/events`, {
              headers: { authorization: `Bearer ${tokens.admin}`, ...headers },
            });
            socket.on('open', () => resolve('open'));
            socket.on('unexpected-response', (_, response) => resolve(response.statusCode));
            socket.on('error', (error) => resolve(error.message));
          }),
      ),
    );
    expect(statuses).toEqual([403, 403]);
  });
});

describe('an invite', () => {
  const join_ = (secret: string, name: string, certificate: string) =>
    api('POST', '/api/join', undefined, {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ secret, name, certificate }),
    });

  test('that many redeem at one moment lets one in, and nobody after', async () => {
    const invite = parseInvite((await farm.client.call('createInvite', { body: { role: 'worker', approve: true } })).text);
    const racers = await Promise.all(Array.from({ length: 6 }, (_, index) => openDevice(join(farm.folder, `racer-${index}`))));
    const before = (await farm.client.call('listDevices')).devices.length;
    const answers = await Promise.all(racers.map(({ identity }, index) => join_(invite.secret, `racer ${index}`, identity.certificate)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 403, 403, 403, 403, 403]);
    expect((await farm.client.call('listDevices')).devices).toHaveLength(before + 1);
    expect((await join_(invite.secret, 'later', racers[0]?.identity.certificate ?? '')).status).toBe(403);
    const { entries } = await farm.client.call('audit', { query: { limit: 20 } });
    expect(entries.filter(({ event }) => event === 'invite-refused')).toHaveLength(6);
  });

  test('does not give its secret to whoever has the address', async () => {
    const impostor = await openDevice(join(farm.folder, 'impostor'));
    let requests = 0;
    const server = createServer(apiServerOptions(impostor.identity), (_, response) => {
      requests += 1;
      response.end('{}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const invite = parseInvite((await farm.client.call('createInvite', { body: { role: 'worker', approve: true } })).text);
    const led = encodeInvite({ ...invite, addresses: [`127.0.0.1:${(server.address() as AddressInfo).port}`] });
    const { identity, roster } = await openDevice(join(farm.folder, 'led'));
    const joined = joinByInvite(parseInvite(led), { identity, roster, name: 'led', signal: AbortSignal.timeout(10_000), waiting() {} });
    await expect(joined).rejects.toMatchObject({ message: expect.stringContaining('has another key') });
    expect(requests).toBe(0);
  });
});

describe('six digits', () => {
  /** Somebody with an address of its own, who passes on what it hears, with its own key where it must. */
  async function startMiddle() {
    const middle = await openDevice(join(farm.folder, `middle-${randomBytes(4).toString('hex')}`));
    const tls = pinnedClientOptions(coordinatorCertificate);
    const server = createServer(apiServerOptions(middle.identity), async (request, response) => {
      let text = '';
      for await (const part of request) text += part;
      const body =
        text === ''
          ? undefined
          : { ...JSON.parse(text), ...(text.includes('certificate') ? { certificate: middle.identity.certificate } : {}) };
      const path = request.url ?? '';
      // It must know its own nonce to get on with the coordinator, so it binds itself and leaves the joiner's binding behind.
      const sent = path.endsWith('/start') ? { ...own.message, name: body.name } : path.endsWith('/reveal') ? { ...body, nonce } : body;
      const schema = path.endsWith('/start') ? pairReplySchema : joinAnswerSchema;
      const method = request.method === 'GET' ? 'GET' : 'POST';
      const answer = await pinnedRequest({ address: apiAddress, tls, method, path, body: sent }, schema);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
    const nonce = randomBytes(32).toString('hex');
    const { identity } = await openDevice(farm.coordinator.dataFolder);
    const own = startPairing({
      name: 'middle',
      certificate: middle.identity.certificate,
      coordinator: identity.id,
      nonce,
      nowMs: 0,
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test('differ when somebody stands in between, who gets nowhere even when nobody looks', async () => {
    const address = await startMiddle();
    const { identity, roster } = await openDevice(join(farm.folder, 'paired'));
    const shown: { there?: string | null; here?: string } = {};
    const compare = async (digits: string) => {
      const { admissions } = await farm.client.call('listAdmissions');
      shown.here = digits;
      shown.there = admissions.at(-1)?.digits ?? null;
      // A careless administrator lets in whoever asks, and a careless user says that all is well.
      await farm.client.call('approveAdmission', { params: { admission: admissions.at(-1)?.id ?? '' }, body: {} });
      return true;
    };
    const joined = joinByDigits({ identity, roster, name: 'paired', address, compare, signal: AbortSignal.timeout(10_000), waiting() {} });
    await expect(joined).rejects.toMatchObject({ code: 'FORBIDDEN', message: expect.stringContaining('roster is refused') });
    expect(shown.there).toMatch(/^\d{6}$/);
    expect(shown.here).not.toBe(shown.there);
    expect(roster.current).toBeUndefined();
  });

  test('are asked of nobody but the coordinator that was announced', async () => {
    const address = await startMiddle();
    const { identity, roster } = await openDevice(join(farm.folder, 'misled'));
    const expected = (await farm.client.call('listDevices')).coordinator;
    const joined = joinByDigits({
      ...{ identity, roster, name: 'misled', address, expected, signal: AbortSignal.timeout(10_000), waiting() {} },
      compare: () => Promise.reject(new Error('the digits were shown')),
    });
    await expect(joined).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('not the coordinator that was announced'),
    });
  });

  test('cannot be guessed at: tries are few, and stand in the audit log', async () => {
    const guesser = await openDevice(join(farm.folder, 'guesser'));
    const start = { name: '<b>guesser</b>', certificate: guesser.identity.certificate, commitment: '0'.repeat(64) };
    const post = (path: string, body: object) =>
      api('POST', path, undefined, { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const statuses: number[] = [];
    for (let count = 0; count < 8; count += 1) {
      const answer = await post('/api/pairing/start', start);
      statuses.push(answer.status);
      if (answer.status !== 200) continue;
      const { pairing } = JSON.parse(answer.text) as { pairing: string };
      expect((await post('/api/pairing/reveal', { pairing, nonce: '0'.repeat(64) })).status).toBe(403);
      expect((await post('/api/pairing/reveal', { pairing, nonce: '1'.repeat(64) })).status).toBe(410);
    }
    // One try of this address was the test's before.
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(5);
    expect(statuses.slice(-3)).toEqual([429, 429, 429]);
    const { entries } = await farm.client.call('audit', { query: { limit: 50 } });
    const refusals = entries.filter(({ event }) => event === 'pairing-refused').map(({ detail }) => detail);
    expect(refusals).toEqual(expect.arrayContaining(['too many tries', 'commitment', 'expired']));
    expect((await farm.client.call('listAdmissions')).admissions.map(({ name }) => name)).not.toContain('<b>guesser</b>');
  });
});

describe('names', () => {
  test.each(['..%2f..%2fidentity.json', '%2e%2e/%2e%2e/identity.json', '..', `${'a'.repeat(63)}%00`, `${'A'.repeat(64)}`, 'con'])(
    'of blobs are hashes, and nothing else: %s',
    async (name) => {
      for (const method of ['GET', 'PATCH', 'HEAD']) {
        const { status } = await api(method, `/api/blobs/${name}`, tokens.submitter, {
          headers: { 'upload-offset': '0', 'upload-length': '1' },
        });
        expect([400, 404], method).toContain(status);
      }
    },
  );

  test('of strangers carry nothing that moves a cursor or turns a line around', async () => {
    const { identity } = await openDevice(join(farm.folder, 'named'));
    for (const name of ['\u001b[2Jgone', 'a\nb', '\u202egnp.exe', '\u0007'])
      for (const [path, more] of [
        ['/api/join', { secret: '0'.repeat(32) }],
        ['/api/pairing/start', { commitment: '0'.repeat(64) }],
      ] as const) {
        const body = JSON.stringify({ name, certificate: identity.certificate, ...more });
        expect((await api('POST', path, undefined, { headers: { 'content-type': 'application/json' }, body })).status).toBe(400);
      }
  });

  test('with markup in them come back as data that no browser takes for a page', async () => {
    const name = '"><img src=x onerror=alert(1)>\u202e';
    const { id } = await farm.submit({ name, command: 'x', image: null, requirements: { cpu: 1, ramMb: 1, labels: ['nowhere'] } });
    for (const path of [`/api/jobs/${id}`, `/api/jobs/status?id=${id}`]) {
      const answer = await api('GET', path, tokens.viewer);
      expect(JSON.parse(answer.text).name).toBe(name);
      expect(answer.headers).toMatchObject({
        'content-type': expect.stringContaining('application/json'),
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.stringContaining("default-src 'self'"),
      });
    }
    const zip = await api('GET', `/api/jobs/${id}/outputs.zip`, tokens.viewer);
    expect(zip.headers['content-disposition']).toMatch(/^attachment; filename="[\x20-\x21\x23-\x7e]*"/);
    await farm.client.call('cancelJob', { params: { job: id } });
  });
});

describe('a stock client', () => {
  const openssl = (address: string, ...flags: string[]): Promise<string> =>
    new Promise((resolve) => {
      const args = ['s_client', '-connect', address, ...flags];
      const child = execFile('openssl', args, { timeout: 10_000 }, (error, out, errors) =>
        resolve(`${out}${errors} exit ${error?.code ?? 0}`),
      );
      child.stdin?.end('GET /api/health HTTP/1.0\r\n\r\n');
    });

  test('is refused TLS 1.2, another pin, and the listener of the devices without a certificate', async () => {
    const pin = join(farm.folder, 'coordinator.pem');
    const otherPin = join(farm.folder, 'other.pem');
    await writeFile(pin, coordinatorCertificate);
    await writeFile(otherPin, (await openDevice(otherFarm.coordinator.dataFolder)).identity.certificate);
    for (const address of [apiAddress, farm.connection.peer]) {
      expect(await openssl(address, '-tls1_2')).toMatch(/alert protocol version|no protocols available/);
      expect(await openssl(address, '-CAfile', otherPin, '-verify_return_error')).toMatch(/verify error[\s\S]*exit 1/);
    }
    expect(await openssl(apiAddress, '-CAfile', pin, '-verify_return_error')).toContain('TLSv1.3');
    expect(await openssl(farm.connection.peer, '-CAfile', pin, '-ign_eof')).toContain('certificate required');
  });
});

test('after all of it the farm is as it was, and what was refused is written down', async () => {
  const done = await farm.submit({ command: 'true', image: null, requirements: { cpu: 0.1, ramMb: 16 } });
  expect(await farm.untilEnded(done.id)).toMatchObject({ state: 'COMPLETED' });
  const { entries } = await farm.client.call('audit', { query: { limit: 1_000 } });
  expect(entries.map(({ event }) => event)).toContain('access-refused');
  const roles: readonly Role[] = (await farm.client.call('listDevices')).devices.flatMap((device) => device.roles);
  expect(roles.filter((role) => role === 'admin')).toHaveLength(1);
});
