import { startFarm } from './support/farm.ts';
import { expect, SMALL, test } from './support/test.ts';

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
