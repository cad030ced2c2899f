import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../shared/address.ts';
import { LanyardError } from '../../shared/errors.ts';
import { parseAddress } from './address.ts';

describe('an address typed by hand', () => {
  test.each([
    ['render-1', 'render-1', null, null],
    [' render-1.local:7420 ', 'render-1.local', 7420, null],
    ['192.168.1.5', '192.168.1.5', null, null],
    ['192.168.1.5:1', '192.168.1.5', 1, null],
    ['::1', '::1', null, null],
    ['fe80::1%eth0', 'fe80::1%eth0', null, null],
    ['[fe80::1]', 'fe80::1', null, null],
    ['[fe80::1]:65535', 'fe80::1', 65_535, null],
    ['http://render-1:7420', 'render-1', 7420, 'http'],
    ['HTTPS://render-1/', 'render-1', null, 'https'],
    ['https://[::1]:7420/', '::1', 7420, 'https'],
  ])('%s', (text, host, port, scheme) => {
    expect(parseAddress(text)).toEqual({ host, port, scheme });
  });

  test.each([
    '',
    '   ',
    'a b',
    'host:',
    'host:0',
    'host:65536',
    'host:80x',
    'host:1:2',
    ':7420',
    '1.2.3',
    '1.2.3.256',
    '[1.2.3.4]:80',
    '[::1',
    '[::1]x',
    'ftp://host',
    'http://',
    'http://user:secret@host',
    'http://host/path',
    'host?x',
    '-host',
    'ho\nst',
    'x'.repeat(301),
  ])('%j is refused', (text) => {
    expect(() => parseAddress(text)).toThrow(LanyardError);
  });

  test('is written so that it is read back', () => {
    expect(formatAddress('::1', 7420)).toBe('[::1]:7420');
    expect(formatAddress('host', null)).toBe('host');
    for (const text of ['[::1]:7420', 'host:1', '10.0.0.1']) {
      const { host, port } = parseAddress(text);
      expect(formatAddress(host, port)).toBe(text);
    }
  });
});
