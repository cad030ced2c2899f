import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openStateFile, placeOn } from './state-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-state-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('is there again at the next start', async () => {
  const path = join(folder, 'state.json');
  const file = openStateFile(path);
  file.change({ toldOfTray: true });
  file.change({ window: { x: 1, y: 2, width: 900, height: 600, maximized: true } });
  file.flush();
  expect(openStateFile(path).current).toEqual({
    toldOfTray: true,
    window: { x: 1, y: 2, width: 900, height: 600, maximized: true },
  });
  expect(await readFile(path, 'utf8')).toContain('"toldOfTray": true');
});

it('starts afresh from a file that is damaged', async () => {
  const path = join(folder, 'state.json');
  await writeFile(path, '{ "toldOfTray": "maybe"');
  expect(openStateFile(path).current).toEqual({ toldOfTray: false });
});

it('brings a window back whose screen is gone', () => {
  const screen = { x: 0, y: 0, width: 1920, height: 1080 };
  const bounds = { x: 2000, y: 100, width: 1280, height: 800 };
  expect(placeOn([screen], bounds)).toEqual({ width: 1280, height: 800 });
  expect(placeOn([screen, { ...screen, x: 1920 }], bounds)).toEqual(bounds);
  expect(placeOn([screen], { ...bounds, x: 10, y: -40 })).toEqual({ width: 1280, height: 800 });
});
