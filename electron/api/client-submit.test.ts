import { execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { LanyardError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import type { JobSpec } from '../../shared/job.ts';
import { LIMITS } from '../../shared/limits.ts';
import { createClient } from './client.ts';
import { startApi } from './testing/api.ts';

/** A farm that numbers what it takes; `lost` is not taken, `odd` fails in a way that nobody foresaw. */
async function numbering() {
  const names: string[] = [];
  const submitAll = async (specs: readonly JobSpec[]) =>
    specs.map(({ name }) => {
      if (name === 'odd') throw new Error('secret detail');
      if (name === 'lost') return new LanyardError({ code: 'INVALID', message: 'lost', field: 'name' });
      return names.push(name) as JobId;
    });
  const api = await startApi({ farm: { submitAll } });
  onTestFinished(() => api.close());
  return { ...api, names };
}

/** Sends parts of a body, each when there was an answer to the one before, and the end with the last. */
function streamed(url: string, parts: readonly Uint8Array[]): Promise<string[]> {
  const request = http.request(`${url}/api/jobs/stream`, { method: 'POST', headers: { authorization: 'Bearer submitter-token' } });
  const left = [...parts];
  const next = () => {
    const part = left.shift();
    if (left.length === 0) request.end(part);
    else request.write(part);
  };
  next();
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const answers: string[] = [];
      createInterface(response)
        .on('line', (line) => {
          answers.push(line);
          next();
        })
        .on('error', reject)
        .once('close', () => resolve(answers));
    });
  });
}

test('each line is answered as it comes, a bad one too, and the last needs no end', async () => {
  const api = await numbering();
  const last = Buffer.from('{"jobs":[{"name":"\u00e9","command":"true"}]}');
  const inLetter = last.indexOf(0xc3) + 1;
  const lines = [
    '{"jobs":[{"command":"true"},{"command":""},{"name":"lost","command":"true"},{"command":"true","__proto__":{"name":"odd"}}]}',
    'no JSON',
    '{"jobs":[]}',
    '{"jobs":[{"name":"odd","command":"true"}]}',
    '{"jobs":[{"command":"true"}]}',
  ].map((line) => Buffer.from(`${line}\n`));
  const beginning = Buffer.concat([lines.pop() as Buffer, last.subarray(0, inLetter)]);
  const answers = await streamed(api.url, [...lines, beginning, last.subarray(inLetter)]);
  expect(answers.map((line) => JSON.parse(line))).toEqual([
    {
      results: [
        { job: 1 },
        { error: expect.objectContaining({ code: 'INVALID', field: 'command' }) },
        { error: { code: 'INVALID', message: 'lost', field: 'name' } },
        { error: expect.objectContaining({ code: 'INVALID', message: expect.stringContaining('__proto__') }) },
      ],
    },
    { error: expect.objectContaining({ code: 'INVALID' }) },
    { error: expect.objectContaining({ code: 'INVALID', field: 'jobs' }) },
    { error: expect.objectContaining({ code: 'INTERNAL', message: expect.not.stringContaining('secret') }) },
    { results: [{ job: 2 }] },
    { results: [{ job: 3 }] },
  ]);
  expect(api.names).toEqual(['untitled', 'untitled', '\u00e9']);
  expect(api.errors).toEqual([expect.stringContaining('secret detail')]);
});

test('a line that is longer than a body may be ends the stream', async () => {
  const api = await numbering();
  const long = [Buffer.from('{"jobs":[{"command":"true"}]}\n'), Buffer.alloc(LIMITS.requestBytes + 1, 'x')];
  await expect(streamed(api.url, long)).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) });
});

test('a stream without a line is a stream without an answer', async () => {
  const api = await numbering();
  expect(await api.send({ method: 'POST', path: '/api/jobs/stream', as: 'submitter' })).toMatchObject({ status: 200, text: '' });
});

test('jobs that are submitted one after the other share a request', async () => {
  const api = await numbering();
  const requests: string[] = [];
  const note = (message: unknown) => requests.push((message as { request: http.ClientRequest }).request.path);
  subscribe('http.client.request.created', note);
  onTestFinished(() => void unsubscribe('http.client.request.created', note));
  const { submit } = createClient({ url: api.url, token: 'submitter-token' });
  for (const job of [1, 2, 3]) expect(await submit({ command: 'true' })).toBe(job);
  await expect(submit({ name: 'lost', command: 'true' })).rejects.toMatchObject({ code: 'INVALID', field: 'name' });
  await expect(submit({ name: 'odd', command: 'true' })).rejects.toMatchObject({ code: 'INTERNAL' });
  expect(await submit({ command: 'true' })).toBe(4);
  expect(requests).toEqual(['/api/jobs/stream']);
});

test('who may not submit is told so', async () => {
  const { url } = await numbering();
  await expect(createClient({ url, token: 'viewer-token' }).submit({ command: 'true' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
});

test('what was sent on a stream that broke is unknown, and the next job goes over another', async () => {
  let streams = 0;
  const server = http.createServer((request, response) => {
    streams += 1;
    const isFirst = streams === 1;
    request.once('data', () => (isFirst ? request.socket.destroy() : response.write('{"results":[{"job":7}]}\n')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { submit } = createClient({ url, token: 'x' });
  const lost = { code: 'UNAVAILABLE', message: expect.stringContaining(url) };
  await expect(submit({ command: 'true' })).rejects.toMatchObject(lost);
  expect(await submit({ command: 'true' })).toBe(7);
  expect(streams).toBe(2);
});

test('a stream on which nothing is waited for keeps no program from ending', async () => {
  const api = await numbering();
  const program = `
    import { createClient } from ${JSON.stringify(new URL('./client.ts', import.meta.url).href)};
    const { submit } = createClient(${JSON.stringify({ url: api.url, token: 'submitter-token' })});
    for (let job = 0; job < 3; job++) console.log(await submit({ command: 'true' }));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  expect(stdout).toBe('1\n2\n3\n');
});
