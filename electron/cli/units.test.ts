import { expect, test } from 'vitest';
import { formatBytes, formatCpuTime, formatDuration, parseDurationMs, parseSizeBytes } from './units.ts';

test.each([
  ['90s', 90_000],
  ['30m', 1_800_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['250ms', 250],
  ['2d', 172_800_000],
  ['45', 45_000],
  [' 1H ', 3_600_000],
])('the duration %s is %i ms', (text, ms) => {
  expect(parseDurationMs(text, 1_000)).toBe(ms);
});

test.each(['', 'h', '-1s', '1x', '1h 30', 'm30', '1e3', 'Infinity'])('"%s" is no duration', (text) => {
  expect(parseDurationMs(text, 1_000)).toBeUndefined();
});

test.each([
  ['1g', 1024 ** 3],
  ['512m', 512 * 1024 ** 2],
  ['1.5GiB', 1.5 * 1024 ** 3],
  ['10kb', 10_240],
  ['100b', 100],
  ['7', 7 * 1024],
])('the size %s is %i bytes', (text, bytes) => {
  expect(parseSizeBytes(text, 1024)).toBe(bytes);
});

test.each(['', 'g', '-1g', '1p', '1 2', '0x10'])('"%s" is no size', (text) => {
  expect(parseSizeBytes(text, 1024)).toBeUndefined();
});

test('durations and sizes are written for people', () => {
  expect([400, 42_000, 185_000, 7_800_000, 273_600_000].map(formatDuration)).toEqual([
    '0.4 s',
    '42 s',
    '3 min 05 s',
    '2 h 10 min',
    '3 d 4 h',
  ]);
  expect([59_600, 3_599_600].map(formatDuration)).toEqual(['1 min 00 s', '1 h 00 min']);
  expect([0, 40, 60].map(formatCpuTime)).toEqual(['< 0.1 s', '< 0.1 s', '0.1 s']);
  expect([17, 1_229, 356_515_840, 1024 ** 3 - 1].map(formatBytes)).toEqual(['17 B', '1.2 KiB', '340 MiB', '1.0 GiB']);
});
