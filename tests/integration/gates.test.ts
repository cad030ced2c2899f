import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/**
 * A gate that never fails is no gate: each is shown a fault that it exists for, planted into a copy of the project. One that
 * reads nothing, because a tool or a setting changed, says "no faults" as well.
 */

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

let copy: string;
beforeAll(async () => {
  // Not below the project: the linter's scanner, which rules on types need, skips what that ignores.
  copy = await mkdtemp(join(tmpdir(), 'lanyard-gates-'));
  const { stdout } = await run('git', ['ls-files', '-z'], { cwd: ROOT, maxBuffer: 16 * 1024 * 1024 });
  for (const path of stdout.split('\0')) {
    if (path === '' || path.startsWith('docs/screens/')) continue;
    await cp(join(ROOT, path), join(copy, path));
  }
  // Hard links where the disk is the same; a symbolic one would lead the tools out of the copy.
  const packages = [join(ROOT, 'node_modules'), join(copy, 'node_modules')];
  await run('cp', ['-al', ...packages]).catch(() => run('cp', ['-a', ...packages]));
  // The linter reads what git ignores from a repository.
  await run('git', ['init', '--quiet'], { cwd: copy });
});
afterAll(() => copy === undefined || rm(copy, { recursive: true, force: true }));

/** @returns how the gate ended, and all that it said */
async function pass(script: string, ...further: string[]): Promise<{ code: number; said: string }> {
  const options = { cwd: copy, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' } };
  return await run('npm', ['run', '--silent', script, '--', ...further], options).then(
    ({ stdout, stderr }) => ({ code: 0, said: stdout + stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, said: error.stdout + error.stderr }),
  );
}

const GATES: readonly [fault: string, script: string, file: string, text: string, complaint: RegExp][] = [
  [
    'import against the direction',
    'imports',
    'electron/core/planted.ts',
    "import { openStore } from '../store/store.ts';\nexport const planted = openStore;\n",
    /core-direction: electron\/core\/planted\.ts/,
  ],
  [
    'import of a library outside its home',
    'imports',
    'electron/daemon/planted.ts',
    "import { WebSocket } from 'ws';\nexport const planted = WebSocket;\n",
    /home-of-ws: electron\/daemon\/planted\.ts/,
  ],
  ['export that nobody uses', 'unused', 'shared/planted.ts', 'export const planted = 1;\n', /shared\/planted\.ts/],
  [
    'promise that nobody waits for',
    'lint',
    'electron/api/planted.ts',
    'export function planted(): void {\n  Promise.resolve(1);\n}\n',
    /noFloatingPromises/,
  ],
  ['line out of form', 'lint', 'shared/planted.ts', 'export const planted = "double"\n', /shared\/planted\.ts/],
  [
    'wrong type in the core',
    'types',
    'electron/core/planted.ts',
    "export const planted: number = 'text';\n",
    /electron\/core\/planted\.ts.*TS2322/,
  ],
  ['timer in the core', 'types', 'electron/core/planted.ts', 'export const planted = setTimeout;\n', /electron\/core\/planted\.ts.*TS2304/],
  ['process in shared', 'types', 'shared/planted.ts', 'export const planted = process.pid;\n', /shared\/planted\.ts.*TS(2580|2591|2304)/],
  [
    'process in the screens',
    'types',
    'renderer/planted.ts',
    'export const planted = process.pid;\n',
    /renderer\/planted\.ts.*TS(2580|2591|2304)/,
  ],
  [
    'test that fails',
    'test:unit',
    'shared/planted.test.ts',
    "import { expect, test } from 'vitest';\ntest('planted', () => expect(1).toBe(2));\n",
    /planted[\s\S]*1 failed/,
  ],
];

describe('a gate', () => {
  test.for(GATES)('fails on a planted %s (npm run %s)', async ([, script, file, text, complaint]) => {
    await writeFile(join(copy, file), text);
    try {
      // Of the unit tests only the planted one: that the others pass is their own matter.
      const { code, said } = await pass(script, ...(script === 'test:unit' ? [file] : []));
      expect(said).toMatch(complaint);
      expect(code).not.toBe(0);
    } finally {
      await rm(join(copy, file));
    }
  });

  test.for(['imports', 'unused', 'lint', 'types'])('npm run %s passes without one', async (script) => {
    expect(await pass(script)).toMatchObject({ code: 0 });
  });
});
