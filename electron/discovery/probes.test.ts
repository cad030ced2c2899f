import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createManualClock } from '../../tests/fakes/clock.ts';
import { probeClock, probeHttpClock, probePort } from './probes.ts';

test('a port answers or says why not', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await probePort('API', '127.0.0.1', port, 5_000)).toEqual({ name: 'API', host: '127.0.0.1', port, failure: null });
  server.close();
  await once(server, 'close');
  expect(await probePort('API', '127.0.0.1', port, 5_000)).toMatchObject({ failure: 'ECONNREFUSED' });
});

test('the difference of clocks allows for the way and the step', async () => {
  const clock = createManualClock({ wallMs: 1_000_000 });
  const ask = async () => {
    clock.advance(200);
    return 1_060_000;
  };
  // Read at 1,000,100 of ours, in the middle of the way; the other says 60 s and half a step more.
  expect(await probeClock(clock, ask, 1_000)).toEqual({ differenceMs: 60_400, uncertaintyMs: 600 });
  expect(await probeClock(clock, async () => Number.NaN, 1_000)).toEqual({ failure: 'it gave no time' });
  expect(await probeClock(clock, () => Promise.reject(new Error('refused')), 1_000)).toEqual({ failure: 'refused' });
});

test('clocks are compared by whatever an HTTP server answers', async () => {
  const server = createHttpServer((asked, answer) => {
    if (asked.url === '/none') answer.sendDate = false;
    else answer.setHeader('Date', 'Sun, 06 Nov 1994 08:49:37 GMT');
    answer.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clock = createManualClock({ wallMs: Date.UTC(1994, 10, 6, 8, 49, 37) });
  expect(await probeHttpClock(clock, `${url}/`, 5_000)).toEqual({ differenceMs: 500, uncertaintyMs: 500 });
  expect(await probeHttpClock(clock, `${url}/none`, 5_000)).toEqual({ failure: 'it gave no time' });
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  expect(await probeHttpClock(clock, `${url}/`, 5_000)).toMatchObject({ failure: expect.stringContaining('ECONNREFUSED') });
});
