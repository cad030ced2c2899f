import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES } from '../../shared/api.ts';
import type { Route } from '../../shared/api-route.ts';
import { SEED_ROUTES } from '../../shared/api-seed.ts';
import { LanyardError } from '../../shared/errors.ts';
import { LIMITS } from '../../shared/limits.ts';
import { ROLES } from '../../shared/trust.ts';
import type { JobQuery } from '../ports/store.ts';
import { assertRoles } from './auth.ts';
import { startApi, type TestApi } from './testing/api.ts';

const routes: [string, Route][] = Object.entries({ ...ROUTES, ...SEED_ROUTES });
const queries: JobQuery[] = [];
let api: TestApi;

beforeAll(async () => {
  api = await startApi({
    farm: {
      id: 'farm',
      listJobs(query) {
        queries.push(query);
        return { jobs: [], total: 0 };
      },
      job() {
        throw new LanyardError({ code: 'NOT_FOUND', message: 'no such job', hint: 'look at the list' });
      },
    },
  });
});
afterAll(() => api.close());

function pathOf(route: Route): string {
  return route.path
    .replace(':blob', 'a'.repeat(64))
    .replace(/:(job|index|number)/g, '1')
    .replace(':node', 'node-1')
    .replace('*', 'out.png');
}

describe('roles', () => {
  it('names at least one for every route, and refuses to start without', () => {
    for (const [name, route] of routes) expect(route.roles.length, name).toBeGreaterThan(0);
    expect(() => assertRoles({ open: { method: 'GET', path: '/api/open', roles: [], summary: 'a mistake' } })).toThrow(
      'route open (GET /api/open) names no role',
    );
  });

  it('lets strangers ask for nothing but health and being let in', () => {
    const open = routes.filter(([, route]) => route.roles.includes('anonymous')).map(([name]) => name);
    expect(open.toSorted()).toEqual(['health', 'join', 'joinState', 'revealPairing', 'startPairing']);
  });

  const guarded = routes.filter(([, route]) => !route.roles.includes('anonymous'));

  it.each(guarded)('%s needs a token', async (_, route) => {
    const { method } = route;
    for (const headers of [
      {},
      { authorization: 'Bearer unknown' },
      { authorization: 'Basic YWRtaW46YWRtaW4=' },
      { authorization: 'Bearer ' },
    ]) {
      const answer = await api.send({ method, path: pathOf(route), headers });
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      if (method !== 'HEAD') expect(answer.code).toBe('UNAUTHENTICATED');
    }
  });

  it.each(guarded)('%s refuses the roles it does not name', async (_, route) => {
    const { method } = route;
    const wrong = ROLES.filter((role) => role !== 'admin' && !route.roles.includes(role));
    expect(wrong.length > 0 || route.roles.includes('viewer')).toBe(true);
    for (const as of wrong) {
      const answer = await api.send({ method, path: pathOf(route), as });
      expect(answer.status, as).toBe(403);
      if (method !== 'HEAD') expect(answer.code).toBe('FORBIDDEN');
    }
  });

  it.each(guarded)('%s lets the roles it names, and the administrator, in', async (_, route) => {
    if (route.path === '/api/events') return;
    for (const as of new Set([...ROLES.filter((role) => route.roles.includes(role)), 'admin' as const])) {
      const answer = await api.send({ method: route.method, path: pathOf(route), as });
      expect([401, 403], as).not.toContain(answer.status);
    }
  });
});

