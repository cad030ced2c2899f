import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expressionText, failingParts, holds, isExpressionError, type LabelExpression, parseLabelExpression } from './label-expression.ts';

const NODE: Readonly<Record<string, string>> = { os: 'linux', room: '3b', vram: '24', fast: '', 'gpu.vendor': 'nvidia' };
const labels = (name: string) => (Object.hasOwn(NODE, name) ? NODE[name] : undefined);

function parsed(text: string): LabelExpression {
  const result = parseLabelExpression(text);
  if (isExpressionError(result)) throw new Error(result.message);
  return result;
}

describe('a condition on labels', () => {
  test.each([
    ['os == linux', true],
    ['os == "linux"', true],
    ["os == 'win'", false],
    ['room != "3b"', false],
    ['floor != 2', true],
    ['floor == 2', false],
    ['fast', true],
    ['!fast', false],
    ['slow', false],
    ['os == linux && room != "3b"', false],
    ['os == win || fast && vram >= 16', true],
    ['(os == win || fast) && vram > 24', false],
    ['vram < 100', true],
    ['fast < 1', false],
    ['room <= 5', false],
    ['os in (win, linux)', true],
    ['!(os in (win, mac))', true],
    ['gpu.vendor == nvidia', true],
  ])('%s: %s', (text, expected) => {
    expect(holds(parsed(text), labels)).toBe(expected);
  });

  test.each([
    ['', 'expected the name of a label, found the end at character 1', 0],
    ['os ==', 'expected a value, found the end at character 6', 5],
    ['os = linux', '"=" is not expected at character 4', 3],
    ['os == linux room', 'expected &&, || or the end, found "room" at character 13', 12],
    ['(os == linux', 'expected ")", found the end at character 13', 12],
    ['os == linux &&', 'expected the name of a label, found the end', 14],
    ['"os" == linux', 'expected the name of a label, found "os" at character 1', 0],
    ['vram > much', '"much" is not a number, which > needs at character 8', 7],
    ['os in linux', 'expected "(", found "linux" at character 7', 6],
    ['room == "3b', '"\\"" is not expected at character 9', 8],
  ])('%j is refused where it is wrong', (text, message, at) => {
    const result = parseLabelExpression(text);
    expect(result).toMatchObject({ at, message: expect.stringContaining(message) });
  });

  test('is refused when it is nested without end', () => {
    expect(parseLabelExpression(`${'('.repeat(5_000)}a`)).toMatchObject({ message: expect.stringContaining('inside each other') });
    expect(parseLabelExpression(`${'!'.repeat(5_000)}a`)).toMatchObject({ message: expect.stringContaining('inside each other') });
  });

  test('names the parts that fail', () => {
    expect(failingParts(parsed('os == linux && room != "3b" && (slow || os in (win, mac))'), labels)).toEqual([
      'room != 3b',
      'slow || os in (win, mac)',
    ]);
    expect(failingParts(parsed('fast'), labels)).toEqual([]);
  });

  test('means the same when it is written out and read again', () => {
    const name = fc.constantFrom('os', 'room', 'vram', 'a-b', 'x.y');
    const value = fc.constantFrom('linux', '3b', 'with space', "it's", 'a"b', '', '12');
    const { tree } = fc.letrec<{ tree: LabelExpression }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.record({ kind: fc.constant('has' as const), name }),
        fc.record({ kind: fc.constant('compare' as const), name, operator: fc.constantFrom('==' as const, '!=' as const), value }),
        fc.record({ kind: fc.constant('in' as const), name, values: fc.array(value, { minLength: 1, maxLength: 3 }) }),
        fc.record({ kind: fc.constant('not' as const), part: tie('tree') }),
        fc.record({ kind: fc.constantFrom('and' as const, 'or' as const), parts: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }) }),
      ),
    }));
    fc.assert(
      fc.property(tree, (expression) => {
        expect(parsed(expressionText(expression))).toEqual(expression);
      }),
    );
  });

  test('never throws, whatever is written', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseLabelExpression(text)).toBeTypeOf('object');
      }),
    );
  });
});
