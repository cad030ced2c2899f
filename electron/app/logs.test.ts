import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LOG_FILE, openLogFile } from './logs.ts';

it('sets a full file aside, and keeps three of them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-logs-'));
  const line = `${'x'.repeat(1024 * 1024)}\n`;
  for (let life = 0; life < 2; life += 1) {
    const write = openLogFile(folder);
    for (let written = 0; written < 20; written += 1) write(line);
  }
  expect((await readdir(folder)).sort()).toEqual([LOG_FILE, `${LOG_FILE}.1`, `${LOG_FILE}.2`, `${LOG_FILE}.3`]);
  for (const name of await readdir(folder)) expect((await stat(join(folder, name))).size).toBeLessThanOrEqual(7 * 1024 * 1024);
  await rm(folder, { recursive: true });
  expect(() => openLogFile('/dev/null/nowhere')(line)).not.toThrow();
});
