import { describe, expect, it } from 'vitest';
import { summarize } from './summary.ts';

const test = (fullName: string, status: string) => ({ fullName, status });
const file = (name: string, status: string, assertionResults: ReturnType<typeof test>[], message = '') => ({
  name: `/repo/${name}`,
  status,
  message,
  assertionResults,
});

describe('the summary of all test runs', () => {
  it('counts what passed and names what did not', () => {
    const unit = {
      testResults: [file('a.test.ts', 'failed', [test('holds', 'passed'), test('breaks', 'failed'), test('waits', 'skipped')])],
    };
    const integration = { testResults: [file('b.test.ts', 'passed', [test('works', 'passed'), test('later', 'todo')])] };
    const reports = new Map([
      ['unit', unit],
      ['integration', integration],
    ]);
    expect(summarize(reports, '/repo', 1)).toEqual({
      passed: 2,
      failed: ['a.test.ts: breaks'],
      skipped: ['a.test.ts: waits', 'b.test.ts: later'],
    });
  });

  it('counts a part that did not run, and a file that could not be loaded', () => {
    const unit = { testResults: [file('a.test.ts', 'failed', [], 'cannot find module\nat line 3')] };
    const reports = new Map([
      ['unit', unit],
      ['integration', undefined],
    ]);
    expect(summarize(reports, '/repo', 0).failed).toEqual(['a.test.ts: cannot find module', 'integration: did not run']);
  });

  it('does not hide a failure that no report knows of', () => {
    expect(summarize(new Map(), '/repo', 2).failed).toEqual(['npm test ended with 2: see its output above']);
    expect(summarize(new Map(), '/repo', 0).failed).toEqual([]);
  });
});
