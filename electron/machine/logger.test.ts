import { describe, expect, test } from 'vitest';
import { createLogger, type LoggerOptions } from './logger.ts';

function logged(options: Partial<LoggerOptions>, ...record: readonly [string, Record<string, unknown>?]): string {
  const lines: string[] = [];
  createLogger({ level: 'debug', format: 'json', write: (line) => lines.push(line), ...options }).warn(...record);
  expect(lines).toHaveLength(1);
  return lines[0] as string;
}

test('writes one JSON object a line', () => {
  const line = logged({}, 'node lost', { node: 'a', ms: 5 });
  expect(line.endsWith('}\n')).toBe(true);
  expect(JSON.parse(line)).toEqual({ time: expect.stringMatching(/^\d{4}-.*Z$/), level: 'warn', message: 'node lost', node: 'a', ms: 5 });
});

test('writes text for people', () => {
  const line = logged({ format: 'text' }, 'node lost', { node: 'a-1', why: 'no word', list: [1] });
  expect(line).toMatch(/^\S+Z WARN {2}node lost node=a-1 why="no word" list=\[1\]\n$/);
});

test('leaves out what is below its level', () => {
  const lines: string[] = [];
  const logger = createLogger({ level: 'warn', format: 'text', write: (line) => lines.push(line) });
  logger.debug('a');
  logger.info('b');
  logger.warn('c');
  logger.error('d');
  expect(lines.map((line) => line.split(' ').at(-1))).toEqual(['c\n', 'd\n']);
});

describe.each(['json', 'text'] as const)('as %s', (format) => {
  test('nothing in a record ends the line or steers a terminal', () => {
    const nasty = 'a\r\nb\u001b[2Jc\u009bd\u2028e\u202ef\u007f';
    const line = logged({ format }, nasty, { [`k${nasty}`]: nasty });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    expect(line).toContain('\\u001b[2Jc\\u009bd\\u2028e');
  });

  test('says what an error was, and why', () => {
    const error = new TypeError('no room', { cause: new Error('disk') });
    const line = logged({ format }, 'failed', { error });
    expect(line).toContain('"name":"TypeError"');
    expect(line).toContain('"message":"no room"');
    expect(line).toContain('"message":"disk"');
  });

  test('takes values that JSON does not, and cuts what is too long', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(logged({ format }, 'odd', { circle, big: 5n, none: undefined })).toContain('odd');
    expect(logged({ format }, 'x'.repeat(1_000_000), { y: 'z'.repeat(1_000_000) }).length).toBeLessThan(20_000);
  });

  test('does not throw when it cannot write', () => {
    const logger = createLogger({
      level: 'info',
      format,
      write() {
        throw new Error('closed');
      },
    });
    expect(() => logger.error('lost')).not.toThrow();
    const hostile = {
      toJSON() {
        throw new Error('no');
      },
      toString() {
        throw new Error('no');
      },
    };
    expect(() => logger.error('lost', { hostile })).not.toThrow();
  });
});
