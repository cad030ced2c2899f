import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createContainerCgroups } from './container-cgroup.ts';
import { UsageGauge } from './usage-gauge.ts';

const ID = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);
const MIB = 1024 * 1024;
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lanyard-cgroup-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function plant(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    const whole = join(root, path);
    mkdirSync(dirname(whole), { recursive: true });
    writeFileSync(whole, text);
  }
}

test('version 1: the peak without the file pages that can be dropped, and CPU time in nanoseconds', () => {
  const memory = `sys/fs/cgroup/memory/docker/${ID}`;
  plant({
    'proc/77/cgroup': `12:memory:/docker/${ID}\n5:cpu,cpuacct:/docker/${ID}\n0::/docker/${ID}\n`,
    [`${memory}/memory.usage_in_bytes`]: `${50 * MIB}\n`,
    [`${memory}/memory.max_usage_in_bytes`]: `${300 * MIB}\n`,
    [`${memory}/memory.stat`]: `cache 1\ntotal_inactive_file ${40 * MIB}\n`,
    [`sys/fs/cgroup/cpu,cpuacct/docker/${ID}/cpuacct.usage`]: '1500000000\n',
  });
  const cgroups = createContainerCgroups(root);
  expect(cgroups.read(ID)).toBeUndefined();
  cgroups.learn(ID, 77);
  expect(cgroups.wantsToLearn).toBe(false);
  expect(cgroups.read(ID)).toEqual({ cpuMs: 1_500, ramBytes: 260 * MIB });
});

test('version 2: with the peak where the kernel remembers it, and below the folder of the container', () => {
  const scope = (id: string) => `sys/fs/cgroup/machine.slice/libpod-${id}.scope`;
  plant({
    'proc/77/cgroup': `0::/machine.slice/libpod-${ID}.scope/container\n`,
    [`${scope(ID)}/memory.current`]: `${100 * MIB}\n`,
    [`${scope(ID)}/memory.stat`]: `anon 1\ninactive_file ${30 * MIB}\n`,
    [`${scope(ID)}/cpu.stat`]: 'usage_usec 2500000\nuser_usec 1\n',
    [`${scope(OTHER)}/memory.current`]: `${100 * MIB}\n`,
    [`${scope(OTHER)}/memory.peak`]: `${400 * MIB}\n`,
  });
  const cgroups = createContainerCgroups(root);
  cgroups.learn(ID, 77);
  expect(cgroups.read(ID)).toEqual({ cpuMs: 2_500, ramBytes: 70 * MIB });
  // Where one was, another is found without asking for its process.
  expect(cgroups.read(OTHER)).toEqual({ cpuMs: undefined, ramBytes: 400 * MIB });
});

test('another process of that number, or groups that are not to be seen, teach nothing', () => {
  plant({ 'proc/77/cgroup': `0::/system.slice/docker-${OTHER}.scope\n`, 'proc/78/cgroup': `0::/docker/${ID}\n` });
  const cgroups = createContainerCgroups(root);
  for (const processId of [77, 78, 79]) cgroups.learn(ID, processId);
  expect(cgroups.read(ID)).toBeUndefined();
  expect(cgroups.wantsToLearn).toBe(true);
  for (const processId of [77, 78]) cgroups.learn(ID, processId);
  expect(cgroups.wantsToLearn, 'not for ever').toBe(false);
});

test('a gauge remembers the most, and leaves blank what was never seen', () => {
  const gauge = new UsageGauge();
  expect(gauge.usage).toEqual({ cpuMs: null, peakRamMb: null });
  gauge.note({ cpuMs: 10.4, ramBytes: undefined });
  gauge.note({ cpuMs: 7, ramBytes: 5 * MIB + 1 });
  gauge.note({ cpuMs: undefined, ramBytes: 1 });
  expect(gauge.usage).toEqual({ cpuMs: 10, peakRamMb: 6 });
});
