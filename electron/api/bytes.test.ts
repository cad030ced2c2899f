import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LanyardError } from '../../shared/errors.ts';
import type { AttemptId, BlobId } from '../../shared/ids.ts';
import type { AttemptView, JobDetail, OutputView, TaskView } from '../../shared/view.ts';
import { createLogDecoder } from '../files/log-records.ts';
import { startApi, type TestApi } from './testing/api.ts';

const attempt = (number: number, finishedAt: number | null) => ({ id: `1.0.${number}`, number, finishedAt, node: 'n' }) as AttemptView;
const outputs: OutputView[] = [];
let api: TestApi;

beforeAll(async () => {
  api = await startApi({
    settings: { maxUploadBytes: 1_000_000 },
    farm: {
      job: (id) => ({ id, name: 'a "job"' }) as unknown as JobDetail,
      task: () => ({ task: {} as TaskView, attempts: [attempt(1, 5), attempt(2, null), attempt(3, 6)] }),
      outputs: (_, index) => outputs.filter((one) => index === undefined || one.task === `1.${index}`),
    },
  });
});
afterAll(() => api.close());

function hashOf(bytes: Uint8Array | string): BlobId {
  return createHash('sha256').update(bytes).digest('hex') as BlobId;
}

function put(blob: string, offset: number | string, total: number | string, body: Uint8Array | string) {
  const headers = { 'content-type': 'application/octet-stream', 'upload-offset': String(offset), 'upload-length': String(total) };
  return api.send({ method: 'PATCH', path: `/api/blobs/${blob}`, as: 'submitter', headers, body });
}

const head = (blob: string) => api.send({ method: 'HEAD', path: `/api/blobs/${blob}`, as: 'viewer' });

describe('uploads', () => {
  it('go on by offset and are verified when they are whole', async () => {
    const bytes = Buffer.from('0123456789'.repeat(1_000));
    const blob = hashOf(bytes);
    expect((await head(blob)).headers['upload-offset']).toBe('0');
    const first = await put(blob, 0, bytes.length, bytes.subarray(0, 4_000));
    expect(JSON.parse(first.text)).toEqual({ received: 4_000, complete: false });
    const between = await head(blob);
    expect(between.status).toBe(404);
    expect(between.headers['upload-offset']).toBe('4000');
    for (const wrong of [0, 3_999, 4_001]) {
      const answer = await put(blob, wrong, bytes.length, bytes.subarray(wrong));
      expect(answer.status).toBe(409);
      expect(answer.headers['upload-offset']).toBe('4000');
    }
    const last = await put(blob, 4_000, bytes.length, bytes.subarray(4_000));
    expect(JSON.parse(last.text)).toEqual({ received: 10_000, complete: true });
    const whole = await head(blob);
    expect(whole.status).toBe(200);
    expect(whole.headers['content-length']).toBe('10000');
    expect(whole.headers.etag).toBe(`"${blob}"`);
    expect(JSON.parse((await put(blob, 0, bytes.length, bytes)).text)).toEqual({ received: 10_000, complete: true });
  });

  it('of nothing need no body', async () => {
    const headers = { 'upload-offset': '0', 'upload-length': '0' };
    const answer = await api.send({ method: 'PATCH', path: `/api/blobs/${hashOf('')}`, as: 'worker', headers });
    expect(JSON.parse(answer.text)).toEqual({ received: 0, complete: true });
  });

  it('keep what came before the line broke', async () => {
    const bytes = Buffer.alloc(50_000, 'x');
    const blob = hashOf(bytes);
    const socket = connect(api.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      `PATCH /api/blobs/${blob} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer submitter-token\r\nContent-Length: 50000\r\nUpload-Offset: 0\r\nUpload-Length: 50000\r\n\r\n`,
    );
    await new Promise((resolve) => socket.write(bytes.subarray(0, 20_000), resolve));
    await expect.poll(async () => Number((await head(blob)).headers['upload-offset'])).toBe(20_000);
    socket.destroy();
    await expect
      .poll(async () => JSON.parse((await put(blob, 20_000, 50_000, bytes.subarray(20_000))).text) as unknown)
      .toEqual({ received: 50_000, complete: true });
  });

  it('are refused when the bytes are not those of the name, and can begin anew', async () => {
    const blob = hashOf('right');
    const answer = await put(blob, 0, 5, 'wrong');
    expect(answer.status).toBe(400);
    expect(answer.code).toBe('INVALID');
    expect((await head(blob)).headers['upload-offset']).toBe('0');
    expect(JSON.parse((await put(blob, 0, 5, 'right')).text)).toEqual({ received: 5, complete: true });
  });

  it('are refused beyond the size that is allowed or announced', async () => {
    const blob = hashOf('large');
    expect((await put(blob, 0, 1_000_001, 'large')).status).toBe(413);
    expect((await put(blob, 0, 4, 'large')).status).toBe(400);
    expect((await head(blob)).status).toBe(404);
  });

  it.each(['', '-1', '1.5', 'x', '1e3', '9'.repeat(20)])('need whole numbers as headers, not %j', async (value) => {
    expect((await put(hashOf('n'), value, 5, 'n')).status).toBe(400);
    expect((await put(hashOf('n'), 0, value, 'n')).status).toBe(400);
  });

  it.each([
    '..%2f..%2f..%2fetc%2fpasswd',
    '../../etc/passwd',
    'A'.repeat(64),
    'a'.repeat(63),
    `${'a'.repeat(63)}%2f`,
    `${'a'.repeat(64)}%00`,
    `${'a'.repeat(64)}%0a`,
  ])('have no name like %s', async (name) => {
    for (const method of ['HEAD', 'GET', 'PATCH'] as const) {
      const headers: Record<string, string> = method === 'PATCH' ? { 'upload-offset': '0', 'upload-length': '0' } : {};
      expect([400, 404]).toContain((await api.send({ method, path: `/api/blobs/${name}`, as: 'admin', headers })).status);
    }
    const answer = await api.send({ path: `/api/blobs/${name}`, as: 'admin' });
    expect(['INVALID', 'NOT_FOUND']).toContain(answer.code);
  });
});

