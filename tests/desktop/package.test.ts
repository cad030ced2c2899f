import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { createZip } from '../e2e/support/zip.ts';
import { IMAGES } from '../integration/support/images.ts';
import { drop } from './support/drop.ts';
import { startFeed } from './support/feed.ts';
import { createHome, type Home, type HomeWish } from './support/home.ts';
import { type PackagedApp, packApp, type RunningPackage, SEEN } from './support/package.ts';
import { answerQuit } from './support/question.ts';
import { expect, test } from './support/test.ts';

/** The unpacked package: what a person has after installing. Its inspector is off, so it is driven as by a person: its windows, the tray, keys. */

test.skip(process.platform !== 'linux', 'it packs for Linux');

const SMALL = { image: null, requirements: { cpu: 0.1, ramMb: 32 } } as const;
let app: PackagedApp;
let homes: Home[] = [];
let running: RunningPackage[] = [];
test.beforeAll(async () => {
  test.setTimeout(120_000);
  app = await packApp();
});
test.afterAll(async () => {
  await app?.remove();
});
// biome-ignore lint/correctness/noEmptyPattern: the runner reads the names of fixtures from this pattern
test.afterEach(async ({}, info) => {
  for (const one of running) await one.end('SIGKILL');
  for (const home of homes) {
    if (info.status !== info.expectedStatus) await info.attach('log', { body: home.log(), contentType: 'text/plain' });
    await home.remove();
  }
  homes = [];
  running = [];
});

async function install(wish: HomeWish = {}): Promise<Home> {
  const home = await createHome(wish);
  homes.push(home);
  return home;
}

function start(...[home, args, environment]: Parameters<PackagedApp['start']>): RunningPackage {
  const one = app.start(home, args, environment);
  running.push(one);
  return one;
}

/** As `start`, and waits until its farm is there. */
async function startUp(...given: Parameters<PackagedApp['start']>): Promise<RunningPackage> {
  const [home] = given;
  const lives = () => home.log().split('"the app is up"').length - 1;
  const before = lives();
  const one = start(...given);
  await expect.poll(lives).toBeGreaterThan(before);
  return one;
}

/** Runs until the file `go` is beside the data folder. */
const waiting = (home: Home) => ({ name: 'waits', command: `until [ -e '${join(home.folder, 'go')}' ]; do sleep 0.05; done`, ...SMALL });
const goOn = (home: Home) => writeFile(join(home.folder, 'go'), '');
const stateOf = async (home: Home, job: number) => (await (await home.client()).call('getJob', { params: { job } })).state;

test('its fuses are set: no Node from outside, no inspector, only its own archive', async () => {
  const fuses = await getCurrentFuseWire(app.executable);
  const stateOf = (option: FuseV1Options) => FuseState[fuses[option] as FuseState];
  expect(stateOf(FuseV1Options.RunAsNode)).toBe('DISABLE');
  expect(stateOf(FuseV1Options.EnableNodeOptionsEnvironmentVariable)).toBe('DISABLE');
  expect(stateOf(FuseV1Options.EnableNodeCliInspectArguments)).toBe('DISABLE');
  expect(stateOf(FuseV1Options.EnableEmbeddedAsarIntegrityValidation)).toBe('ENABLE');
  expect(stateOf(FuseV1Options.OnlyLoadAppFromAsar)).toBe('ENABLE');
  expect(stateOf(FuseV1Options.EnableCookieEncryption)).toBe('ENABLE');
  expect(stateOf(FuseV1Options.GrantFileProtocolExtraPrivileges)).toBe('DISABLE');
});

test('it brings the terms of all that it is made of', () => {
  for (const file of ['resources/THIRD-PARTY-NOTICES.txt', 'resources/LICENSE.txt', 'LICENSES.chromium.html'])
    expect(existsSync(join(app.folder, file)), file).toBe(true);
});

