import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { UsageReading } from './usage-gauge.ts';

const run = promisify(execFile);

/** Process groups that run, one small file each. */
export interface GroupRecords {
  add(group: number): Promise<void>;
  remove(group: number): Promise<void>;
  /** Kills what still lives of the groups that are written down. @returns how many did */
  endStrays(): Promise<number>;
}

export function createGroupRecords(folder: string): GroupRecords {
  const path = (group: number) => join(folder, `${group}`);
  let folderMade: Promise<unknown> | undefined;
  return {
    async add(group) {
      folderMade ??= mkdir(folder, { recursive: true });
      await folderMade;
      await writeFile(path(group), (await birthOf(group)) ?? '');
    },
    async remove(group) {
      await rm(path(group), { force: true });
    },
    async endStrays() {
      let count = 0;
      const names = await readdir(folder).catch(() => [] as string[]);
      for (const name of names.filter((file) => /^[1-9]\d{0,9}$/.test(file))) {
        const group = Number(name);
        const birth = await readFile(path(group), 'utf8').catch(() => '');
        if (birth !== '' && (await isSameGroup(group, birth))) {
          signalGroup(group, 'SIGKILL');
          count += 1;
        }
        await rm(path(group), { force: true });
      }
      return count;
    },
  };
}

/** Signals every process of a group; a group that is gone is no error. Windows has no groups: there its tree is ended, and only ended. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  if (process.platform === 'win32') {
    if (signal === 'SIGTERM' || signal === 'SIGKILL') spawnSync('taskkill', ['/PID', `${group}`, '/T', '/F'], { windowsHide: true });
    return;
  }
  try {
    process.kill(-group, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EINVAL') throw error;
  }
}

/** Whether any process of the group still runs. One that has ended but that its parent has not looked after yet does not count. */
export async function groupLives(group: number): Promise<boolean> {
  if (!signalReaches(process.platform === 'win32' ? group : -group)) return false;
  if (process.platform !== 'linux') return true;
  return (await membersOf(group)).some(({ state }) => state !== 'Z');
}

/**
 * What the living processes of a group use; nothing where the system does not tell. The CPU time counts those too that they have looked
 * after. The memory is the sum of what each has held at its peak, so that it is rather too much than too little.
 */
export async function groupUsage(group: number): Promise<UsageReading> {
  return process.platform === 'linux' ? await usageOf(await membersOf(group)) : NOT_TOLD;
}

/** The same, of processes as they were a moment ago: for those who look at many groups again and again. */
export async function recentGroupUsage(group: number): Promise<UsageReading> {
  return process.platform === 'linux' ? await usageOf(await recentMembersOf(group)) : NOT_TOLD;
}

const NOT_TOLD: UsageReading = { cpuMs: undefined, ramBytes: undefined };

async function usageOf(members: readonly ProcessFacts[]): Promise<UsageReading> {
  const peaks = await Promise.all(members.map(({ id }) => peakBytes(id)));
  const ramBytes = peaks.reduce((total, bytes) => total + bytes, 0);
  const ticks = members.reduce((total, { cpuTicks }) => total + cpuTicks, 0);
  return members.length === 0 ? NOT_TOLD : { cpuMs: ticks * MS_PER_TICK, ramBytes: ramBytes === 0 ? undefined : ramBytes };
}

/** The CPU time of a process, and of those that it has looked after, ms; also when it has ended and its parent has yet to take note of it. */
export function leaderCpuMs(group: number): number | undefined {
  try {
    return statFields(readFileSync(`/proc/${group}/stat`, 'utf8')).cpuTicks * MS_PER_TICK;
  } catch {
    return undefined;
  }
}

/** VmHWM of /proc/PID/status (proc(5)), which one that has ended does not have any more. */
async function peakBytes(processId: number): Promise<number> {
  const status = await readFile(`/proc/${processId}/status`, 'utf8').catch(() => '');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1_024;
}

function signalReaches(target: number): boolean {
  try {
    process.kill(target, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process began, in words that no other process of that number shares; undefined when it is gone. */
async function birthOf(processId: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const line = await readFile(`/proc/${processId}/stat`, 'utf8').catch(() => undefined);
    return line === undefined ? undefined : `${await bootId()} ${statFields(line).startTicks}`;
  }
  if (process.platform === 'win32') return undefined;
  const listed = await run('ps', ['-o', 'lstart=', '-p', `${processId}`]).catch(() => undefined);
  return listed?.stdout.trim() || undefined;
}

/**
 * The group is ours when its leader began when ours did. A leader that has ended leaves its number to the group, which
 * nobody else can get while a member lives: then each member must be no older than the leader was.
 */
async function isSameGroup(group: number, birth: string): Promise<boolean> {
  const leader = await birthOf(group);
  if (leader !== undefined) return leader === birth;
  if (process.platform !== 'linux') return false;
  const [boot, ticks] = birth.split(' ');
  if (boot !== (await bootId())) return false;
  const members = await membersOf(group);
  return members.length > 0 && members.every(({ startTicks }) => startTicks >= Number(ticks));
}

interface ProcessFacts {
  readonly id: number;
  readonly state: string;
  readonly group: number;
  readonly startTicks: number;
  readonly cpuTicks: number;
}

/** Linux tells programs CPU time in hundredths of a second, whatever it counts in itself (USER_HZ, time(7)). */
const MS_PER_TICK = 10;

async function membersOf(group: number): Promise<readonly ProcessFacts[]> {
  return (await allProcesses()).filter((process) => process.group === group);
}

/** How old a list of all processes may be for those who only want to know how much is used, ms: many groups then share one. */
const RECENT_MS = 500;
let recent: { readonly atMs: number; readonly processes: Promise<readonly ProcessFacts[]> } | undefined;

async function recentMembersOf(group: number): Promise<readonly ProcessFacts[]> {
  const isOf = (process: ProcessFacts) => process.group === group;
  if (recent !== undefined && performance.now() - recent.atMs < RECENT_MS) {
    const members = (await recent.processes).filter(isOf);
    // None: the group is younger than the list.
    if (members.length > 0) return members;
  }
  recent = { atMs: performance.now(), processes: allProcesses() };
  return (await recent.processes).filter(isOf);
}

async function allProcesses(): Promise<readonly ProcessFacts[]> {
  const found: ProcessFacts[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => undefined);
    if (line !== undefined) found.push({ id: Number(name), ...statFields(line) });
  }
  return found;
}

/** Fields 3, 5, 14 to 17 (own and waited-for children's user and system time) and 22 of /proc/PID/stat (proc(5)); the name in field 2 may hold anything, also spaces and brackets. */
function statFields(line: string): Omit<ProcessFacts, 'id'> {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', group: Number(fields[2]), startTicks: Number(fields[19]), cpuTicks: sum(fields.slice(11, 15)) };
}

function sum(figures: readonly string[]): number {
  return figures.reduce((total, figure) => total + (Number(figure) || 0), 0);
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
