import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fillCommand, fillTemplate, parameterEnvironment, parseFrames, splitTasks, type TaskSplit } from './tasks.ts';

function split(plan: Parameters<typeof splitTasks>[0]): TaskSplit {
  const result = splitTasks(plan);
  if (typeof result === 'string') throw new Error(result);
  return result;
}

function frames(text: string, chunk = 1) {
  const { count, parameters } = split({ kind: 'frames', frames: text, chunk });
  return Array.from({ length: count }, (_, index) => parameters(index));
}

describe('frame ranges', () => {
  test('a range, a step and a list are read as render programs write them', () => {
    expect(parseFrames('1-240')).toEqual([{ first: 1, last: 240, step: 1 }]);
    expect(parseFrames('1-10x4')).toEqual([{ first: 1, last: 9, step: 4 }]);
    expect(parseFrames('1, 5,9-12')).toEqual([
      { first: 1, last: 1, step: 1 },
      { first: 5, last: 5, step: 1 },
      { first: 9, last: 12, step: 1 },
    ]);
    expect(parseFrames('-3--1')).toEqual([{ first: -3, last: -1, step: 1 }]);
  });

  test.each(['', '1-', 'a', '5-1', '1-4x0', '1,,2', '1-2-3', '1.5'])('%j is refused with a sentence that names it', (text) => {
    expect(parseFrames(text)).toBeTypeOf('string');
  });

  test('a chunk holds as many frames as asked, never reaches across runs, and the last may be shorter', () => {
    expect(frames('1-5,11-12', 2)).toEqual([
      { index: 0, frame: 1, chunkStart: 1, chunkEnd: 2, chunkStep: 1 },
      { index: 1, frame: 3, chunkStart: 3, chunkEnd: 4, chunkStep: 1 },
      { index: 2, frame: 5, chunkStart: 5, chunkEnd: 5, chunkStep: 1 },
      { index: 3, frame: 11, chunkStart: 11, chunkEnd: 12, chunkStep: 1 },
    ]);
  });

  test('every frame of any range is in exactly one chunk', () => {
    const run = fc.record({ first: fc.integer({ min: -50, max: 50 }), length: fc.nat(40), step: fc.integer({ min: 1, max: 7 }) });
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 9 }), (runs, chunk) => {
        const text = runs.map(({ first, length, step }) => `${first}-${first + length}x${step}`).join(',');
        const expected = runs.flatMap(({ first, length, step }) =>
          Array.from({ length: Math.floor(length / step) + 1 }, (_, position) => first + position * step),
        );
        const actual = frames(text, chunk).flatMap(({ chunkStart, chunkEnd, chunkStep }) => {
          const list: number[] = [];
          for (let frame = Number(chunkStart); frame <= Number(chunkEnd); frame += Number(chunkStep)) list.push(frame);
          return list;
        });
        expect(actual).toEqual(expected);
      }),
    );
  });
});

describe('a matrix', () => {
  test('the last parameter varies fastest', () => {
    const { count, parameters } = split({ kind: 'matrix', parameters: { os: ['a', 'b'], level: [1, 2, 3] }, exclude: [] });
    expect(count).toBe(6);
    expect(parameters(0)).toEqual({ index: 0, 'param.os': 'a', 'param.level': 1 });
    expect(parameters(1)).toEqual({ index: 1, 'param.os': 'a', 'param.level': 2 });
    expect(parameters(5)).toEqual({ index: 5, 'param.os': 'b', 'param.level': 3 });
  });

  test('exclusions leave no gap in the indices', () => {
    const { count, parameters } = split({
      kind: 'matrix',
      parameters: { os: ['a', 'b'], level: [1, 2] },
      exclude: [{ os: 'a', level: 2 }],
    });
    expect(Array.from({ length: count }, (_, index) => Object.values(parameters(index)).join(' '))).toEqual(['0 a 1', '1 b 1', '2 b 2']);
  });

  test('an exclusion of an unknown parameter, and a matrix without a task, are refused', () => {
    expect(splitTasks({ kind: 'matrix', parameters: { os: ['a'] }, exclude: [{ arch: 'x' }] })).toContain('"arch"');
    expect(splitTasks({ kind: 'matrix', parameters: { os: ['a'] }, exclude: [{ os: 'a' }] })).toContain('no tasks');
    expect(splitTasks({ kind: 'matrix', parameters: {}, exclude: [] })).toContain('no parameters');
  });
});

test('a job of too many tasks is refused with both numbers', () => {
  expect(splitTasks({ kind: 'frames', frames: '1-99999999', chunk: 1 })).toBe('the job has 99999999 tasks; at most 10000000 are allowed');
});

describe('templates', () => {
  const parameters = { index: 3, frame: 42, chunkStart: 42, 'param.NAME': 'x y' };

  test('parameters are filled in, padded when asked, and other braces are left alone', () => {
    expect(fillTemplate(`render -f {frame} -o out-{frame:4}.png {param.NAME} \${HOME} {unknown}`, parameters)).toBe(
      `render -f 42 -o out-0042.png x y \${HOME} {unknown}`,
    );
    expect(fillCommand(['a', '{frame}'], parameters)).toEqual(['a', '42']);
  });

  test('they are environment variables too', () => {
    expect(parameterEnvironment(parameters)).toEqual({
      LANYARD_INDEX: '3',
      LANYARD_FRAME: '42',
      LANYARD_CHUNK_START: '42',
      LANYARD_PARAM_NAME: 'x y',
    });
  });
});