describe('blobs', () => {
  const text = 'abcdefghij';
  const get = (headers: Record<string, string>) => api.send({ path: `/api/blobs/${hashOf(text)}`, as: 'worker', headers });
  beforeAll(async () => {
    await api.blobs.write(Readable.from([Buffer.from(text)]));
  });

  it('are given whole, as a part, or not at all when the caller has them', async () => {
    const whole = await get({});
    expect([whole.status, whole.text, whole.headers['content-type']]).toEqual([200, text, 'application/octet-stream']);
    const part = await get({ range: 'bytes=2-4' });
    expect([part.status, part.text, part.headers['content-range'], part.headers['content-length']]).toEqual([
      206,
      'cde',
      'bytes 2-4/10',
      '3',
    ]);
    expect((await get({ range: 'bytes=-3' })).text).toBe('hij');
    expect((await get({ 'if-none-match': `"${hashOf(text)}"` })).status).toBe(304);
    expect((await get({ range: 'bytes=2-4', 'if-range': '"another"' })).text).toBe(text);
  });

  it('have no ranges but single ones inside', async () => {
    for (const range of ['bytes=10-', 'bytes=0-1,4-5', 'bytes=x', 'bytes=5-2']) {
      const answer = await get({ range });
      expect(answer.status, range).toBe(416);
      expect(answer.code).toBe('RANGE');
      expect(answer.headers['content-range']).toBe('bytes */10');
    }
  });

  it('are told apart from what is not here', async () => {
    const answer = await api.send({ path: `/api/blobs/${'0'.repeat(64)}`, as: 'worker' });
    expect(answer.code).toBe('NOT_FOUND');
  });
});

