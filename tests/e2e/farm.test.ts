import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFarm } from './support/farm.ts';
import { expect, SMALL, test } from './support/test.ts';
import { createZip } from './support/zip.ts';

test('a node is found on the map and in the table, paused, and takes work again', async ({ page, farm }) => {
  await page.goto(farm.link);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await page.keyboard.press('g');
  await page.keyboard.press('f');
  await expect(page.getByRole('heading', { name: 'Farm' })).toBeVisible();
  await page.getByRole('link', { name: /render-01/ }).click();
  await expect(page.getByRole('heading', { name: 'render-01' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Over time' })).toContainText('CPU');
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText('Paused by an administrator')).toBeVisible();
  const job = await farm.submit({ name: 'held-up', command: 'true', ...SMALL });
  expect((await farm.client.call('getJob', { params: { job } })).state).toBe('QUEUED');
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(page.getByRole('button', { name: 'Drain' })).toBeVisible();
  await expect(async () => expect((await farm.client.call('getJob', { params: { job } })).state).toBe('COMPLETED')).toPass();
  await page.getByRole('link', { name: 'Farm' }).first().click();
  await page.getByRole('button', { name: 'Table' }).click();
  await expect(page.getByRole('row', { name: /render-01/ })).toContainText('Idle');
});

test('a machine tells what ran there, what it keeps, and why nothing more runs; licences are seen where they are held', async ({
  page,
  farm,
}) => {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-node-'));
  const zip = join(folder, 'scene.zip');
  await writeFile(zip, createZip({ 'scene.txt': 'a scene\n' }));
  const { blob } = await farm.client.uploadBlob(zip);
  const done = await farm.submit({
    name: 'with input',
    command: 'cat scene.txt; exit $(({index} / 14))',
    input: blob,
    tasks: { kind: 'count', count: 15 },
    maxRetries: 0,
    ...SMALL,
  });
  await expect(async () => expect((await farm.client.call('getJob', { params: { job: done } })).state).toBe('FAILED')).toPass();
  const holder = await farm.submit({
    name: 'holds a licence',
    command: `until [ -e ${folder}/enough ]; do sleep 0.1; done`,
    requirements: { ...SMALL.requirements, limits: { nuke: 2 } },
  });
  const wanting = await farm.submit({ name: 'wants one', command: 'true', requirements: { ...SMALL.requirements, limits: { nuke: 1 } } });
  await page.goto(farm.link);
  await expect(page.getByRole('list', { name: 'Limits of the farm' })).toContainText('nuke2 of 2 in use, and wanted');
  await page.goto(`${farm.url}/#/farm`);
  await page.getByRole('button', { name: 'Table' }).click();
  await page.getByRole('link', { name: 'render-01' }).click();
  await expect(page.getByRole('region', { name: 'Why nothing more runs here' })).toContainText('nuke');
  const history = page.getByRole('region', { name: 'Ran here' });
  await expect(history.getByRole('row')).toHaveCount(13);
  await expect(history.getByRole('status')).toContainText(/^1–12 of \d+/);
  await history.getByRole('button', { name: 'Older' }).click();
  await expect(history.getByRole('link', { name: `${done}.0`, exact: true })).toBeVisible();
  const cache = page.getByRole('region', { name: 'What it keeps' });
  await expect(cache.getByRole('link', { name: 'with input' })).toBeVisible();
  await cache.getByRole('button', { name: 'Clear' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Clear' }).click();
  await expect(cache.getByRole('link', { name: 'with input' })).toHaveCount(0);
  await writeFile(join(folder, 'enough'), '');
  await expect(async () => expect((await farm.client.call('getJob', { params: { job: wanting } })).state).toBe('COMPLETED')).toPass();
  expect((await farm.client.call('getJob', { params: { job: holder } })).state).toBe('COMPLETED');
  await page.goto(`${farm.url}/#/jobs/${done}.14`);
  const why = page.getByRole('region', { name: 'Why task 14 is as it is' });
  await expect(why).toContainText('exit code 1');
  await expect(why.getByRole('region', { name: 'The end of its log' })).toContainText('a scene');
  await rm(folder, { recursive: true });
});

test('another machine that joins appears by itself', async ({ page, farm }) => {
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/farm`);
  await page.getByRole('button', { name: 'Map' }).click();
  await farm.addWorker({ name: 'render-02', zone: 'rack B' });
  await expect(page.getByRole('link', { name: /render-02/ })).toBeVisible();
  await expect(page.getByText('rack B')).toBeVisible();
});

test('a coordinator that goes away is told, and the screen goes on when it is back', async ({ page }) => {
  const farm = await startFarm({ farmName: 'fragile', workers: [{ name: 'render-01' }] });
  try {
    const job = await farm.submit({ name: 'before', command: 'true', ...SMALL });
    await page.goto(farm.link);
    await expect(page.locator(`[data-job="${job}"]`)).toContainText('Completed');
    await farm.restartCoordinator(async () => {
      await expect(page.getByText('Reconnecting…')).toBeVisible();
      await expect(page.getByRole('alert')).toContainText('as it was');
      await expect(page.locator(`[data-job="${job}"]`)).toContainText('Completed');
    });
    await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 20_000 });
    const after = await farm.submit({ name: 'after', command: 'true', ...SMALL });
    await expect(page.locator(`[data-job="${after}"]`)).toContainText('Completed');
  } finally {
    await farm.stop();
  }
});

test('commands are found by name, and shortcuts are listed', async ({ page, farm }) => {
  await page.goto(farm.link);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('light');
  await expect(page.getByRole('option', { name: /Light theme/ })).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Enter');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toContainText('Keyboard shortcuts');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});
