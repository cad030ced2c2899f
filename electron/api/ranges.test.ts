import { describe, expect, it } from 'vitest';
import { parseRange } from './ranges.ts';

describe('parseRange', () => {
  it.each([
    [undefined, 100, undefined],
    ['bytes=0-9', 100, { start: 0, end: 10 }],
    ['bytes=90-', 100, { start: 90, end: 100 }],
    ['bytes=90-1000', 100, { start: 90, end: 100 }],
    ['bytes=-5', 100, { start: 95, end: 100 }],
    ['bytes=-500', 100, { start: 0, end: 100 }],
    ['bytes=100-', 100, 'refused'],
    ['bytes=-0', 100, 'refused'],
    ['bytes=5-4', 100, 'refused'],
    ['bytes=0-', 0, 'refused'],
    ['bytes=0-1,3-4', 100, 'refused'],
    ['bytes=-', 100, 'refused'],
    ['lines=0-1', 100, 'refused'],
    ['bytes=0-99999999999999999999', 100, 'refused'],
  ] as const)('%s of %i bytes', (header, size, expected) => {
    expect(parseRange(header, size)).toEqual(expected);
  });
});
