import { execFile, spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

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

/** @returns CPU time that the living processes of a group, and those of its that they have looked after, have used, ms; undefined where that is not told */
export async function groupCpuMs(group: number): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  const members = await membersOf(group);
  return members.reduce((sum, { cpuTicks }) => sum + cpuTicks * MS_PER_TICK, 0);
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
  readonly state: string;
  readonly group: number;
  readonly startTicks: number;
  readonly cpuTicks: number;
}

/** Linux tells programs CPU time in hundredths of a second, whatever it counts in itself (USER_HZ, time(7)). */
const MS_PER_TICK = 10;

async function membersOf(group: number): Promise<readonly ProcessFacts[]> {
  const members: ProcessFacts[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => undefined);
    const facts = line === undefined ? undefined : statFields(line);
    if (facts?.group === group) members.push(facts);
  }
  return members;
}

/** Fields 3, 5, 14 to 17 (own and waited-for children's user and system time) and 22 of /proc/PID/stat (proc(5)); the name in field 2 may hold anything, also spaces and brackets. */
function statFields(line: string): ProcessFacts {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', group: Number(fields[2]), startTicks: Number(fields[19]), cpuTicks: sum(fields.slice(11, 15)) };
}

function sum(figures: readonly string[]): number {
  return figures.reduce((total, figure) => total + (Number(figure) || 0), 0);
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
