import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

interface NamedTest {
  readonly file: string;
  /** The test's own words, or a part of them. */
  readonly words: string;
}

/** The lines "- `file`: words" of a document, and every other line of a list. */
function namedTests(document: string): { readonly named: readonly NamedTest[]; readonly unread: readonly string[] } {
  const lines = document.split('\n').filter((line) => line.startsWith('- '));
  const read = lines.map((line) => ({ line, match: /^- `([^`]+)`: (.+)$/.exec(line) }));
  return {
    named: read.flatMap(({ match }) => (match === null ? [] : [{ file: match[1] as string, words: match[2] as string }])),
    unread: read.filter(({ match }) => match === null).map(({ line }) => line),
  };
}

/** Whether a test or a group of tests of this file is called so, in a literal of whatever quotes. */
function holds(source: string, words: string): boolean {
  const titles = source.matchAll(/\b(?:test|it|describe)\b[^\n]*?(?:\(|\)\()\s*(['"`])((?:\\.|(?!\1).)*)\1/g);
  for (const [, , title] of titles) if (title?.replace(/\\(.)/g, '$1').includes(words)) return true;
  return false;
}

/** In security.md some lists are no promises. */
const DOCUMENTS = [
  ['docs/promises.md', (text: string) => text],
  ['docs/security.md', (text: string) => text.slice(text.indexOf('## What is promised'), text.indexOf('## What is not promised'))],
] as const;

describe.each(DOCUMENTS)('%s', (document, promises) => {
  const { named, unread } = namedTests(promises(readFileSync(join(ROOT, document), 'utf8')));

  test('names a test in every line of its lists', () => {
    expect(unread).toEqual([]);
    expect(named.length).toBeGreaterThan(25);
  });

  test.each(named.map(({ file, words }) => [file, words] as const))('%s: %s', (file, words) => {
    expect(holds(readFileSync(join(ROOT, file), 'utf8'), words)).toBe(true);
  });
});

test('a test that is only spoken of, or called otherwise, does not count', () => {
  const source = "// keeps its word\nit('keeps its promise', () => {});\ntest.for(['a'] as const)(\n  'is %s and keeps', () => {});";
  expect(holds(source, 'keeps its promise')).toBe(true);
  expect(holds(source, 'and keeps')).toBe(true);
  expect(holds(source, 'keeps its word')).toBe(false);
  expect(holds(source, 'keeps all promises')).toBe(false);
});
