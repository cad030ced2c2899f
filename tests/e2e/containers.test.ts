import Docker from 'dockerode';
import { ensureEngine } from '../integration/support/engine.ts';
import { ensureImage } from '../integration/support/images.ts';
import { drop } from './support/drop.ts';
import { startFarm, type TestFarm } from './support/farm.ts';
import { test as base, expect, SMALL, watchConsole } from './support/test.ts';
import { createZip } from './support/zip.ts';

interface Containers {
  readonly farm: TestFarm;
  readonly image: string;
  readonly docker: Docker;
}

/** A farm whose workers run nothing but containers of a real engine. */
const test = base.extend<object, { containers: Containers }>({
  containers: [
    // biome-ignore lint/correctness/noEmptyPattern: the runner reads the names of fixtures from this pattern
    async ({}, use) => {
      const engine = await ensureEngine();
      const image = await ensureImage('busybox', engine.socket);
      const farm = await startFarm({ farmName: 'containers', workers: [{ name: 'dock-01', maxParallel: 2, engine: engine.socket }] });
      await use({ farm, image, docker: new Docker({ socketPath: engine.socket }) });
      await farm.stop();
      await engine.stop();
    },
    { scope: 'worker', timeout: 180_000 },
  ],
});

/** Lets each task of a job end that waits for a file named `go`: what is to be seen while it runs is seen however slow the machine is. */
async function letEnd({ farm, docker }: Containers, job: number): Promise<void> {
  await expect(async () => {
    for (const { Id, Labels } of await docker.listContainers({ filters: { label: ['lanyard.attempt'] } }))
      if (Labels['lanyard.attempt']?.startsWith(`${job}.`)) {
        // One that ended in the meantime needs no word.
        const told = await docker
          .getContainer(Id)
          .exec({ Cmd: ['touch', 'go'] })
          .catch(() => undefined);
        await told?.start({}).catch(() => {});
      }
    expect((await farm.client.call('getJob', { params: { job } })).state).toBe('COMPLETED');
  }).toPass();
}

test('from an empty farm to outputs: a zip is dropped, runs in containers, is watched, and its files are had', async ({
  page,
  containers,
}) => {
  const { farm, image } = containers;
  await page.goto(farm.link);
  await expect(page.getByText('No jobs yet')).toBeVisible();
  const description = {
    name: 'in containers',
    image,
    command:
      'until [ -e go ]; do sleep 0.1; done; cat seed.txt > out-{index}.txt; echo "task {index} in $(hostname)" | tee -a out-{index}.txt; id -u',
    tasks: { kind: 'count', count: 3 },
    outputs: ['out-{index}.txt'],
    ...SMALL,
  };
  await drop(page, 'job.zip', createZip({ 'lanyard.json': JSON.stringify(description), 'seed.txt': 'seeded\n' }));
  await expect(page.getByRole('textbox', { name: 'Image' })).toHaveValue(image);
  await page.getByRole('button', { name: 'Submit 3 tasks' }).click();
  await expect(page.getByText('Running').first()).toBeVisible();
  await letEnd(containers, 1);
  await expect(page.getByText('3 of 3 tasks ended')).toBeVisible();
  await page.getByRole('button', { name: 'out-1.txt', exact: true }).click();
  await expect(page.getByLabel('Text of out-1.txt')).toHaveText(/seeded\s+task 1 in/);
  await page.getByRole('gridcell', { name: 'Task 2: completed' }).click();
  await page.getByRole('link', { name: 'Log' }).click();
  const log = page.getByRole('log', { name: 'Log' });
  await expect(log).toContainText('task 2 in');
  // A container of ours runs as nobody in particular, and never as root.
  await expect(log.locator('[data-line]').last()).not.toHaveText(/(^|\s)0$/);
});

