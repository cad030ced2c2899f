import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ElectronApplication } from '@playwright/test';
import { createZip } from '../e2e/support/zip.ts';
import { end } from './support/home.ts';
import { answerQuit } from './support/question.ts';
import { expect, test } from './support/test.ts';

const windowCount = (app: ElectronApplication) => app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length);
const SMALL = { image: null, requirements: { cpu: 0.1, ramMb: 32 } } as const;
/** Runs until the file `go` is beside the data folder. */
const waiting = (go: string) => ({ name: 'waits', command: `until [ -e '${go}' ]; do sleep 0.05; done`, ...SMALL });

test('the window closes into the tray: the task goes on, and a notice tells its end and opens it', async ({ home }) => {
  const app = await home.start();
  const window = await app.firstWindow();
  const client = await home.client();
  const go = join(home.folder, 'go');
  const { id } = await client.call('submitJob', { body: waiting(go) });
  await expect.poll(() => home.session.trayLabels()).toContain('1 task runs here');
  const closed = window.waitForEvent('close');
  await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
  await closed;
  await expect.poll(() => windowCount(app)).toBe(0);
  await expect.poll(() => home.session.notices).toEqual([expect.stringContaining('goes on working')]);
  await writeFile(go, '');
  await expect.poll(async () => (await client.call('getJob', { params: { job: id } })).state).toBe('COMPLETED');
  await expect.poll(() => home.session.notices).toContain('“waits” is complete: 1 task.');
  await expect.poll(() => home.session.trayLabels()).toContain('Ready for work');
  const opened = app.waitForEvent('window');
  home.session.clickNotice(1);
  await expect((await opened).getByRole('heading', { name: 'waits' })).toBeVisible();
});

test('its owner pauses the machine from the tray: what runs is held, nothing new comes, also after a restart', async ({ home }) => {
  let app = await home.start();
  await app.firstWindow();
  const client = await home.client();
  const go = join(home.folder, 'go');
  const { id: first } = await client.call('submitJob', { body: waiting(go) });
  await expect.poll(() => home.session.trayLabels()).toContain('1 task runs here');
  await home.session.chooseInTray('Until I Resume');
  const paused = ['Paused by you; 1 task runs here', 'Open Lanyard', 'Submit a Job…', 'Take Work Again', 'Quit Lanyard'];
  await expect.poll(() => home.session.trayLabels()).toEqual(paused);
  const { id: second } = await client.call('submitJob', { body: { name: 'later', command: 'true', ...SMALL } });
  await expect.poll(async () => (await client.call('listNodes')).nodes[0]?.availability).toBe('owner-paused');
  await end(app);
  app = await home.start();
  await expect.poll(() => home.session.trayLabels()).toContain('Paused by you');
  const again = await home.client();
  const states = async () => await Promise.all([first, second].map(async (job) => (await again.call('getJob', { params: { job } })).state));
  expect(await states()).toEqual(['QUEUED', 'QUEUED']);
  await writeFile(go, '');
  await home.session.chooseInTray('Take Work Again');
  await expect.poll(states).toEqual(['COMPLETED', 'COMPLETED']);
});

test('a second start brings the first one to the front, and gives it the zip to open', async ({ home }) => {
  const app = await home.start();
  const window = await app.firstWindow();
  await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.minimize());
  const zip = join(home.folder, 'my shot.zip');
  const description = { name: 'by the system', command: 'cat seed.txt', ...SMALL };
  await writeFile(zip, createZip({ 'lanyard.json': JSON.stringify(description), 'seed.txt': 'seed\n' }));
  expect(await home.startSecond([zip])).toBe(0);
  await expect.poll(() => app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isMinimized())).toBe(false);
  expect(await windowCount(app)).toBe(1);
  await expect(window.getByLabel('Name')).toHaveValue('by the system');
  await window.getByRole('button', { name: 'Submit 1 task' }).click();
  await expect(window.getByText('1 of 1 task ended')).toBeVisible();
});

test('quitting asks while a task runs; it can wait for its end', async ({ home }) => {
  const app = await home.start(['--hidden']);
  const client = await home.client();
  const go = join(home.folder, 'go');
  const { id } = await client.call('submitJob', { body: waiting(go) });
  await expect.poll(() => home.session.trayLabels()).toContain('1 task runs here');
  for (const answer of ['Keep Running', 'Finish Them First'] as const) {
    await home.session.chooseInTray('Quit Lanyard');
    await answerQuit(answer);
  }
  await expect.poll(() => home.session.trayLabels()).toContain('Takes no new work; 1 task runs here');
  const exited = once(app.process(), 'exit');
  await writeFile(go, '');
  expect(await exited).toEqual([0, null]);
  await home.start(['--hidden']);
  expect((await (await home.client()).call('getJob', { params: { job: id } })).state).toBe('COMPLETED');
});

test('quitting at once hands the task back, and it runs after the next start', async ({ home }) => {
  const app = await home.start(['--hidden']);
  const go = join(home.folder, 'go');
  const { id } = await (await home.client()).call('submitJob', { body: waiting(go) });
  await expect.poll(() => home.session.trayLabels()).toContain('1 task runs here');
  const exited = once(app.process(), 'exit');
  await home.session.chooseInTray('Quit Lanyard');
  await answerQuit('Quit Now');
  expect(await exited).toEqual([0, null]);
  await writeFile(go, '');
  await home.start();
  await expect.poll(async () => (await (await home.client()).call('getJob', { params: { job: id } })).state).toBe('COMPLETED');
});