test('a first run makes a farm and renders the sample; a second install joins by a link and takes tasks', async () => {
  test.setTimeout(240_000);
  const first = await install({ hasFarm: false });
  const window = await start(first).firstWindow();
  await window.getByLabel('Name of the new farm').fill('Render lab');
  await window.getByRole('button', { name: 'Start a farm' }).click();
  await expect(window.getByText('12 of 12 tasks ended')).toBeVisible({ timeout: 180_000 });
  const admin = await first.client();
  const { link } = await admin.call('createInvite', { body: { role: 'worker', approve: true } });
  const second = await install({ hasFarm: false, settings: { worker: { name: 'second', labels: { only: 'second' } } } });
  // As the system opens a link.
  const other = await start(second, [SEEN, link]).firstWindow();
  await expect(other.getByLabel('Invite')).toHaveValue(link);
  await other.getByRole('button', { name: 'Join', exact: true }).click();
  await expect(other.getByRole('heading', { name: 'This machine works for Render lab' })).toBeVisible();
  const spec = { command: 'true', image: null, requirements: { cpu: 0.1, ramMb: 32, labels: ['only=second'] } };
  const { id } = await admin.call('submitJob', { body: spec });
  await expect.poll(() => stateOf(first, id)).toBe('COMPLETED');
});

test('a dropped zip finishes in it, in Docker, with a thumbnail', async () => {
  const home = await install();
  const window = await start(home).firstWindow();
  await expect(window.getByRole('link', { name: 'Jobs' }).first()).toBeVisible();
  const picture = await readFile(join(import.meta.dirname, '../../resources/icons/png/32x32.png'));
  const job = {
    name: 'packaged',
    command: 'cp in.png out.png',
    image: IMAGES.busybox,
    outputs: ['out.png'],
    requirements: { cpu: 0.1, ramMb: 32 },
  };
  await drop(window, home, 'shot.zip', createZip({ 'lanyard.json': JSON.stringify(job), 'in.png': picture }));
  await window.getByRole('button', { name: 'Submit 1 task' }).click();
  await expect(window.getByText('1 of 1 task ended')).toBeVisible();
  const client = await home.client();
  const [newest] = (await client.call('listJobs')).jobs;
  const small = await client.thumbnail({ task: `${newest?.id}.0`, path: 'out.png' }, 'small');
  const bytes = Buffer.concat(await small.toArray());
  expect(bytes.subarray(8, 12).toString()).toBe('WEBP');
});

test('its window closes into the tray and the task goes on; a second start opens it again, with the zip that it was given', async () => {
  const home = await install();
  const one = await startUp(home);
  const window = await one.firstWindow();
  const { id } = await (await home.client()).call('submitJob', { body: waiting(home) });
  await expect.poll(() => stateOf(home, id)).toBe('RUNNING');
  const closed = window.waitForEvent('close');
  await window.evaluate(() => globalThis.close());
  await closed;
  await goOn(home);
  await expect.poll(() => stateOf(home, id)).toBe('COMPLETED');
  const opened = (await one.windows()).waitForEvent('page');
  const zip = join(home.folder, 'my shot.zip');
  await writeFile(zip, createZip({ 'lanyard.json': JSON.stringify({ name: 'by the system', command: 'true', ...SMALL }) }));
  const second = start(home, [zip]);
  expect(await second.ended).toEqual([0, null]);
  await expect((await opened).getByLabel('Name')).toHaveValue('by the system');
});

test('its owner pauses the machine from the tray, and lets it work again', async () => {
  const home = await install();
  await startUp(home, ['--hidden']);
  const { session } = home;
  const client = await home.client();
  const availability = async () => (await client.call('listNodes')).nodes[0]?.availability;
  await expect.poll(() => session.trayLabels()).toContain('Ready for work');
  await session.chooseInTray('For 1 Hour');
  const paused = [expect.stringMatching(/^Paused by you until /), 'Open Lanyard', 'Submit a Job…', 'Take Work Again', 'Quit Lanyard'];
  await expect.poll(() => session.trayLabels()).toEqual(paused);
  await expect.poll(availability).toBe('owner-paused');
  const { id } = await client.call('submitJob', { body: { name: 'later', command: 'true', ...SMALL } });
  expect(await stateOf(home, id)).toBe('QUEUED');
  await session.chooseInTray('Take Work Again');
  await expect.poll(() => stateOf(home, id)).toBe('COMPLETED');
  await expect.poll(() => session.trayLabels()).toContain('Pause This Machine');
});

