import { hostname, networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { checkCaller, createHostGuard } from './guard.ts';

describe('the host guard', () => {
  it.each(['localhost', 'localhost:7420', 'LOCALHOST:1', '127.0.0.1:7420', '[::1]:7420'])('knows %s everywhere', (host) => {
    expect(createHostGuard().isOwn(host)).toBe(true);
  });

  it.each([
    undefined,
    '',
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example:7420',
    '10.1.2.3',
    'a b',
    'localhost:x',
    '@localhost',
  ])('refuses %s', (host) => {
    const guard = createHostGuard();
    guard.listenOn('0.0.0.0');
    expect(guard.isOwn(host)).toBe(false);
  });

  it('knows the machine by name and address only when others can reach it', () => {
    const guard = createHostGuard();
    expect(guard.isOwn(hostname())).toBe(false);
    guard.listenOn('0.0.0.0');
    expect(guard.isOwn(`${hostname()}:7420`)).toBe(true);
    for (const one of Object.values(networkInterfaces()).flat())
      expect(guard.isOwn(one?.family === 'IPv6' ? `[${one.address}]` : one?.address)).toBe(true);
  });

  it('knows the one address it listens on', () => {
    const guard = createHostGuard();
    guard.listenOn('192.168.7.9');
    expect(guard.isOwn('192.168.7.9:7420')).toBe(true);
    expect(guard.isOwn('192.168.7.10:7420')).toBe(false);
  });
});

describe('checkCaller', () => {
  const guard = createHostGuard();
  const host = '127.0.0.1:7420';

  it('lets programs and its own page through', () => {
    expect(() => checkCaller(guard, { host }, 'http')).not.toThrow();
    expect(() => checkCaller(guard, { host, origin: `http://${host}` }, 'http')).not.toThrow();
  });

  it.each(['http://evil.example', 'null', 'https://127.0.0.1:7420', 'http://127.0.0.1:7421', 'http://localhost:7420', ''])(
    'refuses the origin %s',
    (origin) => {
      expect(() => checkCaller(guard, { host, origin }, 'http')).toThrow('elsewhere');
    },
  );
});