test('what runs in a container is cancelled, and the container is gone; what failed is retried', async ({ page, containers }) => {
  const { farm, image, docker } = containers;
  const job = await farm.submit({ name: 'endless', image, command: 'echo begun; sleep 600', ...SMALL });
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/logs/${job}.0.1`);
  await expect(page.getByRole('log', { name: 'Log' })).toContainText('begun');
  const running = async () =>
    (await docker.listContainers({ filters: { label: ['lanyard.attempt'] } })).map(({ Labels }) => Labels['lanyard.attempt']);
  expect(await running()).toContain(`${job}.0.1`);
  await page.goto(`${farm.url}/#/jobs/${job}`);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByText('Cancelled').first()).toBeVisible();
  await expect(async () => expect(await running()).not.toContain(`${job}.0.1`)).toPass();

  const failing = await farm.submit({ name: 'fails', image, command: 'echo no >&2; exit 4', maxRetries: 0, ...SMALL });
  await page.goto(`${farm.url}/#/jobs/${failing}.0`);
  await expect(page.getByText('Attempt 1', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Retry failed' }).click();
  await expect(page.getByText('Attempt 2', { exact: true })).toBeVisible();
});

test('a task in a container outlives the coordinator: the screen says what it knows, and goes on', async ({ page, containers }) => {
  const { farm, image } = containers;
  const job = await farm.submit({
    name: 'survivor',
    image,
    command: 'i=0; until [ -e go ]; do echo "beat $i"; i=$((i+1)); sleep 0.2; done; echo the end',
    ...SMALL,
  });
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/jobs/${job}.0`);
  await expect(page.getByText('Attempt 1', { exact: true })).toBeVisible();
  await expect(page.getByText('Running').first()).toBeVisible();
  await farm.restartCoordinator(async () => {
    await expect(page.getByText('Reconnecting…')).toBeVisible();
    await expect(page.getByRole('alert')).toContainText('as it was');
    // What cannot be read meanwhile is no error of its own.
    await page.getByRole('gridcell', { name: /^Task 0/ }).click();
    await expect(page.getByRole('alert')).toHaveCount(1);
  });
  await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 20_000 });
  await letEnd(containers, job);
  await expect(page.getByText('1 of 1 task ended')).toBeVisible();
  await expect(page.getByText('Attempt 2', { exact: true })).toHaveCount(0);
  await page.getByRole('link', { name: 'Log' }).click();
  const log = page.getByRole('log', { name: 'Log' });
  await expect(log).toContainText('the end');
  await expect(log).toContainText('beat 0');
});

test('a node that is paused takes no container until it is resumed', async ({ page, containers }) => {
  const { farm, image } = containers;
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/farm`);
  await page.getByRole('link', { name: /dock-01/ }).click();
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText('Paused by an administrator')).toBeVisible();
  const job = await farm.submit({ name: 'waits', image, command: 'true', ...SMALL });
  await page.goto(`${farm.url}/#/jobs/${job}`);
  await expect(page.getByRole('region', { name: 'Why it waits' })).toContainText(/paused/i);
  await page.goBack();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.goto(`${farm.url}/#/jobs/${job}`);
  await expect(page.getByText('1 of 1 task ended')).toBeVisible();
});

test('whoever may only look is offered nothing to do, on any screen', async ({ containers, browser }) => {
  const { farm, image } = containers;
  const job = await farm.submit({ name: 'looked at', image, command: 'echo x > x.txt', outputs: ['x.txt'], ...SMALL });
  await expect(async () => expect((await farm.client.call('getJob', { params: { job } })).state).toBe('COMPLETED')).toPass();
  const [node] = (await farm.client.call('listNodes')).nodes;
  const context = await browser.newContext();
  const page = await context.newPage();
  const problems = await watchConsole(page);
  await page.goto(farm.viewerLink);
  await expect(page.locator(`[data-job="${job}"]`)).toContainText('Completed');
  const places: readonly (readonly [string, string])[] = [
    ['#/jobs', 'Jobs'],
    [`#/jobs/${job}.0`, 'looked at'],
    [`#/logs/${job}.0.1`, 'Log'],
    ['#/farm', 'Farm'],
    [`#/nodes/${node?.description.id}`, 'dock-01'],
    ['#/settings', 'Settings'],
    ['#/submit', ''],
  ];
  const deeds = /^(cancel|retry|remove|hold|release|pause|drain|resume|submit|duplicate|invite|revoke|make|approve|back up)\b/i;
  for (const [hash, heading] of places) {
    await page.goto(`${farm.url}/${hash}`);
    if (heading !== '') await expect(page.getByRole('heading', { name: heading }).first()).toBeVisible();
    await expect(page.getByRole('button', { name: deeds }), hash).toHaveCount(0);
    await expect(page.getByRole('link', { name: /submit/i }), hash).toHaveCount(0);
  }
  await page.keyboard.press('n');
  await expect(page.getByRole('button', { name: deeds })).toHaveCount(0);
  expect(problems).toEqual([]);
  await context.close();
});
