import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { capacitySchema, metricsSchema } from '../../shared/node.ts';
import { readCgroupLimits } from './cgroup.ts';
import { createGpus } from './gpus.ts';
import { createMachine } from './machine.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanyard-machine-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('this machine', () => {
  test('has a capacity that the schema takes', async () => {
    const machine = createMachine({ folder: join(folder, 'not', 'made', 'yet') });
    const capacity = await machine.capacity();
    expect(capacitySchema.parse(capacity)).toEqual(capacity);
    expect(capacity.cpu).toBeGreaterThan(0);
    expect(capacity.ramMb).toBeGreaterThan(0);
    expect(capacity.ramMb).toBeLessThanOrEqual(totalmem() / 2 ** 20);
    expect(capacity.diskMb).toBeGreaterThan(0);
    expect([machine.os, machine.arch]).toEqual([process.platform, process.arch]);
  });

  test('has metrics that the schema takes and that fit its capacity', async () => {
    const machine = createMachine({ folder });
    const [capacity, metrics] = [await machine.capacity(), await machine.metrics()];
    expect(metricsSchema.parse(metrics)).toEqual(metrics);
    expect(metrics.ramTotalMb).toBe(capacity.ramMb);
    expect(metrics.ramFreeMb).toBeGreaterThan(0);
    expect(metrics.ramFreeMb).toBeLessThanOrEqual(metrics.ramTotalMb);
    expect(metrics.diskFreeMb).toBeLessThanOrEqual(capacity.diskMb);
  });

  test('measures 0 where it cannot measure', async () => {
    writeFileSync(join(folder, 'file'), '');
    const { diskFreeMb } = await createMachine({ folder: join(folder, 'file', 'beneath') }).metrics();
    expect(diskFreeMb).toBe(0);
  });
});

describe('limits of control groups', () => {
  const limits = (files: Readonly<Record<string, string>>) => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return readCgroupLimits(folder);
  };

  test('none', () => {
    expect(limits({})).toEqual({ cpu: undefined, memoryBytes: undefined, memoryUsedBytes: undefined });
    expect(limits({ 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': 'max 100000\n', 'sys/fs/cgroup/memory.max': 'max\n' })).toEqual({
      cpu: undefined,
      memoryBytes: undefined,
      memoryUsedBytes: undefined,
    });
  });

  test('version 2 in a container', () => {
    const files = {
      'proc/self/cgroup': '0::/\n',
      'sys/fs/cgroup/cpu.max': '150000 100000\n',
      'sys/fs/cgroup/memory.max': '1073741824\n',
      'sys/fs/cgroup/memory.current': '500000000\n',
      'sys/fs/cgroup/memory.stat': 'anon 1\ninactive_file 100000000\n',
    };
    expect(limits(files)).toEqual({ cpu: 1.5, memoryBytes: 1_073_741_824, memoryUsedBytes: 400_000_000 });
  });

  test('version 2 as a service: the least of the group and its parents', () => {
    const files = {
      'proc/self/cgroup': '0::/system.slice/lanyard.service\n',
      'sys/fs/cgroup/system.slice/lanyard.service/cpu.max': '400000 100000',
      'sys/fs/cgroup/system.slice/lanyard.service/memory.max': 'max',
      'sys/fs/cgroup/system.slice/cpu.max': '200000 100000',
      'sys/fs/cgroup/system.slice/memory.max': '2000000',
      'sys/fs/cgroup/system.slice/memory.current': '2000',
    };
    expect(limits(files)).toEqual({ cpu: 2, memoryBytes: 2_000_000, memoryUsedBytes: 2_000 });
  });

  test('version 1, whose path in a container names groups that are not mounted', () => {
    const files = {
      'proc/self/cgroup': '5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '50000\n',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '536870912\n',
      'sys/fs/cgroup/memory/memory.usage_in_bytes': '200000000\n',
      'sys/fs/cgroup/memory/memory.stat': 'inactive_file 5\ntotal_inactive_file 50000000\n',
    };
    expect(limits(files)).toEqual({ cpu: 0.5, memoryBytes: 536_870_912, memoryUsedBytes: 150_000_000 });
  });

  test('version 1 without limits', () => {
    const files = {
      'proc/self/cgroup': '2:cpu:/\n1:memory:/\n',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    };
    expect(limits(files)).toEqual({ cpu: undefined, memoryBytes: undefined, memoryUsedBytes: undefined });
  });
});

describe('graphics cards', () => {
  test("come with their use from NVIDIA's tool", async () => {
    const gpus = createGpus(async (fields) =>
      fields.includes('name')
        ? 'GPU-aa-1, NVIDIA RTX A4000, 16376\nGPU-bb-2, Orin, [N/A]\n'
        : 'GPU-aa-1, 37, 812\nGPU-bb-2, [N/A], [Not Supported]\n',
    );
    expect(await gpus.list()).toEqual([
      { id: 'GPU-aa-1', model: 'NVIDIA RTX A4000', ramMb: 16_376 },
      { id: 'GPU-bb-2', model: 'Orin', ramMb: 0 },
    ]);
    expect(gpus.use()).toEqual([
      { id: 'GPU-aa-1', loadPercent: 37, ramUsedMb: 812 },
      { id: 'GPU-bb-2', loadPercent: 0, ramUsedMb: 0 },
    ]);
  });

  test('are looked for once, and others only where there are none of those', async () => {
    const questions: string[] = [];
    const other = { id: '0000:03:00.0', model: 'Radeon Pro', ramMb: 8_192 };
    const gpus = createGpus(
      async (fields) => {
        questions.push(fields);
        return 'NVIDIA-SMI has failed because it could not communicate with the driver, or so\n';
      },
      async () => [other],
    );
    expect(await gpus.list()).toEqual([other]);
    expect(await gpus.list()).toEqual([other]);
    expect(gpus.use()).toEqual([]);
    expect(questions).toHaveLength(1);
  });
});