test('told to quit while a task runs, it asks: it goes on, or takes no more and ends after the task', async () => {
  const home = await install();
  const one = await startUp(home, ['--hidden']);
  const { session } = home;
  const { id } = await (await home.client()).call('submitJob', { body: waiting(home) });
  await expect.poll(() => session.trayLabels()).toContain('1 task runs here');
  await session.chooseInTray('Quit Lanyard');
  await answerQuit('Keep Running');
  await session.chooseInTray('Quit Lanyard');
  await answerQuit('Finish Them First');
  await expect.poll(() => session.trayLabels()).toContain('Takes no new work; 1 task runs here');
  const { id: later } = await (await home.client()).call('submitJob', { body: { name: 'later', command: 'true', ...SMALL } });
  expect(await stateOf(home, later)).toBe('QUEUED');
  await goOn(home);
  expect(await one.ended).toEqual([0, null]);
  await startUp(home, ['--hidden']);
  expect(await stateOf(home, id)).toBe('COMPLETED');
  await expect.poll(() => stateOf(home, later)).toBe('COMPLETED');
});

test('a click on its picture in the tray opens the window, and one on the notice of an end opens the job', async () => {
  const home = await install();
  const one = await startUp(home, ['--hidden', SEEN]);
  const { session } = home;
  const windows = await one.windows();
  const { id } = await (await home.client()).call('submitJob', { body: { ...waiting(home), name: 'told' } });
  await expect.poll(() => session.trayLabels()).toContain('1 task runs here');
  await goOn(home);
  await expect.poll(() => session.notices).toEqual(['“told” is complete: 1 task.']);
  const opened = windows.waitForEvent('page');
  await session.clickTray();
  const window = await opened;
  await expect(window.getByRole('heading', { name: 'Jobs', exact: true })).toBeVisible();
  session.clickNotice(0);
  await expect(window.getByRole('heading', { name: 'told' })).toBeVisible();
  expect(await stateOf(home, id)).toBe('COMPLETED');
});

test('a farm that is found on the network is joined by six digits: a notice brings the administrator to them', async () => {
  // Nothing leaves this machine, and no farm of the real network is found; one of a run beside this one may be.
  const found = { discovery: true, interfaces: ['lo'] };
  const office = `office-${process.pid}`;
  const first = await install({ settings: { coordinator: found, worker: { name: office } } });
  const one = await startUp(first, ['--hidden', SEEN]);
  const windows = await one.windows();
  const second = await install({ hasFarm: false, settings: { worker: { ...found, name: 'laptop', labels: { only: 'laptop' } } } });
  const window = await start(second).firstWindow();
  await window.getByRole('button', { name: 'Look for farms on this network' }).click();
  await window.getByRole('button', { name: `farm, coordinated by ${office}` }).click();
  const shown = window.getByLabel('Six digits', { exact: true });
  await expect(shown).toHaveText(/^\d{3} \d{3}$/);
  const { session } = first;
  await expect.poll(() => session.notices).toEqual([expect.stringContaining('“laptop” asks to join the farm')]);
  const opened = windows.waitForEvent('page');
  session.clickNotice(0);
  const admin = await opened;
  await expect(admin.getByLabel('Six digits', { exact: true })).toHaveText((await shown.textContent()) ?? '');
  await window.getByRole('button', { name: 'They are the same' }).click();
  await admin.getByRole('button', { name: 'Let in' }).click();
  await expect(window.getByRole('heading', { name: 'This machine works for farm' })).toBeVisible();
  await expect.poll(() => second.session.trayLabels()).toContain('Ready for work');
  const spec = { command: 'true', image: null, requirements: { cpu: 0.1, ramMb: 32, labels: ['only=laptop'] } };
  const { id } = await (await first.client()).call('submitJob', { body: spec });
  await expect.poll(() => stateOf(first, id)).toBe('COMPLETED');
});

test('at log-out it hands its task back, and after a crash it finds its farm again: the task runs in the next life', async () => {
  test.setTimeout(240_000);
  const home = await install();
  const first = await startUp(home, ['--hidden']);
  const { id } = await (await home.client()).call('submitJob', { body: waiting(home) });
  const runs = () => expect.poll(() => stateOf(home, id), { timeout: 45_000 }).toBe('RUNNING');
  await runs();
  expect(await first.end('SIGTERM')).toEqual([0, null]);
  const second = await startUp(home, ['--hidden']);
  await runs();
  expect(await second.end('SIGKILL')).toEqual([null, 'SIGKILL']);
  await startUp(home, ['--hidden']);
  await goOn(home);
  await expect.poll(() => stateOf(home, id), { timeout: 45_000 }).toBe('COMPLETED');
});

