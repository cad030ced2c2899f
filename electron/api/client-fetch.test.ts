import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createCall } from './client-fetch.ts';

/** A server that keeps connections, and cuts the second request of all without an answer. */
async function cutting() {
  const methods: string[] = [];
  const server = createServer((request, response) => {
    methods.push(request.method ?? '');
    if (methods.length === 2) request.socket.destroy();
    else response.end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());
  return { methods, target: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`) };
}

test('a question on a connection that was given up is asked again on another', async () => {
  const { methods, target } = await cutting();
  const call = createCall('http:', undefined);
  await call(target, { method: 'GET', headers: {}, redirect: 'error' });
  expect(await call(target, { method: 'GET', headers: {}, redirect: 'error' })).toEqual({ status: 200, text: '{}' });
  expect(methods).toEqual(['GET', 'GET', 'GET']);
});

test('what changes something is not sent twice: nobody knows whether it was heard', async () => {
  const { methods, target } = await cutting();
  const call = createCall('http:', undefined);
  await call(target, { method: 'GET', headers: {}, redirect: 'error' });
  await expect(call(target, { method: 'POST', headers: {}, redirect: 'error', body: '{}' })).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(methods).toEqual(['GET', 'POST']);
});
