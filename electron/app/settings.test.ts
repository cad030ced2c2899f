import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSettings } from './settings.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-settings-'));
});
afterEach(() => rm(folder, { recursive: true }));

const write = (text: string) => writeFile(join(folder, 'settings.json'), text);
const read = async () => JSON.parse(await readFile(join(folder, 'settings.json'), 'utf8')) as unknown;

it('keeps what it changes, and leaves the other sections as they are', async () => {
  await write('{ "worker": { "zone": "attic" }, "desktop": { "closeToTray": false } }');
  const settings = await openSettings(folder);
  const told: boolean[] = [];
  settings.onChange(({ startAtLogin }) => told.push(startAtLogin));
  expect(settings.node.worker.zone).toBe('attic');
  await Promise.all([settings.change({ startAtLogin: true }), settings.change({ updates: 'off' })]);
  expect(settings.desktop).toMatchObject({ startAtLogin: true, closeToTray: false, updates: 'off' });
  expect(told).toEqual([true, true]);
  expect(await read()).toEqual({ worker: { zone: 'attic' }, desktop: { closeToTray: false, startAtLogin: true, updates: 'off' } });
});

it('takes no setting that is not valid', async () => {
  const settings = await openSettings(folder);
  await expect(settings.change({ updates: 'weekly' })).rejects.toMatchObject({ code: 'INVALID' });
  await expect(settings.change({ nosuch: 1 })).rejects.toMatchObject({ code: 'INVALID' });
  expect(settings.desktop.updates).toBe('automatic');
});

it('names a setting that is not valid', async () => {
  await write('{ "desktop": { "updates": "weekly" } }');
  await expect(openSettings(folder)).rejects.toMatchObject({ code: 'INVALID', message: expect.stringContaining('updates') });
});

it('changes nothing when the file cannot be written', async () => {
  const settings = await openSettings(folder);
  await rm(folder, { recursive: true });
  await expect(settings.change({ startAtLogin: true })).rejects.toMatchObject({ code: 'INVALID' });
  expect(settings.desktop.startAtLogin).toBe(false);
  await writeFile(folder, '');
});

it('takes what the owner of the machine changes, and nothing else of the worker', async () => {
  await write('{ "worker": { "zone": "attic" } }');
  const settings = await openSettings(folder);
  const worker = await settings.changeOwner({ schedule: 'mo-fr 18:00-08:00', whenActive: 'pause 5m return' });
  expect(worker).toMatchObject({ zone: 'attic', schedule: 'mo-fr 18:00-08:00', whenActive: 'pause 5m return' });
  expect(settings.node.worker).toEqual(worker);
  expect(await read()).toEqual({ worker: { zone: 'attic', schedule: 'mo-fr 18:00-08:00', whenActive: 'pause 5m return' } });
  for (const change of [{ schedule: 'some day' }, { whenActive: 'stop' }, { host: true }])
    await expect(settings.changeOwner(change)).rejects.toMatchObject({ code: 'INVALID' });
  expect(settings.node.worker).toEqual(worker);
});
