import { mkdir, statfs } from 'node:fs/promises';
import { availableParallelism, freemem, hostname, totalmem } from 'node:os';
import { currentLoad, mem } from 'systeminformation';
import { type Capacity, capacitySchema, type Metrics, metricsSchema } from '../../shared/node.ts';
import type { Machine } from '../ports/machine.ts';
import { type CgroupLimits, readCgroupLimits } from './cgroup.ts';
import { createGpus } from './gpus.ts';

export interface MachineOptions {
  /** The data folder: the disk that counts is the one it lies on. */
  readonly folder: string;
}

const MIB = 1024 * 1024;

/**
 * What this machine has and how busy it is. In a container the limits of its control groups count and not the host's
 * figures. The rates of log and transfer bytes are left at 0 for whoever moves those bytes to fill in. Nothing of this
 * throws: what cannot be measured is 0.
 */
export function createMachine({ folder }: MachineOptions): Machine {
  const gpus = createGpus();
  return {
    os: process.platform,
    arch: process.arch,
    hostName: hostname(),
    async capacity(): Promise<Capacity> {
      const limits = readCgroupLimits();
      const [disk, cards] = await Promise.all([diskOf(folder), gpus.list()]);
      return capacitySchema.parse({ cpu: cores(limits), ramMb: totalRamMb(limits), diskMb: disk.totalMb, gpus: cards });
    },
    async metrics(): Promise<Metrics> {
      const limits = readCgroupLimits();
      const [load, ramFreeMb, disk] = await Promise.all([loadPercent(), freeRamMb(limits), diskOf(folder)]);
      return metricsSchema.parse({
        cpuPercent: load,
        ramFreeMb,
        ramTotalMb: totalRamMb(limits),
        diskFreeMb: disk.freeMb,
        gpus: gpus.use(),
      });
    },
  };
}

/**
 * The runtime's own figure knows which cores this process may use, and of a quota only its whole cores; the quota itself
 * is taken where it is what binds.
 */
function cores({ cpu }: CgroupLimits): number {
  const whole = availableParallelism();
  return Math.min(4096, cpu !== undefined && Math.max(1, Math.floor(cpu)) <= whole ? cpu : whole);
}

function totalRamMb({ memoryBytes }: CgroupLimits): number {
  return Math.floor(Math.min(totalmem(), memoryBytes ?? Number.POSITIVE_INFINITY) / MIB);
}

async function freeRamMb(limits: CgroupLimits): Promise<number> {
  const left = limits.memoryBytes === undefined ? Number.POSITIVE_INFINITY : limits.memoryBytes - (limits.memoryUsedBytes ?? 0);
  return Math.min(totalRamMb(limits), Math.max(0, Math.floor(Math.min(await availableBytes(), left) / MIB)));
}

/** Free memory and what the system would drop for it. On Windows the runtime says it at once, where the library would start PowerShell. */
async function availableBytes(): Promise<number> {
  if (process.platform === 'win32') return freemem();
  try {
    return finite((await mem()).available) || freemem();
  } catch {
    return freemem();
  }
}

/** Since the last time it was asked for. */
async function loadPercent(): Promise<number> {
  try {
    return Math.min(100, Math.max(0, finite((await currentLoad()).currentLoad)));
  } catch {
    return 0;
  }
}

async function diskOf(folder: string): Promise<{ readonly totalMb: number; readonly freeMb: number }> {
  try {
    await mkdir(folder, { recursive: true });
    const { blocks, bavail, bsize } = await statfs(folder);
    const totalMb = Math.floor(finite((blocks * bsize) / MIB));
    return { totalMb, freeMb: Math.min(totalMb, Math.floor(finite((bavail * bsize) / MIB))) };
  } catch {
    return { totalMb: 0, freeMb: 0 };
  }
}

function finite(number: number): number {
  return Number.isFinite(number) ? number : 0;
}