describe('outputs', () => {
  async function output(task: string, path: string, text: string) {
    const { blob, bytes } = await api.blobs.write(Readable.from([Buffer.from(text)]));
    outputs.push({ task, path, blob, bytes });
  }
  beforeAll(async () => {
    await output('1.0', 'out/a b#é.png', 'picture');
    await output('1.0', 'page.html', '<script>alert(1)</script>');
  });
  const get = (path: string, headers: Record<string, string> = {}) =>
    api.send({ path: `/api/jobs/1/tasks/0/outputs/${path}`, as: 'viewer', headers });

  it('are found by name, and can be read in parts', async () => {
    const answer = await get(`out/${encodeURIComponent('a b#é.png')}`, { range: 'bytes=0-2' });
    expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([206, 'pic', 'image/png']);
  });

  it('are never a page of this server', async () => {
    const { headers } = await get('page.html');
    expect(headers['content-type']).toBe('application/octet-stream');
    expect(headers['content-disposition']).toBe(`attachment; filename="page.html"; filename*=UTF-8''page.html`);
    expect(headers['content-security-policy']).toContain('sandbox');
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  it.each(['none.png', '..%2f..%2fetc%2fpasswd', '%2e%2e/x', ''])('%j is none', async (path) => {
    expect((await get(path)).code).toBe('NOT_FOUND');
  });

  it('come as one zip, in a folder for each task when names clash', async () => {
    const zip = () => api.send({ path: '/api/jobs/1/outputs.zip', as: 'viewer' });
    const first = await zip();
    expect(first.headers['content-type']).toBe('application/zip');
    expect(first.headers['content-disposition']).toContain('filename="a _job_-1.zip"');
    expect(first.body.subarray(0, 2).toString()).toBe('PK');
    expect(first.text).toContain('page.html');
    expect(first.text).not.toContain('1.0/page.html');
    await output('1.1', 'page.html', 'another');
    const second = await zip();
    expect(second.text).toContain('1.0/page.html');
    expect(second.text).toContain('1.1/page.html');
  });
});

describe('logs', () => {
  const log = (number: number, query: string, headers: Record<string, string> = {}) =>
    api.send({ path: `/api/jobs/1/tasks/0/attempts/${number}/log${query}`, as: 'viewer', headers });
  beforeAll(async () => {
    const id = '1.0.1' as AttemptId;
    await api.logs.appendText(id, 'stdout', Buffer.from('one\n'));
    await api.logs.appendText(id, 'stderr', Buffer.from('two\n'));
    await api.logs.appendText(id, 'stdout', Buffer.from('drei \xc3', 'latin1'));
    await api.logs.appendText(id, 'stdout', Buffer.from('\xa9\n', 'latin1'));
  });

  it('are text, of one stream or all, from an offset', async () => {
    expect((await log(1, '')).text).toBe('one\ntwo\ndrei é\n');
    expect((await log(1, '?stream=stderr')).text).toBe('two\n');
    expect((await log(1, '?offset=6')).text).toBe('o\ndrei é\n');
    expect((await log(1, '?stream=stdout&offset=4')).text).toBe('drei é\n');
    expect((await log(1, '?offset=1000')).text).toBe('');
    expect((await log(1, '')).headers['content-type']).toBe('text/plain; charset=utf-8');
  });

  it('are JSON lines in which no character is cut', async () => {
    const lines = (await log(1, '?format=ndjson')).text.trimEnd().split('\n');
    const records = lines.map((line) => JSON.parse(line) as { stream: string; time: number; text: string });
    expect(records.map(({ stream, text }) => [stream, text])).toEqual([
      ['stdout', 'one\n'],
      ['stderr', 'two\n'],
      ['stdout', 'drei '],
      ['stdout', 'é\n'],
    ]);
    expect(records.every(({ time }) => Number.isFinite(time))).toBe(true);
  });

  it('are framed records, from an offset of that form', async () => {
    const whole = await log(1, '?format=framed');
    const { records, error } = createLogDecoder().push(whole.body);
    expect(error).toBeNull();
    expect(records.map((record) => Buffer.from(record.bytes).toString('latin1')).join('')).toBe('one\ntwo\ndrei \xc3\xa9\n');
    expect((await log(1, '?format=framed&offset=20')).body).toEqual(whole.body.subarray(20));
    expect((await log(1, '?format=framed&stream=stdout')).code).toBe('INVALID');
  });

  it('of attempts that ended long ago end, also for followers; others are not there', async () => {
    expect((await log(3, '?follow=true')).text).toBe('');
    expect((await log(9, '')).code).toBe('NOT_FOUND');
    expect((await log(1, '?follow=perhaps')).code).toBe('INVALID');
  });

  it('are followed until the attempt ends', async () => {
    const id = '1.0.2' as AttemptId;
    await api.logs.appendText(id, 'stdout', Buffer.from('begin '));
    const response = await fetch(`${api.url}/api/jobs/1/tasks/0/attempts/2/log?follow=true`, {
      headers: { authorization: 'Bearer viewer-token' },
    });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const next = async () => Buffer.from((await reader.read()).value ?? []).toString();
    expect(await next()).toBe('begin ');
    await api.logs.appendText(id, 'stderr', Buffer.from('more'));
    expect(await next()).toBe('more');
    api.logs.finish(id);
    expect((await reader.read()).done).toBe(true);
  });
});

describe('a follower who leaves', () => {
  it('ends the reading', async () => {
    let aborted: () => void = () => {};
    const ended = new Promise<void>((resolve) => {
      aborted = resolve;
    });
    const leaving = await startApi({
      farm: { task: () => ({ task: {} as TaskView, attempts: [attempt(1, null)] }) },
      logs: {
        async *read(_: AttemptId, __: number, isLive: false | (() => boolean), signal: AbortSignal) {
          signal.addEventListener('abort', aborted);
          expect(isLive !== false && isLive()).toBe(true);
          yield new Uint8Array(0);
          await once(signal, 'abort');
          throw new LanyardError({ code: 'GONE', message: 'the reader left' });
        },
      },
    });
    try {
      const abort = new AbortController();
      await fetch(`${leaving.url}/api/jobs/1/tasks/0/attempts/1/log?follow=true&format=framed`, {
        headers: { authorization: 'Bearer viewer-token' },
        signal: abort.signal,
      }).catch(() => {});
      abort.abort();
      await ended;
    } finally {
      await leaving.close();
    }
  });
});
