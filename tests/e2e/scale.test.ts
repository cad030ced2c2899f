import { expect, SMALL, test } from './support/test.ts';

test('a log of a million lines opens whole, is searched, and is reached at any line', async ({ page, farm }) => {
  test.setTimeout(120_000);
  const job = await farm.submit({ name: 'long log', command: 'seq -f "line %.0f" 1000000', ...SMALL });
  await expect(async () => expect((await farm.client.call('getJob', { params: { job } })).state).toBe('COMPLETED')).toPass();
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/logs/${job}.0.1`);
  await expect(page.getByText(/^1,000,00\d lines · the log is complete$/)).toBeVisible({ timeout: 60_000 });
  const log = page.getByRole('log', { name: 'Log' });
  await expect(log).toContainText('line 1000000');
  await page.getByLabel('Search in the log').fill('line 543210');
  await expect(log.locator('[data-match="true"]')).toHaveText(/line 543210$/);
  await log.focus();
  await page.keyboard.press('Home');
  await expect(log.locator('[data-line="0"]')).toHaveText(/line 1$/);
  expect(await log.locator('[data-line]').count()).toBeLessThan(150);
});

test('jobs that ended long ago are found when somebody asks for them', async ({ page, farm }) => {
  test.setTimeout(120_000);
  const oldest = await farm.submit({ name: 'from long ago', command: 'true', ...SMALL });
  await expect(async () => expect((await farm.client.call('getJob', { params: { job: oldest } })).state).toBe('COMPLETED')).toPass();
  for (let made = 0; made < 1_100; made += 50)
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const job = await farm.submit({ name: 'later', command: 'true', requirements: { ...SMALL.requirements, labels: ['nowhere'] } });
        await farm.client.call('cancelJob', { params: { job } });
      }),
    );
  await page.goto(farm.link);
  await expect(page.locator('[data-job]').first()).toBeVisible();
  await page.getByLabel('Search jobs by name, owner or number').fill('long ago');
  await expect(page.locator('[data-job]')).toHaveCount(0);
  await page.getByRole('button', { name: 'Search older jobs by name' }).click();
  await page.locator(`[data-job="${oldest}"]`).click();
  await expect(page.getByRole('heading', { name: 'from long ago' })).toBeVisible();
});

test('a job of a hundred thousand tasks is a heat map of which only what is in sight exists', async ({ page, farm }) => {
  const job = await farm.submit({
    name: 'wide',
    command: 'true',
    tasks: { kind: 'count', count: 100_000 },
    requirements: { ...SMALL.requirements, labels: ['nowhere'] },
  });
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/jobs/${job}`);
  await expect(page.getByRole('gridcell', { name: 'Task 0: queued' })).toBeVisible();
  await page.getByRole('gridcell', { name: 'Task 0: queued' }).focus();
  await page.keyboard.press('End');
  await expect(page.getByRole('gridcell', { name: 'Task 99999: queued' })).toBeFocused();
  expect(await page.getByRole('gridcell').count()).toBeLessThan(5_000);
  await farm.client.call('cancelJob', { params: { job } });
});
