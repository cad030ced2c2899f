import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

/**
 * Adds up what the test runs wrote to `.cache/results` (vitest's JSON reports) and names whatever failed, was skipped,
 * or never ran. The last line is `N passed, N failed, N skipped`.
 * Usage: node tests/summary.ts [exit status of `npm test`]
 */

/** A part without a report did not run, and that counts as a failure. */
const PARTS = ['unit', 'integration', 'lan', 'e2e', 'desktop'] as const;
const FOLDER = join(import.meta.dirname, '../.cache/results');

export interface Summary {
  readonly passed: number;
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** @param reports by part; undefined for one that is not there */
export function summarize(reports: ReadonlyMap<string, Report | undefined>, root: string, exitStatus: number): Summary {
  let passed = 0;
  const failed: string[] = [];
  const skipped: string[] = [];
  for (const [part, report] of reports) {
    if (report === undefined) failed.push(`${part}: did not run`);
    for (const file of report?.testResults ?? []) {
      const path = relative(root, file.name);
      const failedBefore = failed.length;
      for (const test of file.assertionResults) {
        if (test.status === 'passed') passed += 1;
        else if (test.status === 'failed') failed.push(`${path}: ${test.fullName}`);
        else skipped.push(`${path}: ${test.fullName}`);
      }
      // A file that cannot be loaded, or whose set-up fails, has no failed test of its own.
      if (file.status === 'failed' && failed.length === failedBefore)
        failed.push(`${path}: ${file.message?.split('\n')[0] || 'failed as a whole'}`);
    }
  }
  if (exitStatus !== 0 && failed.length === 0) failed.push(`npm test ended with ${exitStatus}: see its output above`);
  return { passed, failed, skipped };
}

function main(): void {
  const found = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.json')) : [];
  const parts = new Set<string>([...PARTS, ...found.map((name) => basename(name, '.json'))]);
  const reports = new Map<string, Report | undefined>();
  for (const part of parts) {
    const path = join(FOLDER, `${part}.json`);
    reports.set(part, existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Report) : undefined);
  }
  const { passed, failed, skipped } = summarize(reports, process.cwd(), Number(process.argv[2] ?? 0));
  for (const name of skipped) console.log(`skipped  ${name}`);
  for (const name of failed) console.log(`FAILED   ${name}`);
  console.log(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

if (import.meta.main) main();
