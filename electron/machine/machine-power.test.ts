import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createMachinePower, sleepNow } from './machine-power.ts';

test.skipIf(process.platform === 'win32')(
  'machines are made and removed by a real command, which may leave something running',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lanyard-power-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const log = join(folder, 'log');
    // What is left behind keeps the pipe of its output open.
    const power = createMachinePower({ wakeAddresses: [], provisionCommand: `sleep 5 & echo "$LANYARD_MACHINE" >> ${log}; echo` });
    await power.make('machine-1');
    await power.remove('machine-2');
    expect(await readFile(log, 'utf8')).toBe('machine-1\nmachine-2\n');
    const failing = createMachinePower({ wakeAddresses: [], provisionCommand: 'echo no quota left >&2; exit 3 #' });
    await expect(failing.make('machine-1')).rejects.toThrow(/start machine-1` ended with 3: no quota left/);
    await sleepNow(`echo asleep > ${join(folder, 'slept')}`);
    expect(await readFile(join(folder, 'slept'), 'utf8')).toBe('asleep\n');
  },
);
