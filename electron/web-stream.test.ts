import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { toWebStream } from './web-stream.ts';

it('gives all parts', async () => {
  expect(await new Response(toWebStream(Readable.from([Buffer.from('one'), Buffer.from('two')]))).text()).toBe('onetwo');
});

it('destroys its source when a reader gives up while the next part waits, and throws at nobody', async () => {
  const source = new Readable({ read() {}, highWaterMark: 1 });
  const reader = toWebStream(source).getReader();
  for (const part of ['first', 'second', 'third', 'fourth']) source.push(part);
  await setImmediate();
  await reader.read();
  await setImmediate();
  const next = reader.read();
  const closed = new Promise((resolve) => source.once('close', resolve));
  // What is thrown where nobody catches it ends the test run.
  await Promise.all([reader.cancel(), next, closed]);
  expect(source.destroyed).toBe(true);
});

it('destroys its source when a reader gives up while there is nothing to read', async () => {
  const source = new Readable({ read() {} });
  const reader = toWebStream(source).getReader();
  const next = reader.read();
  await setImmediate();
  await reader.cancel();
  expect(await next).toEqual({ value: undefined, done: true });
  expect(source.destroyed).toBe(true);
});

it('fails as its source does', async () => {
  const source = new Readable({ read() {} });
  source.push('begun');
  const reader = toWebStream(source).getReader();
  await reader.read();
  source.destroy(new Error('unplugged'));
  await expect(reader.read()).rejects.toThrow('unplugged');
});
