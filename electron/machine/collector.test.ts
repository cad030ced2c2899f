import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('this V8 knows the flag that keeps new objects young', () => {
  expect(execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })).toContain('--allocation-site-pretenuring');
});
