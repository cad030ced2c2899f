import { join } from 'node:path';
import { openIdentity } from '../../electron/trust/identity.ts';
import { parseInvite } from '../../electron/trust/invite-text.ts';
import { joinByDigits } from '../../electron/trust/joining.ts';
import { openRoster } from '../../electron/trust/roster.ts';
import { expect, test } from './support/test.ts';

const SMALL = { image: null, requirements: { cpu: 0.1, ramMb: 32 } } as const;

test('a device that asks to join is told of; the notice opens the page where the digits stand', async ({ home }) => {
  const app = await home.start(['--hidden']);
  const client = await home.client();
  const [address] = parseInvite((await client.call('createInvite', { body: {} })).text).addresses as [string];
  const shown = Promise.withResolvers<string>();
  const folder = join(home.folder, 'laptop');
  const joining = joinByDigits({
    identity: await openIdentity(folder),
    roster: await openRoster(join(folder, 'roster.json')),
    name: 'laptop of ines',
    signal: AbortSignal.timeout(60_000),
    waiting: () => {},
    address,
    async compare(digits) {
      shown.resolve(digits);
      return true;
    },
  });
  const digits = await shown.promise;
  await expect
    .poll(() => home.session.notices)
    .toEqual(['“laptop of ines” asks to join the farm: Compare the six digits on both screens, and decide.']);
  const opened = app.waitForEvent('window');
  home.session.clickNotice(0);
  const window = await opened;
  await expect(window.getByLabel('Six digits')).toHaveText(`${digits.slice(0, 3)} ${digits.slice(3)}`);
  await window.getByRole('button', { name: 'Let in' }).click();
  expect((await joining).roster.devices.map(({ name }) => name)).toEqual(['this-machine', 'laptop of ines']);
  await expect(window.getByRole('region', { name: 'Devices' }).getByRole('row', { name: /laptop of ines/ })).toBeVisible();
});

test('the end of a job is told as the job wishes, and only to whoever submitted it', async ({ home }) => {
  await home.start(['--hidden']);
  const client = await home.client();
  const { token } = await client.call('createToken', { body: { name: 'somebody else', role: 'submitter' } });
  const { url } = JSON.parse(await home.read('connection.json')) as { url: string };
  const submit = async (name: string, command: string, notify: 'none' | 'failure' | 'end', by = client) => {
    const { id } = await by.call('submitJob', { body: { name, command, notify, maxRetries: 0, ...SMALL } });
    await expect.poll(async () => (await client.call('getJob', { params: { job: id } })).finishedAt).not.toBeNull();
  };
  await submit('somebody else’s', 'true', 'end', home.clientOf({ url, token }));
  await submit('a quiet failure', 'false', 'none');
  await submit('as it should be', 'true', 'failure');
  await submit('a loud failure', 'false', 'failure');
  // Told in the order of their ends: whatever should not be told would stand before the last one.
  await expect.poll(() => home.session.notices.join('\n')).toContain('“a loud failure” failed');
  expect(home.session.notices).toHaveLength(1);
});
