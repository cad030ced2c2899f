import { expectAccessible } from './support/accessible.ts';
import { createHome, type Home } from './support/home.ts';
import { expect, test, watchConsole } from './support/test.ts';

let home: Home | undefined;
// biome-ignore lint/correctness/noEmptyPattern: the runner reads the names of fixtures from this pattern
test.afterEach(async ({}, info) => {
  if (home !== undefined && info.status !== info.expectedStatus) await info.attach('log', { body: home.log(), contentType: 'text/plain' });
  await home?.remove();
  home = undefined;
});

const DAYS = ['su', 'mo', 'tu', 'we', 'th', 'fr', 'sa'];

test('the owner of a machine sees what ran there, sets the hours of the farm, and what is in the way', async () => {
  test.setTimeout(120_000);
  home = await createHome({});
  const app = await home.start();
  const window = await app.firstWindow();
  const problems = await watchConsole(window);
  const client = await home.client();
  const submit = async (name: string) =>
    (await client.call('submitJob', { body: { name, command: 'true', image: null, requirements: { cpu: 0.1, ramMb: 32 } } })).id;
  const stateOf = async (job: number) => (await client.call('getJob', { params: { job } })).state;
  const before = await submit('of another');
  await expect.poll(() => stateOf(before)).toBe('COMPLETED');
  await window.getByRole('link', { name: 'Settings' }).click();
  await expect(window.getByRole('region', { name: 'What ran on this machine' })).toContainText('of another');

  const rules = window.getByRole('region', { name: 'What the farm may do on this machine' });
  await rules.getByLabel('Hours', { exact: true }).fill('some day');
  await expect(rules.getByLabel('Hours', { exact: true })).toHaveAttribute('aria-invalid', 'true');
  // The day after tomorrow, whatever time zone and midnight do to this test.
  const other = DAYS[(new Date().getDay() + 3) % 7];
  await rules.getByLabel('Hours', { exact: true }).fill(`${other} 10:00-11:00`);
  await rules.getByLabel('On battery').fill('return');
  await expect(rules.getByText('Tasks go back to the queue at once. No new ones come.').first()).toBeVisible();
  await rules.getByRole('button', { name: 'Go by these rules' }).click();
  const availability = async () => (await client.call('listNodes')).nodes[0]?.availability;
  await expect.poll(availability).toBe('outside-schedule');
  const held = await submit('waits for its hour');
  expect(await stateOf(held)).toBe('QUEUED');
  await rules.getByLabel('Hours', { exact: true }).fill('');
  await rules.getByRole('button', { name: 'Go by these rules' }).click();
  await expect.poll(() => stateOf(held)).toBe('COMPLETED');

  const way = window.getByRole('region', { name: 'What is in the way' });
  await way.getByRole('button', { name: 'Look around' }).click();
  await expect(way.getByRole('listitem').first()).toBeVisible({ timeout: 30_000 });
  await expectAccessible(window);
  expect(problems).toEqual([]);
});
