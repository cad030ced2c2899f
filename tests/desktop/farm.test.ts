import { parseInvite } from '../../electron/trust/invite-text.ts';
import { expectAccessible } from './support/accessible.ts';
import { createHome, type Home } from './support/home.ts';
import { expect, test, watchConsole } from './support/test.ts';

let homes: Home[];
test.beforeEach(() => {
  homes = [];
});
// biome-ignore lint/correctness/noEmptyPattern: the runner reads the names of fixtures from this pattern
test.afterEach(async ({}, info) => {
  for (const home of homes) {
    if (info.status !== info.expectedStatus) await info.attach('log', { body: home.log(), contentType: 'text/plain' });
    await home.remove();
  }
});

async function install(wish: Parameters<typeof createHome>[0]): Promise<Home> {
  const home = await createHome(wish);
  homes.push(home);
  return home;
}

test('a first run listens nowhere, makes a farm, and renders the sample', async () => {
  test.setTimeout(240_000);
  const home = await install({ hasFarm: false });
  const window = await (await home.start()).firstWindow();
  const problems = await watchConsole(window);
  await expect(window.getByRole('heading', { name: 'Welcome to Lanyard' })).toBeVisible();
  expect(home.log()).not.toContain('the coordinator is up');
  await expect.poll(() => home.session.trayLabels()).toContain('Belongs to no farm yet');
  // There is no keyring under this display, and the app says so.
  await expect(window.getByText('lies in a file that only you may read')).toBeVisible();
  await expectAccessible(window);
  await window.getByLabel('Name of the new farm').fill('Render lab');
  await window.getByRole('button', { name: 'Start a farm' }).click();
  await expect(window.getByRole('heading', { name: 'path tracer' })).toBeVisible();
  await expect(window.getByText('12 of 12 tasks ended')).toBeVisible({ timeout: 180_000 });
  await expect(window.getByRole('navigation')).toContainText('Render lab');
  expect(problems).toEqual([]);
});

test('a second install joins by an invite, is let in, works from the tray, and is known after a restart', async () => {
  const first = await install({});
  await first.start(['--hidden']);
  const admin = await first.client();
  const second = await install({ hasFarm: false, settings: { worker: { name: 'second', labels: { only: 'second' } } } });
  let app = await second.start();
  let window = await app.firstWindow();
  await expect(window.getByRole('heading', { name: 'Welcome to Lanyard' })).toBeVisible();
  await window.getByLabel('Invite').fill('NOT-AN-INVITE');
  await window.getByRole('button', { name: 'Join' }).click();
  await expect(window.getByRole('alert')).toBeVisible();
  // The link of an invite is opened by the system: a second start hands it over.
  const { link } = await admin.call('createInvite', { body: { role: 'worker', approve: false } });
  expect(await second.startSecond([link])).toBe(0);
  await expect(window.getByLabel('Invite')).toHaveValue(link);
  await window.getByRole('button', { name: 'Join' }).click();
  await expect(window.getByText('An administrator now has to let this machine in.')).toBeVisible();
  const { admissions } = await admin.call('listAdmissions');
  expect(admissions).toMatchObject([{ name: 'second' }]);
  await admin.call('approveAdmission', { params: { admission: admissions[0]?.id ?? '' }, body: {} });
  await expect(window.getByRole('heading', { name: 'This machine works for farm' })).toBeVisible();
  await expect.poll(() => second.session.trayLabels()).toContain('Ready for work');
  const spec = { name: 'for the second', command: 'true', image: null, requirements: { cpu: 0.1, ramMb: 32, labels: ['only=second'] } };
  const run = async () => {
    const { id } = await admin.call('submitJob', { body: spec });
    await expect.poll(async () => (await admin.call('getJob', { params: { job: id } })).state).toBe('COMPLETED');
  };
  await run();
  await app.close();
  app = await second.start();
  window = await app.firstWindow();
  await expect(window.getByRole('heading', { name: 'This machine works for farm' })).toBeVisible();
  await run();
});

test('two people compare six digits on both screens: the same ones let the second install in, and it takes tasks', async () => {
  const first = await install({});
  const office = await (await first.start()).firstWindow();
  await office.getByRole('link', { name: 'Settings' }).click();
  const admin = await first.client();
  const [address = ''] = parseInvite((await admin.call('createInvite', { body: {} })).text).addresses;
  const second = await install({ hasFarm: false, settings: { worker: { name: 'laptop', labels: { only: 'laptop' } } } });
  const window = await (await second.start()).firstWindow();
  const ask = async () => {
    await window.getByLabel('Address of the coordinator').fill(address);
    await window.getByRole('button', { name: 'Ask to be let in' }).click();
    const digits = await window.getByLabel('Six digits', { exact: true }).textContent();
    expect(digits).toMatch(/^\d{3} \d{3}$/);
    await expect(office.getByLabel('Six digits', { exact: true })).toHaveText(digits ?? '');
  };
  await ask();
  await window.getByRole('button', { name: 'They differ' }).click();
  await expect(window.getByRole('alert')).toContainText('The pairing failed');
  await office.getByRole('button', { name: 'Turn away' }).click();
  await expect(office.getByLabel('Six digits', { exact: true })).toHaveCount(0);
  await ask();
  await window.getByRole('button', { name: 'They are the same' }).click();
  await expect(window.getByText('An administrator now has to let this machine in.')).toBeVisible();
  await office.getByRole('button', { name: 'Let in' }).click();
  await expect(window.getByRole('heading', { name: 'This machine works for farm' })).toBeVisible();
  await expect.poll(() => second.session.trayLabels()).toContain('Ready for work');
  const spec = { command: 'true', image: null, requirements: { cpu: 0.1, ramMb: 32, labels: ['only=laptop'] } };
  const { id } = await admin.call('submitJob', { body: spec });
  await expect.poll(async () => (await admin.call('getJob', { params: { job: id } })).state).toBe('COMPLETED');
});

test('where no farm announces itself, the first window says so', async () => {
  const home = await install({ hasFarm: false });
  const window = await (await home.start()).firstWindow();
  await window.getByRole('button', { name: 'Look for farms on this network' }).click();
  // Another machine of this network may have one.
  await expect(
    window
      .getByText('No farm announces itself here.')
      .or(window.getByText(/coordinated by/))
      .first(),
  ).toBeVisible();
  await window.getByLabel('Address of the coordinator').fill('127.0.0.1:9');
  await window.getByRole('button', { name: 'Ask to be let in' }).click();
  await expect(window.getByRole('alert')).toBeVisible();
});

test('a second install that may submit sees the queue of the coordinator through its own key', async () => {
  const first = await install({});
  await first.start(['--hidden']);
  const admin = await first.client();
  const second = await install({ hasFarm: false, settings: { worker: { name: 'desk' } } });
  const app = await second.start();
  const window = await app.firstWindow();
  const { text } = await admin.call('createInvite', { body: { role: 'submitter', approve: true } });
  await window.getByLabel('Invite').fill(text);
  await window.getByRole('button', { name: 'Join' }).click();
  await expect(window.getByRole('link', { name: 'Submit a job' }).first()).toBeVisible();
  await admin.call('submitJob', {
    body: { name: 'seen from the desk', command: 'true', image: null, requirements: { cpu: 0.1, ramMb: 32 } },
  });
  await expect(window.getByText('seen from the desk')).toBeVisible();
  await expect(window.getByText('Completed').first()).toBeVisible();
});
