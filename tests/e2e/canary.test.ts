import type { JobSpecInput } from '../../shared/job.ts';
import { axeFindings } from './support/axe.ts';
import { expect, SMALL, test } from './support/test.ts';

/** One red pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const PICTURES: JobSpecInput = {
  command: `echo ${PNG} | base64 -d > shot-{index}.png`,
  tasks: { kind: 'count', count: 7 },
  outputs: ['*.png'],
  canary: { approval: 'by-hand' },
  ...SMALL,
};

test('a canary waits with its pictures and a proposal; changed and approved, the rest runs with it', async ({ page, farm }) => {
  const job = await farm.submit({ name: 'sent ahead', ...PICTURES });
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/jobs/${job}`);
  const panel = page.getByRole('region', { name: 'Canary' });
  await expect(panel.getByRole('status')).toContainText('The others wait until somebody approves');
  await expect(panel.getByRole('row', { name: /Memory/ })).toContainText('32 MiB');
  await expect(panel.getByRole('list', { name: 'What came out of the first tasks' }).locator('img')).toHaveCount(3);
  await expect(panel.getByRole('link', { name: 'Task 3: shot-3.png' })).toBeVisible();
  await expect(page.getByText('3 of 7 tasks ended')).toBeVisible();
  await expect(page.getByText('To approve')).toBeVisible();
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await axeFindings(page), colorScheme).toEqual([]);
  }
  await panel.getByRole('button', { name: 'Change' }).click();
  await panel.getByLabel('Memory, MiB').fill('nothing');
  await expect(panel.getByRole('button', { name: 'Approve with these' })).toBeDisabled();
  await panel.getByLabel('Memory, MiB').fill('48');
  await panel.getByRole('button', { name: 'Approve with these' }).click();
  await expect(page.getByText('the rest of job')).toBeVisible();
  await expect(page.getByText('7 of 7 tasks ended')).toBeVisible();
  await expect(panel.getByRole('status')).toContainText('let the rest go on');
  await expect(panel.getByRole('row', { name: /Memory/ })).toContainText('48 MiB');
  await expect(page.getByRole('region', { name: 'What was asked' })).toContainText('48 MiB');
});

test('a canary is asked for in the form, and rejected on the page of the job', async ({ page, farm }) => {
  await page.goto(farm.link);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await page.goto(`${farm.url}/#/submit`);
  await page.getByLabel('Name', { exact: true }).fill('rejected');
  await page.getByLabel('Command').fill('echo seen');
  await page.getByLabel('Runs in').selectOption('host');
  await page.getByText('A number', { exact: true }).click();
  await page.getByRole('textbox', { name: 'Tasks' }).fill('5');
  await page.getByLabel('First tasks').selectOption('by-hand');
  await page.getByLabel('CPU cores').fill('0.1');
  await page.getByLabel('Memory, MiB').fill('32');
  await page.getByRole('button', { name: 'Submit 5 tasks' }).click();
  const panel = page.getByRole('region', { name: 'Canary' });
  await panel.getByRole('button', { name: 'Reject' }).click();
  await page.getByRole('button', { name: 'Cancel the job' }).click();
  await expect(page.getByText('5 of 5 tasks ended')).toBeVisible();
  await expect(panel.getByRole('status')).toContainText('The job ended before the rest was let go.');
});

test('what an attempt has used stands beside it', async ({ page, farm }) => {
  const job = await farm.submit({ name: 'measured', command: 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done', ...SMALL });
  await expect.poll(async () => (await farm.client.call('getJob', { params: { job } })).state).toBe('COMPLETED');
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/jobs/${job}.0`);
  await expect(page.getByRole('region', { name: 'Task 0' })).toContainText('of CPU time');
  await page.getByRole('region', { name: 'Task 0' }).getByRole('link', { name: 'render-01' }).click();
  const history = page.getByRole('region', { name: 'Ran here' });
  await expect(history.getByRole('columnheader', { name: 'Peak memory' })).toBeVisible();
  await expect(
    history
      .getByRole('row')
      .filter({ hasText: `${job}.0` })
      .getByRole('cell')
      .nth(5),
  ).toHaveText(/^(under )?\d.* (ms|s)$/);
});
