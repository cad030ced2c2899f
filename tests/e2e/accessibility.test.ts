import { axeFindings } from './support/axe.ts';
import { expect, SMALL, test } from './support/test.ts';

for (const theme of ['dark', 'light'] as const)
  test(`no screen has an axe violation in the ${theme} theme`, async ({ page, farm }) => {
    test.setTimeout(120_000);
    const job = await farm.submit({
      name: 'looked at',
      command: 'printf "\\033[31mred\\033[0m \\033[33myellow\\033[0m\\n"; echo problem >&2; echo x > out-{index}.txt; [ {index} != 1 ]',
      tasks: { kind: 'count', count: 4 },
      outputs: ['*.txt'],
      maxRetries: 0,
      ...SMALL,
    });
    const waiting = await farm.submit({ name: 'waiting', command: 'true', requirements: { ...SMALL.requirements, gpus: 1 } });
    const last = await farm.submit({ name: 'last', command: 'true', after: [waiting as never], ...SMALL });
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await page.goto(farm.url);
    const check = async (screen: string) => expect(await axeFindings(page), screen).toEqual([]);
    await expect(page.getByRole('heading', { name: 'Open this farm' })).toBeVisible();
    await check('welcome');
    await page.goto(farm.link);
    const row = page.locator(`[data-job="${job}"]`);
    await expect(row).toContainText('Failed');
    await check('jobs');
    await row.getByRole('checkbox').check();
    await expect(page.getByText('1 chosen')).toBeVisible();
    await check('jobs chosen');
    await page.goto(`${farm.url}/#/jobs/${job}.1`);
    await expect(page.getByText('Attempt 1', { exact: true })).toBeVisible();
    await expect(page.getByRole('region', { name: 'Outputs' })).toContainText('out-0.txt');
    await check('job');
    await page.getByRole('button', { name: 'Remove' }).click();
    await expect(page.getByRole('alertdialog')).toBeVisible();
    await check('question');
    await page.keyboard.press('Escape');
    await page.goto(`${farm.url}/#/jobs/${last}`);
    await expect(page.getByRole('region', { name: 'Dependencies' }).getByRole('link', { name: /waiting|last/ })).toHaveCount(2);
    await check('dependencies');
    await page.goto(`${farm.url}/#/logs/${job}.1.1`);
    await expect(page.getByText('the log is complete')).toBeVisible();
    await check('log');
    await page.goto(`${farm.url}/#/farm`);
    await page.getByRole('button', { name: 'Map' }).click();
    await expect(page.getByRole('link', { name: /render-01/ })).toBeVisible();
    await check('map');
    await page.getByRole('button', { name: 'Table' }).click();
    await expect(page.getByRole('row', { name: /render-01/ })).toBeVisible();
    await check('table');
    await page.getByRole('link', { name: 'render-01' }).click();
    await expect(page.getByRole('region', { name: 'Over time' })).toContainText('CPU');
    await expect(page.getByRole('region', { name: 'Ran here' }).getByRole('row').nth(1)).toBeVisible();
    await expect(page.getByRole('region', { name: 'What it keeps' })).toContainText('Inputs');
    await check('node');
    await page.goto(`${farm.url}/#/submit`);
    await page.getByRole('button', { name: /^Submit/ }).click();
    await expect(page.getByText('Say what each task runs.')).toBeVisible();
    await check('submit');
    await page.goto(`${farm.url}/#/settings`);
    await expect(page.getByRole('heading', { name: 'Settings' })).toBeVisible();
    await expect(page.getByRole('region', { name: 'Audit log' })).toContainText('device joined');
    await expect(page.getByRole('region', { name: 'Fair share' })).toContainText('local administrator');
    await page.getByRole('button', { name: 'Look around' }).click();
    await expect(page.getByRole('region', { name: 'What is in the way' }).getByRole('listitem').first()).toBeVisible({ timeout: 30_000 });
    await check('settings');
    await page.getByRole('button', { name: 'Invite a device' }).click();
    await page.getByRole('button', { name: 'Make the invite' }).click();
    await expect(page.getByRole('img', { name: 'The invite as a QR code' })).toBeVisible();
    await check('invite');
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await page.keyboard.press('Control+k');
    await expect(page.getByRole('dialog')).toBeVisible();
    await check('palette');
  });
