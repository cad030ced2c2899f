import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { battery } from 'systeminformation';
import type { OwnerSenses } from '../ports/machine.ts';

const run = promisify(execFile);
/** Asking for the battery starts a program on some systems. */
const BATTERY_AGE_MS = 30_000;

/**
 * What a program without a window can tell of the machine's owner. The desktop app knows the time since the last input better, and hears of
 * the power supply at once; it gives its own.
 * @param root of the file system, for tests
 */
export function createOwnerSenses(root = '/'): OwnerSenses {
  let asked: { readonly atMs: number; readonly answer: Promise<boolean | undefined> } | undefined;
  return {
    userIdleMs: () =>
      process.platform === 'linux' ? linuxIdleMs(root) : process.platform === 'darwin' ? macIdleMs() : Promise.resolve(undefined),
    onBattery() {
      if (process.platform === 'linux') return linuxOnBattery(root);
      if (asked === undefined || performance.now() - asked.atMs > BATTERY_AGE_MS)
        asked = { atMs: performance.now(), answer: otherOnBattery() };
      return asked.answer;
    },
    cpuBusyMs: () => cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0),
    cores: Math.max(1, cpus().length),
    minuteOfWeek() {
      const now = new Date();
      return (((now.getDay() + 6) % 7) * 24 + now.getHours()) * 60 + now.getMinutes();
    },
  };
}

/**
 * As `w` tells it: input at a terminal sets the time of its last access. A desktop's input is not seen there, so where a display runs nobody can tell.
 */
async function linuxIdleMs(root: string): Promise<number | undefined> {
  const displays = await readdir(join(root, 'tmp/.X11-unix')).catch(() => [] as string[]);
  if (displays.length > 0) return undefined;
  const terminals = [
    ...(await readdir(join(root, 'dev')).catch(() => [] as string[]))
      .filter((name) => /^tty\d+$/.test(name))
      .map((name) => join(root, 'dev', name)),
    ...(await readdir(join(root, 'dev/pts')).catch(() => [] as string[]))
      .filter((name) => /^\d+$/.test(name))
      .map((name) => join(root, 'dev/pts', name)),
  ];
  const times = await Promise.all(terminals.map(async (path) => (await stat(path).catch(() => undefined))?.atimeMs ?? 0));
  return Math.max(0, Date.now() - Math.max(0, ...times));
}

async function macIdleMs(): Promise<number | undefined> {
  const listed = await run('ioreg', ['-c', 'IOHIDSystem', '-d', '4'], { timeout: 5_000 }).catch(() => undefined);
  const nanoseconds = /"HIDIdleTime" = (\d+)/.exec(listed?.stdout ?? '')?.[1];
  return nanoseconds === undefined ? undefined : Number(nanoseconds) / 1e6;
}

/** Every supply says what it is; one battery and no mains that is on means battery (docs.kernel.org, power_supply_class). */
async function linuxOnBattery(root: string): Promise<boolean | undefined> {
  const folder = join(root, 'sys/class/power_supply');
  const supplies = await Promise.all(
    (await readdir(folder).catch(() => [] as string[])).map(async (name) => {
      const read = (file: string) =>
        readFile(join(folder, name, file), 'utf8').then(
          (text) => text.trim(),
          () => '',
        );
      const [type, online, status, scope] = await Promise.all([read('type'), read('online'), read('status'), read('scope')]);
      return { type, online, status, scope };
    }),
  );
  // A battery of the scope Device is a mouse's.
  const batteries = supplies.filter(({ type, scope }) => type === 'Battery' && scope !== 'Device');
  if (batteries.length === 0) return undefined;
  if (supplies.some(({ type, online }) => type !== 'Battery' && online === '1')) return false;
  return batteries.some(({ status }) => status === 'Discharging');
}

async function otherOnBattery(): Promise<boolean | undefined> {
  try {
    const { hasBattery, acConnected } = await battery();
    return hasBattery ? !acConnected : undefined;
  } catch {
    return undefined;
  }
}
