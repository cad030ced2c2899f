import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Phase } from '../../shared/protocol.ts';
import { silentLogger } from '../../tests/fakes/silent-logger.ts';
import { createDockerExecutor } from './docker.ts';

/**
 * What is hard to bring about with a real engine (see `tests/integration` for the rest). This one has no image, answers a pull
 * with `pull`, and has one old container.
 */
const opened: { server: Server; folder: string }[] = [];

async function engine(pull: (response: ServerResponse) => void, apiVersion = '1.41', start = true) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.url?.startsWith('/images/create')) pull(response.writeHead(200, { 'content-type': 'application/json' }));
    else if (request.url?.startsWith('/images/')) json(404, { message: 'No such image' });
    else if (request.url?.startsWith('/containers/json')) json(200, [{ Id: 'old' }]);
    else if (request.url?.startsWith('/version')) json(200, { Version: '1.0', ApiVersion: apiVersion });
    else if (request.url?.startsWith('/info')) json(200, { NCPU: 2 });
    else response.end('OK');
  });
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-pull-'));
  const socket = join(folder, 'engine.sock');
  const listen = async () => {
    server.listen(socket);
    await once(server, 'listening');
  };
  if (start) await listen();
  opened.push({ server, folder });
  const limits = { allowNetwork: false };
  const executor = createDockerExecutor({ farm: 'f', node: 'n', socket, limits, fastStart: false, slots: 1, logger: silentLogger });
  return { executor, requests, listen };
}

afterEach(async () => {
  for (const { server, folder } of opened.splice(0)) {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
});

const never = new AbortController().signal;
const line = (value: object) => `${JSON.stringify(value)}\r\n`;
const downloading = (id: string, current: number, total: number) => line({ id, status: 'Downloading', progressDetail: { current, total } });

describe('pulling an image', () => {
  it('reports the bytes of all layers together and asks for one tag only', async () => {
    const { executor, requests } = await engine((response) => {
      const text = [
        line({ status: 'Pulling from library/debian', id: 'latest' }),
        line({ id: 'old', status: 'Already exists' }),
        downloading('a', 10, 100),
        downloading('b', 5, 50),
        line({ id: 'a', status: 'Download complete' }),
        line({ id: 'a', status: 'Extracting', progressDetail: { current: 1, total: 100 } }),
        downloading('b', 50, 50),
        line({ status: 'Status: Downloaded newer image' }),
      ].join('');
      // Cut in the middle of a line.
      response.write(text.slice(0, 130));
      setImmediate(() => response.end(text.slice(130)));
    });
    const phases: Phase[] = [];
    expect(await executor.prepare('debian', (phase) => phases.push(phase), never)).toBeUndefined();
    expect(phases.map(({ phase, done, total }) => [phase, done, total])).toEqual([
      ['pulling', 10, 100],
      ['pulling', 15, 150],
      ['pulling', 105, 150],
      ['pulling', 150, 150],
    ]);
    expect(requests.find((url) => url.startsWith('POST /images/create'))).toContain('tag=latest');
    const before = requests.length;
    expect(await executor.prepare('debian', () => {}, never)).toBeUndefined();
    expect(requests).toHaveLength(before);
  });

  it('says what the engine said when it cannot be had', async () => {
    const { executor } = await engine((response) => response.end(line({ error: 'manifest for debian:13 not found' })));
    expect(await executor.prepare('debian:13', () => {}, never)).toEqual({
      reason: 'image-unavailable',
      message: 'The image debian:13 is not on this node and cannot be pulled: manifest for debian:13 not found',
    });
  });

  it('survives an answer that breaks off', async () => {
    const { executor } = await engine((response) => {
      response.write(downloading('a', 1, 2));
      setImmediate(() => response.destroy());
    });
    expect(await executor.prepare('debian', () => {}, never)).toMatchObject({ reason: 'image-unavailable' });
  });

  it('ends the request when it is stopped', async () => {
    const closed = Promise.withResolvers<void>();
    const { executor } = await engine((response) => {
      response.write(downloading('a', 1, 2));
      response.on('close', () => closed.resolve());
    });
    const stop = new AbortController();
    const refused = executor.prepare('debian', () => stop.abort(), stop.signal);
    expect(await refused).toMatchObject({ message: expect.stringContaining('stopped') });
    await closed.promise;
  });
});

describe('the status', () => {
  it('names the engine, and one that is too old', async () => {
    const { executor } = await engine(() => {});
    expect(await executor.status()).toEqual({ available: true, message: 'Docker 1.0 (API 1.41)' });
    const old = await engine(() => {}, '1.9');
    expect(await old.executor.status()).toMatchObject({ available: false, message: expect.stringContaining('too old') });
  });
});

describe('containers of an earlier life', () => {
  it('are removed as soon as there is an engine, once', async () => {
    const { executor, requests, listen } = await engine(() => {}, '1.41', false);
    await executor.removeStrays();
    expect(await executor.status()).toMatchObject({ available: false });
    await listen();
    expect(await executor.status()).toMatchObject({ available: true });
    expect(await executor.status()).toMatchObject({ available: true });
    expect(requests.filter((request) => request.startsWith('DELETE'))).toEqual(['DELETE /containers/old?force=true&v=true']);
  });
});
