import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Reporter, TestCase, TestResult } from '@playwright/test/reporter';

const FOLDER = join(import.meta.dirname, '../../../.cache/results');

/** Writes what ran in the shape of the other parts' reports, so that `tests/summary.ts` adds it up with them: `options.part` names it. */
export default class SummaryReporter implements Reporter {
  private readonly results = new Map<TestCase, TestResult>();
  private readonly part: string;

  constructor({ part }: { readonly part: string }) {
    this.part = part;
  }

  onTestEnd(test: TestCase, result: TestResult): void {
    this.results.set(test, result);
  }

  onEnd(): void {
    const byFile = Map.groupBy(this.results.keys(), (test) => test.location.file);
    const testResults = [...byFile].map(([name, tests]) => ({
      name,
      status: tests.every((test) => test.ok()) ? 'passed' : 'failed',
      assertionResults: tests.map((test) => ({
        fullName: test.title,
        status: test.outcome() === 'skipped' ? 'pending' : test.ok() ? 'passed' : 'failed',
      })),
    }));
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(join(FOLDER, `${this.part}.json`), JSON.stringify({ testResults }));
  }
}