test('what it plants for the login starts it, without a window', async () => {
  const home = await install();
  const one = start(home);
  const window = await one.firstWindow();
  await window.getByRole('link', { name: 'Settings' }).click();
  await window.getByRole('checkbox', { name: 'Start when I log in' }).click();
  const entry = join(home.folder, 'config/autostart/lanyard.desktop');
  await expect.poll(() => existsSync(entry)).toBe(true);
  expect(await readFile(entry, 'utf8')).toContain(`Exec="${app.executable}" "--hidden"\n`);
  await one.end();
  const hidden = await startUp(home, ['--hidden', SEEN]);
  expect((await hidden.windows()).pages()).toEqual([]);
});

for (const { what, isOwn, expected } of [
  { what: 'a newer version is found', isOwn: true, expected: 'a newer version is there' },
  { what: 'one that another key signed is refused', isOwn: false, expected: 'The update is not signed by the key that this app trusts' },
])
  test(`it looks for updates where its settings say: ${what}`, async () => {
    const feed = await startFeed('99.0.0', { isOwn });
    try {
      const home = await install({ settings: { desktop: { updates: 'ask', updateUrl: feed.url, updateKey: feed.updateKey } } });
      start(home, ['--hidden']);
      await expect.poll(() => feed.asked, { timeout: 30_000 }).toEqual(['/feed/latest-linux.yml', '/feed/latest-linux.yml.sig']);
      await expect.poll(() => home.log()).toContain(expected);
    } finally {
      feed.close();
    }
  });

/** As the start of an AppImage does it. What the tool for that format would lay around the program is not there: the file is a script. */
async function startAppImage(updates: { readonly installer: Buffer; readonly named?: Buffer }) {
  const feed = await startFeed('99.0.0', updates);
  const home = await install({ settings: { desktop: { updates: 'automatic', updateUrl: feed.url, updateKey: feed.updateKey } } });
  const appImage = join(home.folder, 'Lanyard.AppImage');
  await writeFile(appImage, 'the old one');
  return { feed, home, appImage, one: start(home, ['--hidden'], { APPIMAGE: appImage }) };
}

test('an update is fetched from a feed that is signed, is told to be ready, and takes the place of the app when that ends', async () => {
  const installer = Buffer.from('#!/bin/sh\necho "installed: $APPIMAGE_EXIT_AFTER_INSTALL" > "$APPIMAGE.log"\n');
  const { feed, home, appImage, one } = await startAppImage({ installer });
  try {
    const ready = ['Lanyard 99.0.0 is ready: It comes with the next start of the app.'];
    await expect.poll(() => home.session.notices, { timeout: 45_000 }).toEqual(ready);
    // Nothing that is not signed is read besides, and what is fetched is held to its hash.
    expect(feed.asked).toEqual(['/feed/latest-linux.yml', '/feed/latest-linux.yml.sig', '/feed/Lanyard.AppImage']);
    expect(await readFile(appImage, 'utf8')).toBe('the old one');
    await home.session.chooseInTray('Quit Lanyard');
    expect(await one.ended).toEqual([0, null]);
    expect(await readFile(appImage)).toEqual(installer);
    expect(await readFile(`${appImage}.log`, 'utf8')).toBe('installed: true\n');
  } finally {
    feed.close();
  }
});

test('an update that is not what the signed feed names is thrown away', async () => {
  const { feed, home, appImage, one } = await startAppImage({ installer: Buffer.from('another'), named: Buffer.from('as named') });
  try {
    await expect.poll(() => home.log(), { timeout: 45_000 }).toMatch(/the look for updates failed.*sha512 checksum mismatch/);
    expect(await one.end()).toEqual([0, null]);
    expect(home.session.notices).toEqual([]);
    expect(await readFile(appImage, 'utf8')).toBe('the old one');
  } finally {
    feed.close();
  }
});

test('it is no Node for others, and opens no inspector', async () => {
  const home = await install();
  const asNode = await startUp(home, ['-e', 'console.log("node " + process.version)', '--hidden'], { ELECTRON_RUN_AS_NODE: '1' });
  expect(asNode.output()).not.toContain('node v');
  await asNode.end();
  const inspected = await startUp(home, ['--inspect=0', '--hidden']);
  expect(inspected.output()).not.toContain('Debugger listening');
});
