import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../../electron/ports/store.ts';
import { openStore } from '../../electron/store/store.ts';
import type { FarmId, JobId } from '../../shared/ids.ts';
import { silent } from '../fakes/store-rows.ts';

const CHILD = new URL('./store-crash-child.ts', import.meta.url).pathname;
const open = (path: string): Store => openStore({ path, farm: 'a-farm' as FarmId, wallMs: Date.now, logger: silent });
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanyard-crash-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** @returns the last job that the child said was stored before it was killed with no warning */
async function commitUntilKilled(path: string, batches: number): Promise<number> {
  const child = spawn(process.execPath, ['--no-warnings', CHILD, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let acknowledged = 0;
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line);
    if (++lines === 1) expect(() => open(path)).toThrow('in use by another process');
    if (lines === batches) child.kill('SIGKILL');
  }
  expect(await exited).toEqual([null, 'SIGKILL']);
  return acknowledged;
}

test('all that was acknowledged before a kill -9 is there after it, whole, and no id comes again', async () => {
  const path = join(folder, 'farm.db');
  for (const batches of [1, 30, 80]) {
    const acknowledged = await commitUntilKilled(path, batches);
    expect(acknowledged).toBeGreaterThanOrEqual(batches);
    const store = open(path);
    const { jobs } = store.load();
    expect(jobs.length).toBeGreaterThanOrEqual(acknowledged);
    expect(store.nextJobId()).toBe(jobs.length + 1);
    for (const { row, tasks } of jobs) expect([row.id, tasks.length]).toEqual([row.id, 20]);
    expect(store.attempts(acknowledged as JobId, 19)).toHaveLength(1);
    await store.close();
  }
});
