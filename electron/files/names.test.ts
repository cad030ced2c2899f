import { describe, expect, it } from 'vitest';
import { foldedName, nameFault, shownName } from './names.ts';

describe('the policy for names', () => {
  it.each(['a', 'a/b/c.txt', '.hidden', 'a..b/c...d', 'Größe/帧 001.exr', 'console.log', 'com', 'com10', 'nullable/auxiliary.c'])(
    'takes %j',
    (name) => {
      expect(nameFault(name)).toBeUndefined();
    },
  );

  it.each([
    ['', /empty/],
    ['/etc/passwd', /absolute/],
    ['../a', /leads out/],
    ['a/../../b', /leads out/],
    ['a/..', /leads out/],
    ['C:/a', /drive/],
    ['c:a', /drive/],
    ['a\\b', /backslash/],
    ['a\0b', /NUL/],
    ['a\nb', /control/],
    ['a//b', /empty part/],
    ['a/./b', /empty part/],
    ['a/', /empty part/],
    ['file.txt:stream', /stream/],
    ['CON', /device/],
    ['a/nul.txt', /device/],
    ['com1.tar.gz', /device/],
    ['LPT²', /device/],
    ['aux .txt', /device/],
    ['a./b', /dot or a space/],
    ['a /b', /dot or a space/],
    ['x'.repeat(256), /longer than 255/],
    ['ü'.repeat(128), /longer than 255/],
    [`${'x/'.repeat(600)}x`, /longer than 1024/],
  ])('refuses %j', (name, fault) => {
    expect(nameFault(name)).toMatch(fault);
  });

  it('folds case and Unicode forms', () => {
    expect(foldedName('ÄB/c')).toBe(foldedName('a\u0308b/C'));
    expect(foldedName('straße')).toBe(foldedName('STRASSE'));
    expect(foldedName('a')).not.toBe(foldedName('b'));
  });

  it('shows names without what could fool the eye', () => {
    expect(shownName('a\u202eb\n"')).toBe('"a\\u{202e}b\\u{a}\\u{22}"');
    expect(shownName('x'.repeat(999))).toHaveLength(203);
  });
});
