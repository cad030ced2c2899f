import { describe, expect, test } from 'vitest';
import { createLogFilter, displayWidth, plain, shorten } from './text.ts';

const ESC = '\u001b';

test('plain text has no control characters, whatever was sent', () => {
  expect(plain(`a${ESC}[2Jb\u0007c\r\nd\u009be\u202ef`)).toBe('a [2Jb c  d e f');
  expect(plain('Grüße, 世界 👋')).toBe('Grüße, 世界 👋');
});

describe('the filter of logs', () => {
  const once = (text: string, colours = true) => createLogFilter(colours).push(text);

  test.each([
    ['text, tabs and line ends stay', 'a\tb\nc', 'a\tb\nc'],
    ['colours stay', `${ESC}[1;31mred${ESC}[0m`, `${ESC}[1;31mred${ESC}[0m`],
    ['cursor movements, erasures and modes go', `a${ESC}[2Jb${ESC}[10;5Hc${ESC}[?1049hd${ESC}[1Ke`, 'abcde'],
    ['what looks like a colour but has private marks goes', `a${ESC}[>4;2mb`, 'ab'],
    ['window titles go, ended by BEL or ST', `a${ESC}]0;evil\u0007b${ESC}]8;;http://x${ESC}\\c`, 'abc'],
    ['device control strings go', `a${ESC}P$q"p${ESC}\\b`, 'ab'],
    ['C1 forms of the same go', 'a\u009b2Jb\u009d0;evil\u009cc', 'abc'],
    ['two-character escapes go', `a${ESC}cb${ESC}7c`, 'abc'],
    ['bells, backspaces and nulls go', 'a\u0007b\u0008c\u0000d', 'abcd'],
    ['a carriage return does not overwrite the line', 'one\rtwo\r\nthree', 'one\ntwo\nthree'],
    ['an unended string does not swallow the next line', `a${ESC}]0;evil\nb`, 'a\nb'],
    ['marks that turn the direction of writing go', 'a\u202eb', 'ab'],
  ])('%s', (_, given, expected) => {
    expect(once(given)).toBe(expected);
  });

  test('the result does not depend on where the text is cut', () => {
    const text = `x${ESC}[31mred${ESC}[0m\r\n${ESC}]0;title\u0007${ESC}[2Jy${ESC}P..${ESC}\\z\rend`;
    for (let cut = 0; cut <= text.length; cut++) {
      const filter = createLogFilter(true);
      expect(filter.push(text.slice(0, cut)) + filter.push(text.slice(cut))).toBe(once(text));
    }
  });

  test('without colours these go too', () => {
    expect(once(`${ESC}[31mred${ESC}[0m`, false)).toBe('red');
  });

  test('a colour that was set is put back in the end, and only then', () => {
    const filter = createLogFilter(true);
    filter.push('plain');
    expect(filter.end()).toBe('');
    filter.push(`${ESC}[31mred`);
    expect(filter.end()).toBe(`${ESC}[0m`);
  });
});

test('width counts what a terminal shows', () => {
  expect(displayWidth('abc')).toBe(3);
  expect(displayWidth('世界')).toBe(4);
  expect(displayWidth('e\u0301')).toBe(1);
  expect(displayWidth('👋')).toBe(2);
});

test('shorten cuts to columns, and never through a wide character', () => {
  expect(shorten('abcdef', 6)).toBe('abcdef');
  expect(shorten('abcdef', 4)).toBe('abc…');
  expect(shorten('世界世界', 6)).toBe('世界…');
});