describe('who may ask', () => {
  const methods = ['GET', 'POST', 'DELETE', 'PATCH', 'PUT'];

  it.each(methods)('refuses %s for a foreign Host', async (method) => {
    for (const host of ['evil.example', `evil.example:${api.port}`, '127.0.0.1.evil.example', '10.9.8.7']) {
      const answer = await api.send({ method, path: '/api/jobs/1', as: 'admin', headers: { host } });
      expect(answer.status, host).toBe(403);
    }
  });

  it.each(methods)('refuses %s with a foreign Origin, with the best of tokens', async (method) => {
    for (const origin of [
      'http://evil.example',
      'null',
      `https://127.0.0.1:${api.port}`,
      'http://127.0.0.1:1',
      `http://localhost:${api.port}`,
    ]) {
      const answer = await api.send({ method, path: '/api/jobs/1', as: 'admin', headers: { origin } });
      expect(answer.status, origin).toBe(403);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  it('refuses them on open routes, unknown ones and preflights too', async () => {
    for (const [method, path] of [
      ['GET', '/api/health'],
      ['GET', '/'],
      ['GET', '/nothing'],
      ['OPTIONS', '/api/jobs'],
    ] as const) {
      expect((await api.send({ method, path, headers: { host: 'evil.example' } })).status).toBe(403);
      expect((await api.send({ method, path, headers: { origin: 'http://evil.example' } })).status).toBe(403);
    }
  });

  it('lets the page in that it delivered itself', async () => {
    const answer = await api.send({ path: '/api/jobs', as: 'viewer', headers: { origin: api.url } });
    expect(answer.status).toBe(200);
  });

  it('sends its security headers with every answer, and no cookie', async () => {
    for (const path of ['/api/health', '/', '/nothing', '/api/jobs']) {
      const { headers } = await api.send({ path });
      expect(headers['content-security-policy']).toContain("default-src 'self'");
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['referrer-policy']).toBe('no-referrer');
      expect(headers['set-cookie']).toBeUndefined();
    }
  });
});

describe('what is asked', () => {
  it('is parsed by the table', async () => {
    queries.length = 0;
    const answer = await api.send({ path: '/api/jobs?state=failed,TIMED_OUT&limit=5', as: 'viewer' });
    expect(JSON.parse(answer.text)).toEqual({ jobs: [], total: 0 });
    expect(queries).toEqual([{ states: ['FAILED', 'TIMED_OUT'], limit: 5, offset: 0, order: 'newest' }]);
  });

  it.each([
    ['/api/jobs?limit=0', 'limit'],
    [`/api/jobs?limit=${LIMITS.pageRows + 1}`, 'limit'],
    ['/api/jobs?state=BROKEN', 'state.0'],
    ['/api/jobs?limit=1&limit=2', 'limit'],
    ['/api/jobs/abc', 'job'],
    ['/api/jobs/-1', 'job'],
    ['/api/jobs/1/tasks/x', 'index'],
  ])('%s is refused and names the field', async (path, field) => {
    const answer = await api.send({ path, as: 'admin' });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text).error).toMatchObject({ code: 'INVALID', field });
  });

  const json = { 'content-type': 'application/json' };

  it.each([
    ['{"command": ', json],
    ['[]', json],
    ['null', json],
    ['{"command":"x","__proto__":{"a":1}}', json],
    ['{"command":"x","unknown":1}', json],
    ['{"command":""}', json],
    ['', json],
    ['command=x', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['{"command":"x"}', { 'content-type': 'text/plain' }],
  ])('a job of %j is refused', async (body, headers) => {
    const answer = await api.send({ method: 'POST', path: '/api/jobs', as: 'submitter', headers, body });
    expect(answer.status).toBe(400);
    expect(answer.code).toBe('INVALID');
  });

  it('has a bound for bodies', async () => {
    const body = JSON.stringify({ command: 'x', env: { A: 'a'.repeat(LIMITS.requestBytes) } });
    const answer = await api.send({ method: 'POST', path: '/api/jobs', as: 'submitter', headers: json, body });
    expect(answer.status).toBe(413);
    expect(answer.code).toBe('TOO_LARGE');
  });

  it('may be something that is not there', async () => {
    const answer = await api.send({ path: '/api/nothing', as: 'admin' });
    expect(answer.status).toBe(404);
    expect(answer.code).toBe('NOT_FOUND');
    expect((await api.send({ path: '/api/jobs/%E0%A4%A', as: 'admin' })).status).toBe(400);
    expect((await api.send({ method: 'PUT', path: '/api/jobs', as: 'admin' })).status).toBe(404);
  });
});

describe('errors', () => {
  it('carry the value and its status', async () => {
    const answer = await api.send({ path: '/api/jobs/7', as: 'viewer' });
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.text)).toEqual({ error: { code: 'NOT_FOUND', message: 'no such job', hint: 'look at the list' } });
  });

  it('of the program say nothing of the inside, and are logged with the id that the caller was told', async () => {
    api.errors.length = 0;
    const answer = await api.send({ path: '/api/nodes', as: 'viewer' });
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('secret detail');
    const id = /request ([0-9a-f-]{36})/.exec(answer.text)?.[1];
    expect(id).toBeDefined();
    expect(api.errors).toHaveLength(1);
    expect(api.errors[0]).toContain(id);
    expect(api.errors[0]).toContain('secret detail');
  });
});

describe('listening', () => {
  it('on a port that is taken says so', async () => {
    await expect(startApi({ port: api.port })).rejects.toMatchObject({ code: 'UNAVAILABLE', field: 'port' });
  });
});

describe('open routes', () => {
  it('tell health, version and the document', async () => {
    expect(JSON.parse((await api.send({ path: '/api/health' })).text)).toEqual({ status: 'ok', version: '9.9.9' });
    const document = await api.send({ path: '/api/openapi.json', as: 'viewer' });
    expect(document.headers['content-type']).toContain('application/json');
    expect(JSON.parse(document.text).info.version).toBe('9.9.9');
    const schema = await api.send({ path: '/api/lanyard.schema.json', as: 'viewer' });
    expect(schema.headers['content-type']).toContain('application/schema+json');
    expect(JSON.parse(schema.text).required).toEqual(['command']);
  });

  it('point to the API where there is no dashboard', async () => {
    const answer = await api.send({ path: '/' });
    expect(answer.headers['content-type']).toContain('text/plain');
    expect(answer.text).toContain('/api/openapi.json');
  });

  it('serve the dashboard, and nothing beside its folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lanyard-dashboard-'));
    await writeFile(join(folder, 'index.html'), '<!doctype html><title>Lanyard</title>');
    const served = await startApi({ dashboardFolder: folder });
    try {
      const page = await served.send({ path: '/' });
      expect(page.status).toBe(200);
      expect(page.headers['content-type']).toContain('text/html');
      expect(page.headers['content-security-policy']).toContain("default-src 'self'");
      for (const path of ['/../../../../etc/passwd', '/%2e%2e/%2e%2e/%2e%2e/etc/passwd', '/..%2f..%2f..%2fetc%2fpasswd', '/none.js']) {
        const answer = await served.send({ path });
        expect([400, 403, 404], path).toContain(answer.status);
        expect(answer.text).not.toContain('root:');
      }
      expect((await served.send({ path: '/api/jobs' })).status).toBe(401);
    } finally {
      await served.close();
      await rm(folder, { recursive: true });
    }
  });
});
