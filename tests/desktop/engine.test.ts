import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ElectronApplication } from '@playwright/test';
import { ENGINE_SOCKET } from '../integration/support/engine.ts';
import { createHome, type Home } from './support/home.ts';
import { expect, test } from './support/test.ts';

/** What a person sees who has no container engine, or one that is not running. The engine of these tests hides behind a name of its own. */

test.skip(process.platform !== 'linux', 'its programs are those of Linux');

let folder: string;
let home: Home;
let app: ElectronApplication;

test.beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-engine-'));
});
// biome-ignore lint/correctness/noEmptyPattern: the runner reads the names of fixtures from this pattern
test.afterEach(async ({}, info) => {
  if (info.status !== info.expectedStatus) await info.attach('log', { body: home.log(), contentType: 'text/plain' });
  await home.remove();
  await rm(folder, { recursive: true });
});

/** A machine on which these programs are installed, and no other. */
async function openSettings(programs: Readonly<Record<string, string>>) {
  for (const [name, script] of Object.entries(programs)) await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  home = await createHome({ environment: { PATH: folder, DOCKER_HOST: `unix://${join(folder, 'engine.sock')}` } });
  app = await home.start();
  const window = await app.firstWindow();
  await window.getByRole('link', { name: 'What to do' }).click();
  return window.getByRole('region', { name: 'Containers on this machine' });
}

test('without an engine the app says so, with a command of this system and a page that the browser opens', async () => {
  const panel = await openSettings({ 'apt-get': 'exit 1' });
  await expect(panel.getByRole('status')).toContainText('Not installed. No container engine was found');
  await expect(panel.getByText('sudo apt-get install docker.io')).toBeVisible();
  await expect(panel.getByRole('button', { name: 'Start it' })).toHaveCount(0);
  await app.evaluate(({ shell }) => {
    shell.openExternal = async (url) => {
      (globalThis as { opened?: string }).opened = url;
    };
  });
  await panel.getByRole('button', { name: 'How to install Docker' }).click();
  await expect
    .poll(() => app.evaluate(() => (globalThis as { opened?: string }).opened))
    .toBe('https://docs.docker.com/get-started/get-docker/');
});

test('an engine that is installed and does not run is started from the window, and tasks run in it', async () => {
  const panel = await openSettings({
    dockerd: 'exit 1',
    systemctl: `[ "$*" = 'start docker' ] && /bin/ln -s ${ENGINE_SOCKET} ${folder}/engine.sock`,
  });
  await expect(panel.getByRole('status')).toContainText('Not running. The container engine is installed but not running.');
  await expect(panel.getByText('systemctl start docker', { exact: true })).toBeVisible();
  await panel.getByRole('button', { name: 'Start it' }).click();
  await expect(panel.getByRole('status')).toContainText(/^Ready\. \S+ \d+\.\d+.* \(API 1\.\d+\)$/);
  const client = await home.client();
  // The worker looks again by itself.
  await expect.poll(async () => (await client.call('listNodes')).nodes[0]?.description.executors, { timeout: 45_000 }).toContain('docker');
});

test('one that does not start says why', async () => {
  const panel = await openSettings({ dockerd: 'exit 1', systemctl: 'echo "Access denied" >&2; exit 1' });
  await panel.getByRole('button', { name: 'Start it' }).click();
  await expect(panel.getByRole('alert')).toContainText('The engine did not start: Access denied');
  await expect(panel.getByRole('button', { name: 'Start it' })).toBeEnabled();
});
