import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createOwnerSenses } from './owner-senses.ts';

async function tree(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'lanyard-senses-'));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), `${text}\n`);
  }
  return root;
}

const supply = (name: string, facts: Record<string, string>) =>
  Object.fromEntries(Object.entries(facts).map(([file, text]) => [`sys/class/power_supply/${name}/${file}`, text]));
const onBattery = async (files: Readonly<Record<string, string>>) => createOwnerSenses(await tree(files)).onBattery();

describe.skipIf(process.platform !== 'linux')('on Linux', () => {
  test('a battery that discharges without mains, and nothing else, means battery', async () => {
    const laptop = (online: string, status: string) => ({
      ...supply('AC', { type: 'Mains', online }),
      ...supply('BAT0', { type: 'Battery', status }),
    });
    expect(await onBattery(laptop('0', 'Discharging'))).toBe(true);
    expect(await onBattery(laptop('1', 'Charging'))).toBe(false);
    expect(await onBattery(laptop('1', 'Discharging'))).toBe(false);
    expect(await onBattery(supply('mouse', { type: 'Battery', status: 'Discharging', scope: 'Device' }))).toBeUndefined();
    expect(await onBattery({})).toBeUndefined();
  });

  test('the last input at any terminal counts, and where a display runs nobody can tell', async () => {
    const root = await tree({ 'dev/tty1': '', 'dev/pts/0': '', 'dev/pts/ptmx': '' });
    const ago = (ms: number) => (Date.now() - ms) / 1_000;
    await utimes(join(root, 'dev/tty1'), ago(7_200_000), ago(0));
    await utimes(join(root, 'dev/pts/0'), ago(3_600_000), ago(0));
    const idle = (await createOwnerSenses(root).userIdleMs()) ?? 0;
    expect(idle).toBeGreaterThan(3_590_000);
    expect(idle).toBeLessThan(3_700_000);
    await mkdir(join(root, 'tmp/.X11-unix'), { recursive: true });
    await writeFile(join(root, 'tmp/.X11-unix/X0'), '');
    expect(await createOwnerSenses(root).userIdleMs()).toBeUndefined();
  });
});

test('the clock of the week and the load of the cores', () => {
  const senses = createOwnerSenses();
  const now = new Date();
  const minutes = senses.minuteOfWeek();
  expect(minutes).toBeGreaterThanOrEqual(0);
  expect(minutes).toBeLessThan(7 * 24 * 60);
  expect([minutes % 60, (minutes + 1) % 60]).toContain(new Date().getMinutes());
  expect(Math.floor(minutes / 1_440)).toBe((now.getDay() + 6) % 7);
  expect(senses.cpuBusyMs()).toBeGreaterThan(0);
  expect(senses.cores).toBeGreaterThan(0);
});