test('after it was killed it starts again with its farm, and the job ends', async ({ home }) => {
  const app = await home.start();
  await app.firstWindow();
  const go = join(home.folder, 'go');
  const { id } = await (await home.client()).call('submitJob', { body: waiting(go) });
  await expect.poll(() => home.session.trayLabels()).toContain('1 task runs here');
  const exited = once(app.process(), 'exit');
  app.process().kill('SIGKILL');
  await exited;
  await writeFile(go, '');
  const again = await home.start();
  await expect((await again.firstWindow()).getByRole('link', { name: 'Jobs' }).first()).toBeVisible();
  await expect
    .poll(async () => (await (await home.client()).call('getJob', { params: { job: id } })).state, { timeout: 45_000 })
    .toBe('COMPLETED');
});

test('it starts hidden at login, and a start by hand opens the window', async ({ home }) => {
  const app = await home.start(['--hidden']);
  await expect.poll(() => home.session.trayLabels()).toContain('Ready for work');
  expect(await windowCount(app)).toBe(0);
  const opened = app.waitForEvent('window');
  expect(await home.startSecond()).toBe(0);
  await expect((await opened).getByRole('link', { name: 'Jobs' }).first()).toBeVisible();
});

test('start at login is a setting, kept in settings.json, that plants the entry of this system', async ({ home }) => {
  test.skip(process.platform !== 'linux', 'the other systems keep it where a test should not write');
  const app = await home.start();
  const window = await app.firstWindow();
  await window.getByRole('link', { name: 'Settings' }).click();
  await window.getByRole('checkbox', { name: 'Start when I log in' }).click();
  const entry = join(home.folder, 'config/autostart/lanyard.desktop');
  await expect.poll(() => existsSync(entry)).toBe(true);
  expect(await readFile(entry, 'utf8')).toMatch(/^Exec=".*" "--hidden"$/m);
  expect(JSON.parse(await readFile(join(home.data, 'settings.json'), 'utf8'))).toMatchObject({
    desktop: { startAtLogin: true },
    worker: { name: 'this-machine' },
  });
  await window.getByRole('checkbox', { name: 'Start when I log in' }).click();
  await expect.poll(() => existsSync(entry)).toBe(false);
});

test('the window comes back where it was', async ({ home }) => {
  let app = await home.start();
  await app.firstWindow();
  await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.setBounds({ x: 120, y: 90, width: 1000, height: 700 }));
  await expect.poll(() => readFile(join(home.data, 'desktop/state.json'), 'utf8').catch(() => '')).toContain('"width": 1000');
  await end(app);
  app = await home.start();
  await app.firstWindow();
  expect(await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.getBounds())).toMatchObject({
    width: 1000,
    height: 700,
  });
});

test('the map of the farm stays in view as the window changes its size', async ({ home }) => {
  const app = await home.start();
  const window = await app.firstWindow();
  await window.getByRole('link', { name: 'Farm' }).first().click();
  const card = window.getByRole('link', { name: /this-machine/ });
  for (const [width, height] of [
    [1900, 1000],
    [900, 600],
  ] as const) {
    await app.evaluate(({ BrowserWindow }, bounds) => BrowserWindow.getAllWindows()[0]?.setBounds(bounds), { x: 0, y: 0, width, height });
    await expect.poll(() => window.evaluate(() => innerWidth)).toBe(width);
    await expect(card).toBeInViewport({ ratio: 1 });
  }
});

test('it hears of the power supply at once, and takes no new work on battery', async ({ home }) => {
  const app = await home.start();
  await app.firstWindow();
  await expect.poll(() => home.session.trayLabels()).toContain('Ready for work');
  await app.evaluate(({ powerMonitor }) => void powerMonitor.emit('on-battery'));
  await expect.poll(() => home.session.trayLabels()).toContain('Rests on battery');
  const client = await home.client();
  expect((await client.call('listNodes')).nodes[0]?.availability).toBe('on-battery');
  await app.evaluate(({ powerMonitor }) => void powerMonitor.emit('on-ac'));
  await expect.poll(() => home.session.trayLabels()).toContain('Ready for work');
});

test('diagnostics are one text file without a token in it', async ({ home }) => {
  const app = await home.start();
  await app.firstWindow();
  const path = join(home.folder, 'diagnostics.txt');
  await app.evaluate(({ dialog }, filePath) => {
    dialog.showSaveDialog = (async () => ({ canceled: false, filePath })) as typeof dialog.showSaveDialog;
  }, path);
  await app.evaluate(({ Menu }) => {
    const help = Menu.getApplicationMenu()?.items.find(({ role }) => role === 'help');
    help?.submenu?.items.find(({ label }) => label === 'Collect Diagnostics…')?.click();
  });
  await expect.poll(() => existsSync(path)).toBe(true);
  await expect.poll(() => readFile(path, 'utf8')).toContain('the coordinator is up');
  const { token, workerToken } = JSON.parse(await readFile(join(home.data, 'connection.json'), 'utf8')) as Record<string, string>;
  const text = await readFile(path, 'utf8');
  expect(text).toContain('"electron"');
  expect(text).not.toContain(token);
  expect(text).not.toContain(workerToken);
});
