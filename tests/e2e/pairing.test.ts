import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openIdentity } from '../../electron/trust/identity.ts';
import { parseInvite } from '../../electron/trust/invite-text.ts';
import { joinByDigits } from '../../electron/trust/joining.ts';
import { openRoster } from '../../electron/trust/roster.ts';
import { startLanyard } from './support/farm.ts';
import { expect, SMALL, test } from './support/test.ts';

test('a second machine is invited, looked at, let in, works, and is removed', async ({ page, farm }) => {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-joiner-'));
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/settings`);
  await page.getByRole('button', { name: 'Invite a device' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Make the invite' }).click();
  await expect(dialog.getByRole('img', { name: 'The invite as a QR code' })).toBeVisible();
  const command = (await dialog.locator('code').last().textContent()) ?? '';
  const invite = /'(.+)'$/.exec(command)?.[1] as string;
  await dialog.getByRole('button', { name: 'Close' }).click();
  await expect(page.getByRole('region', { name: 'Open invites' })).toContainText('a worker');

  const own = [
    '--only',
    'worker',
    '--no-discovery',
    '--data',
    folder,
    '--name',
    'newcomer',
    '--label',
    'new',
    '--allow-host',
    '--no-docker',
  ];
  const started = startLanyard(['up', '--join', invite, ...own]);
  await page.goto(`${farm.url}/#/jobs`);
  await expect(page.getByText('newcomer asks to join the farm.')).toBeVisible();
  await page.getByRole('link', { name: 'Look and decide' }).click();
  await page.getByRole('button', { name: 'Let in' }).click();
  const worker = await started;
  await expect(page.getByRole('region', { name: 'Devices' }).getByRole('row', { name: /newcomer/ })).toBeVisible();
  const job = await farm.submit({ name: 'for the newcomer', command: 'true', requirements: { ...SMALL.requirements, labels: ['new'] } });
  await expect(async () => expect((await farm.client.call('getJob', { params: { job } })).state).toBe('COMPLETED')).toPass();

  await page.getByRole('button', { name: 'Remove newcomer' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByRole('region', { name: 'Devices' }).getByRole('row', { name: /newcomer/ })).toHaveCount(0);
  await page.reload();
  await expect(page.getByRole('region', { name: 'Audit log' })).toContainText('device removed');
  const ended = worker.exitCode === null ? once(worker, 'exit') : null;
  worker.kill('SIGTERM');
  await ended;
  await rm(folder, { recursive: true });
});

test('six digits stand on both screens; the same ones let a device in', async ({ page, farm }) => {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-joiner-'));
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/settings`);
  await expect(page.getByText('Nobody. A device')).toBeVisible();
  const [address] = parseInvite((await farm.client.call('createInvite', { body: {} })).text).addresses as [string];
  const seen = Promise.withResolvers<string>();
  const joining = joinByDigits({
    identity: await openIdentity(folder),
    roster: await openRoster(join(folder, 'roster.json')),
    name: 'laptop of ines',
    signal: AbortSignal.timeout(60_000),
    waiting: () => {},
    address,
    compare: async (digits) => {
      seen.resolve(digits);
      return true;
    },
  });
  const digits = await seen.promise;
  await expect(page.getByLabel('Six digits')).toHaveText(`${digits.slice(0, 3)} ${digits.slice(3)}`);
  await page.getByLabel('What laptop of ines may').selectOption('submitter');
  await page.getByRole('button', { name: 'Let in' }).click();
  const { roster } = await joining;
  expect(roster.devices.find(({ name }) => name === 'laptop of ines')?.roles).toEqual(['submitter']);
  await rm(folder, { recursive: true });
});

test('a token is made, shown once, opens the farm with its role, and is revoked', async ({ page, farm, browser }) => {
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/settings`);
  const tokens = page.getByRole('region', { name: 'Tokens' });
  await tokens.getByRole('button', { name: 'Make a token' }).click();
  await expect(tokens.getByText('Say who or what it is for.')).toBeVisible();
  await tokens.getByLabel('A new token for').fill('nightly builds');
  await tokens.getByRole('button', { name: 'Make a token' }).click();
  const token = await tokens.locator('code').first().textContent();
  const context = await browser.newContext();
  const other = await context.newPage();
  await other.goto(`${farm.url}/#token=${token}`);
  await expect(other.getByText('Live', { exact: true })).toBeVisible();
  await expect(other.getByRole('link', { name: 'Submit a job' }).first()).toBeVisible();
  await other.goto(`${farm.url}/#/settings`);
  await expect(other.getByText('a submitter, who submits jobs')).toBeVisible();
  await expect(other.getByRole('region', { name: 'Tokens' })).toHaveCount(0);
  await tokens.getByRole('button', { name: 'Revoke nightly builds' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(tokens.getByRole('row', { name: /nightly builds/ })).toHaveCount(0);
  await other.reload();
  await expect(other.getByRole('heading', { name: 'Open this farm' })).toBeVisible();
  await context.close();
});
