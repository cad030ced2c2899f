import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LOG_STREAMS, type LogRecord, type LogStream } from '../../../shared/protocol.ts';
import { createLogDecoder } from '../../client/log-decoder.ts';
import { ansiParts, plainText } from './ansi.ts';
import { LogLines } from './log-lines.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const record = (stream: LogStream, text: string, time = 1) => ({ stream, time, bytes: bytes(text) });

/** As a coordinator writes them. */
function encodeFrames(records: readonly LogRecord[]): Uint8Array {
  const frames = records.map((one) => {
    const frame = new Uint8Array(16 + one.bytes.byteLength);
    const view = new DataView(frame.buffer);
    view.setUint32(0, LOG_STREAMS[one.stream], true);
    view.setUint32(4, one.bytes.byteLength, true);
    view.setFloat64(8, one.time, true);
    frame.set(one.bytes, 16);
    return frame;
  });
  return Uint8Array.from(frames.flatMap((frame) => [...frame]));
}

test('lines are put together over records, each stream for itself', () => {
  const lines = new LogLines();
  lines.push([record('stdout', 'one\ntw', 1), record('stderr', 'oops\n', 2), record('stdout', 'o\nthree', 3)]);
  expect(lines.count).toBe(3);
  expect([0, 1, 2].map((number) => lines.line(number))).toEqual([
    { stream: 'stdout', time: 1, text: 'one' },
    { stream: 'stderr', time: 2, text: 'oops' },
    { stream: 'stdout', time: 1, text: 'two' },
  ]);
  lines.finish();
  expect(lines.line(3)).toEqual({ stream: 'stdout', time: 3, text: 'three' });
});

test('a character that two records share stands whole', () => {
  const lines = new LogLines();
  const euro = bytes('€\n');
  lines.push([
    { stream: 'stdout', time: 1, bytes: euro.slice(0, 2) },
    { stream: 'stdout', time: 2, bytes: euro.slice(2) },
  ]);
  expect(lines.line(0).text).toBe('€');
});

test('many lines are found by number and by words, in blocks and beyond', () => {
  const lines = new LogLines();
  lines.push([record('stdout', Array.from({ length: 5_000 }, (_, index) => `line ${index}\n`).join(''))]);
  expect(lines.count).toBe(5_000);
  expect(lines.line(1_023).text).toBe('line 1023');
  expect(lines.line(1_024).text).toBe('line 1024');
  expect(lines.line(4_999).text).toBe('line 4999');
  expect(lines.find('LINE 499', 100)).toEqual([499, 4990, 4991, 4992, 4993, 4994, 4995, 4996, 4997, 4998, 4999]);
  expect(lines.find('line', 7)).toHaveLength(7);
  expect(() => lines.line(5_000)).toThrow('no line 5000');
});

test('a line without an end is broken, not kept whole', () => {
  const lines = new LogLines();
  lines.push([record('stdout', 'x'.repeat(40_000))]);
  expect(lines.count).toBe(2);
  expect(lines.line(0).text).toHaveLength(16 * 1_024);
});

test('however a log is cut into records, its lines are those of its text', () => {
  const texts = fc.array(
    fc.oneof(
      fc.constant('\n'),
      fc.string({ unit: 'grapheme' }),
      fc.nat(4_000).map((length) => 'é€x'.repeat(length)),
    ),
    {
      maxLength: 16,
    },
  );
  fc.assert(
    fc.property(texts, fc.integer({ min: 5, max: 40_000 }), (parts, step) => {
      const text = parts.join('').replaceAll('\ufeff', '');
      const whole = bytes(text);
      const lines = new LogLines();
      for (let at = 0; at < whole.length; at += step) lines.push([{ stream: 'stdout', time: at, bytes: whole.subarray(at, at + step) }]);
      lines.finish();
      const read = Array.from({ length: lines.count }, (_, number) => lines.line(number).text);
      expect(read.every((line) => bytes(line).length <= 16 * 1_024)).toBe(true);
      // A line that was too long stands in pieces, none of which cuts a character.
      expect(read.join('')).toBe(text.replaceAll('\n', ''));
      const isShort = text.split('\n').every((line) => bytes(line).length <= 16 * 1_024);
      if (isShort) expect(read).toEqual(text.endsWith('\n') || text === '' ? text.split('\n').slice(0, -1) : text.split('\n'));
    }),
    { numRuns: 40 },
  );
});

test('colours become looks, and every other command of a terminal is gone', () => {
  const line =
    '\u001b]0;title\u0007\u001b[1;31mred\u001b[0m \u001b[38;5;208mpalette\u001b[0m \u001b[2Kplain\u001b]8;;http://evil\u001b\\link\u001b]8;;\u001b\\';
  expect(plainText(line)).toBe('red palette plainlink');
  const parts = ansiParts(line);
  expect(parts.find((part) => part.text === 'red')).toMatchObject({ colour: 'var(--ansi-red)', bold: true });
  expect(parts.find((part) => part.text === 'palette')).toMatchObject({ colour: 'rgb(255, 135, 0)' });
});

test('markup is text, what was drawn over is gone, and text that turns around is shown to do so', () => {
  expect(ansiParts('<b>&amp;</b>')[0]?.text).toBe('<b>&amp;</b>');
  expect(ansiParts('\u001b[32m<b>&amp;</b>')[0]?.text).toBe('<b>&amp;</b>');
  expect(plainText(' 10 %\r 50 %\r100 %\r')).toBe('100 %');
  expect(plainText('a\u202eb')).toBe('a\ufffdb');
});

test('a framed log is taken apart however it is cut', () => {
  const framed = encodeFrames([record('stdout', 'hello', 5), record('stderr', 'world', 6), record('system', '', 7)]);
  for (const size of [1, 7, 16, framed.byteLength]) {
    const decoder = createLogDecoder();
    const texts = new Map<string, string>();
    for (let at = 0; at < framed.byteLength; at += size)
      for (const { stream, time, bytes } of decoder.push(framed.slice(at, at + size))) {
        const key = `${stream} ${time}`;
        texts.set(key, (texts.get(key) ?? '') + new TextDecoder().decode(bytes));
      }
    expect([...texts]).toEqual([
      ['stdout 5', 'hello'],
      ['stderr 6', 'world'],
    ]);
    expect(decoder.offset).toBe(framed.byteLength);
  }
  expect(() => createLogDecoder().push(new Uint8Array(16).fill(9))).toThrow('damaged');
});
