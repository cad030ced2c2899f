import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exrFile } from '../../electron/files/testing/exr-file.ts';
import { axeFindings } from './support/axe.ts';
import { expect, SMALL, test, watchConsole } from './support/test.ts';

/** One red pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

test('a link with a token opens the farm, and the token leaves the address', async ({ page, farm }) => {
  await page.goto(farm.link);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await expect(page.getByText('studio', { exact: true })).toBeVisible();
  expect(page.url()).not.toContain(farm.token);
  await page.reload();
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
});

test('without a token the page asks for one, and says when it is not accepted', async ({ page, farm }) => {
  await page.goto(farm.url);
  await expect(page.getByRole('heading', { name: 'Open this farm' })).toBeVisible();
  await page.getByLabel('Token or link').fill('short');
  await page.getByRole('button', { name: 'Open the farm' }).click();
  await expect(page.getByText('That is no token')).toBeVisible();
  await page.getByLabel('Token or link').fill('lyd_notatokenofthisfarm');
  await page.getByRole('button', { name: 'Open the farm' }).click();
  await expect(page.getByRole('alert')).toContainText(/token/i);
  await page.getByLabel('Token or link').fill(farm.link);
  await page.getByRole('button', { name: 'Open the farm' }).click();
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
});

test('a job is watched as it runs: row, heat map, log, outputs', async ({ page, farm }) => {
  await page.goto(farm.link);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  const job = await farm.submit({
    name: 'watched',
    command: 'echo task {index} begins; sleep 0.3; echo result-{index} > out-{index}.txt',
    tasks: { kind: 'count', count: 6 },
    outputs: ['out-{index}.txt'],
    ...SMALL,
  });
  const row = page.locator(`[data-job="${job}"]`);
  await expect(row).toContainText('watched');
  await expect(row).toContainText('Completed');
  await expect(row).toContainText('6 / 6');
  await row.click();
  await expect(page.getByRole('heading', { name: 'watched' })).toBeVisible();
  await expect(page.getByRole('gridcell', { name: 'Task 5: completed' })).toBeVisible();
  await page.getByRole('gridcell', { name: 'Task 5: completed' }).click();
  await page.getByRole('link', { name: 'Log' }).click();
  await expect(page.getByRole('log', { name: 'Log' })).toContainText('task 5 begins');
  await expect(page.getByText('the log is complete')).toBeVisible();
  await page.goBack();
  await page.getByRole('button', { name: 'out-3.txt', exact: true }).click();
  await expect(page.getByLabel('Text of out-3.txt')).toHaveText(/result-3/);
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save all: outputs.zip' }).click();
  expect((await download).suggestedFilename()).toBe(`job-${job}.zip`);
});

test('pictures stand on a strip, made small by the coordinator; EXR is shown, and what is no picture says so', async ({ page, farm }) => {
  const exr = exrFile(64, 48, () => 0x3c00).toString('base64');
  const job = await farm.submit({
    name: 'pictures',
    command: `echo ${PNG} | base64 -d > shot-{index}.png; echo ${exr} | base64 -d > beauty.exr; echo nonsense > broken.png`,
    tasks: { kind: 'count', count: 2 },
    outputs: ['*.png', '*.exr'],
    ...SMALL,
  });
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/jobs/${job}`);
  const outputs = page.getByRole('region', { name: 'Outputs' });
  const strip = outputs.getByRole('list', { name: 'Pictures' });
  await expect(strip.getByRole('listitem')).toHaveCount(6);
  await expect(strip.locator('img')).toHaveCount(4);
  await strip.getByRole('button', { name: 'Show beauty.exr' }).first().click();
  const shown = outputs.getByRole('img', { name: 'beauty.exr' });
  await expect(shown).toBeVisible();
  expect(await shown.evaluate((image: HTMLImageElement) => [image.naturalWidth, image.naturalHeight])).toEqual([64, 48]);
  await strip.getByRole('button', { name: 'Show broken.png' }).first().click();
  await expect(outputs.getByText('does not hold a picture')).toBeVisible();
});

test('a log is followed as it grows; whatever moves it up pauses, coming to the end goes on', async ({ page, farm }) => {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-talker-'));
  /** Lines come for as long as nobody says otherwise, so that each hand below finds a log that moves. */
  const job = await farm.submit({
    name: 'talker',
    command: `i=0; while [ ! -e ${folder}/enough ]; do echo "line $i"; i=$((i+1)); [ $((i % 40)) = 0 ] && sleep 0.05; done; echo "the last line"; sleep 60`,
    ...SMALL,
  });
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/logs/${job}.0.1`);
  const log = page.getByRole('log', { name: 'Log' });
  const [following, paused] = [page.getByText('· following'), page.getByText('paused; press End to follow')];
  await expect(following).toBeVisible();
  await log.hover();
  const hands = [
    () => page.mouse.wheel(0, -600),
    () => log.press('PageUp'),
    () => log.press('Home'),
    async () => {
      await page.mouse.down();
      await page.mouse.move(400, 300, { steps: 3 });
      await page.mouse.up();
    },
  ];
  for (const hand of hands) {
    await expect.poll(() => log.evaluate(({ scrollTop }) => scrollTop), 'there is something above').toBeGreaterThan(1_000);
    await hand();
    await expect(paused).toBeVisible();
    await log.press('End');
    await expect(following).toBeVisible();
  }
  await page.getByRole('button', { name: 'Follow' }).click();
  await expect(paused).toBeVisible();
  await expect(log.locator('[data-line]').last()).toBeVisible();
  // In one go: the log still moves, and a line that was found may be gone when it is asked where it is.
  const lowest = await log.evaluate((element) => [...element.querySelectorAll('[data-line]')].at(-1)?.getBoundingClientRect().bottom);
  expect(lowest).toBeGreaterThan(300);
  await page.getByRole('button', { name: 'Follow' }).click();
  await expect(following).toBeVisible();
  await log.hover();
  await page.mouse.wheel(0, -600);
  await expect(paused).toBeVisible();
  const lines = async () => Number.parseInt(((await paused.textContent()) as string).replaceAll(',', ''), 10);
  const before = await lines();
  await expect.poll(lines, 'it grows on while it is paused').toBeGreaterThan(before + 200);
  expect(Number(await log.locator('[data-line]').last().getAttribute('data-line'))).toBeLessThan(before + 100);
  await writeFile(join(folder, 'enough'), '');
  // The end moves until the last line is there; a wheel that came before it did not reach it.
  await expect(async () => {
    await page.mouse.wheel(0, 10_000_000);
    await expect(following).toBeVisible({ timeout: 1_000 });
  }).toPass();
  await expect(log).toContainText('the last line');
  await page.getByLabel('Search in the log').fill('line 45');
  await expect(log.locator('[data-match="true"]')).toContainText('line 45');
  await farm.client.call('cancelJob', { params: { job } });
  await rm(folder, { recursive: true });
});

test('a job that waits is put before the others of its owner', async ({ page, farm }) => {
  const needs = { requirements: { ...SMALL.requirements, gpus: 1 } };
  const [earlier, later] = [
    await farm.submit({ name: 'earlier', command: 'true', ...needs }),
    await farm.submit({ name: 'later', command: 'true', ...needs }),
  ];
  const positionOf = async (job: number) => (await farm.client.call('getJob', { params: { job } })).position;
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/jobs/${later}`);
  await page.getByRole('button', { name: 'Put first' }).click();
  await expect(page.getByText('First of its owner’s and priority')).toBeVisible();
  expect(await positionOf(later)).toBeLessThan(await positionOf(earlier));
  for (const job of [earlier, later]) await farm.client.call('cancelJob', { params: { job } });
});

test('cancel asks first; retry runs what failed again', async ({ page, farm }) => {
  const sleeper = await farm.submit({ name: 'sleeper', command: 'sleep 60', ...SMALL });
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/jobs/${sleeper}`);
  await expect(page.getByText('Running').first()).toBeVisible();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('alertdialog')).toContainText(`Cancel job ${sleeper}?`);
  await page.getByRole('button', { name: 'Keep' }).click();
  await expect(page.getByRole('alertdialog')).toHaveCount(0);
  expect((await farm.client.call('getJob', { params: { job: sleeper } })).state).toBe('RUNNING');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByText('Cancelled').first()).toBeVisible();

  const failing = await farm.submit({ name: 'failing', command: 'exit 3', maxRetries: 0, ...SMALL });
  await page.goto(`${farm.url}/#/jobs/${failing}.0`);
  await expect(page.getByText('Attempt 1', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Retry failed' }).click();
  await expect(page.getByText('Attempt 2', { exact: true })).toBeVisible();
});

test('many jobs are chosen by the keyboard, held together, and let go by Undo', async ({ page, farm }) => {
  const ids: number[] = [];
  for (let index = 0; index < 3; index += 1)
    ids.push(await farm.submit({ name: `waits-${index}`, command: 'true', requirements: { ...SMALL.requirements, labels: ['nowhere'] } }));
  await page.goto(farm.link);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await page.keyboard.press('/');
  await page.keyboard.type('waits-');
  await expect(page.locator('[data-job]')).toHaveCount(3);
  await page.keyboard.press('Escape');
  await page.getByLabel('Search jobs by name, owner or number').fill('waits-');
  await page.locator(`[data-job="${ids[2]}"]`).focus();
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect(page.locator(`[data-job="${ids[0]}"]`)).toBeFocused();
  await page.keyboard.press('Space');
  await page.locator(`[data-job="${ids[1]}"]`).focus();
  await page.keyboard.press('Space');
  await expect(page.getByText('3 chosen')).toBeVisible();
  await page.getByRole('button', { name: 'Hold' }).click();
  await expect(page.getByText('On hold', { exact: true })).toHaveCount(3);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByText('On hold', { exact: true })).toHaveCount(0);
  await page.locator(`[data-job="${ids[0]}"]`).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('region', { name: 'Why it waits' })).toContainText('nowhere');
});

test('a job is submitted again with changes; what waits for what is shown as a graph', async ({ page, farm }) => {
  const first = await farm.submit({ name: 'render', command: 'echo render {frame}', tasks: { kind: 'frames', frames: '1-3' }, ...SMALL });
  const second = await farm.submit({
    name: 'assemble',
    command: 'true',
    after: [first as never],
    requirements: { ...SMALL.requirements, labels: ['nowhere'] },
  });
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/jobs/${second}`);
  const graph = page.getByRole('region', { name: 'Dependencies' });
  await expect(graph.getByRole('link', { name: /assemble/ })).toHaveAttribute('aria-current', 'true');
  await graph.getByRole('link', { name: /render/ }).click();
  await expect(page.getByRole('heading', { name: 'render' })).toBeVisible();
  await page.getByRole('button', { name: 'Submit again' }).click();
  await expect(page.getByLabel('Frames', { exact: true })).toHaveValue('1-3');
  await page.getByLabel('Frames', { exact: true }).fill('1-5');
  await page.getByRole('textbox', { name: 'Name' }).fill('render longer');
  await page.getByRole('button', { name: 'Submit 5 tasks' }).click();
  await expect(page.getByRole('heading', { name: 'render longer' })).toBeVisible();
  await expect(page.getByText('5 of 5 tasks ended')).toBeVisible();
  await farm.client.call('cancelJob', { params: { job: second } });
});

test('a browser that was allowed to says when a job ends', async ({ page, farm, context }) => {
  await context.grantPermissions(['notifications'], { origin: farm.url });
  await page.addInitScript(() => {
    const shown: string[] = [];
    Object.assign(window, { shown });
    const real = window.Notification;
    window.Notification = new Proxy(real, {
      construct(target, [title, options]) {
        shown.push(title);
        return new target(title, options);
      },
    });
  });
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/settings`);
  await page.getByRole('button', { name: 'Tell me when a job ends' }).click();
  await expect(page.getByText('This browser says when a job ends')).toBeVisible();
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await farm.submit({ name: 'quiet', command: 'true', notify: 'none', ...SMALL });
  const told = await farm.submit({ name: 'told of', command: 'exit 1', maxRetries: 0, ...SMALL });
  await expect(async () => expect((await farm.client.call('getJob', { params: { job: told } })).state).toBe('FAILED')).toPass();
  await expect.poll(() => page.evaluate(() => (window as unknown as { shown: string[] }).shown)).toEqual(['told of failed']);
});

test('a job that waits is put just before another one, and last', async ({ page, farm }) => {
  // At a priority of their own: jobs of other tests may wait, too.
  const submit = (name: string) => farm.submit({ name, command: 'true', priority: 61, requirements: { labels: ['nowhere'] } });
  const jobs = [await submit('place one'), await submit('place two'), await submit('place three')];
  const [one, two, three] = jobs as [number, number, number];
  const order = async () => {
    const { jobs: all } = await farm.client.call('listJobs', { query: { search: 'place ' } });
    const mine = all.filter(({ id }) => jobs.includes(id));
    return mine.sort((a, b) => a.position - b.position).map(({ id }) => id);
  };
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/jobs/${three}`);
  await page.getByRole('button', { name: 'Move…' }).click();
  const dialog = page.getByRole('dialog', { name: `Move job ${three}` });
  await expect(dialog.getByText('It is number 3 of 3')).toBeVisible();
  await dialog.getByLabel('Find a job by number or name').fill('there is none');
  await expect(dialog.getByRole('button', { name: 'Move' })).toBeDisabled();
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await axeFindings(page), colorScheme).toEqual([]);
  }
  await dialog.getByLabel('Find a job by number or name').fill('place t');
  await dialog.getByRole('listbox', { name: 'Just before this job' }).selectOption(`${two} · place two`);
  await dialog.getByRole('button', { name: 'Move' }).click();
  await expect(page.getByText(`Job ${three} stands just before job ${two} now`)).toBeVisible();
  expect(await order()).toEqual([one, three, two]);
  await page.goto(`${farm.url}/#/jobs/${one}`);
  await expect(page.getByRole('heading', { name: 'place one' })).toBeVisible();
  await page.getByRole('button', { name: 'Move…' }).click();
  await page.getByRole('button', { name: 'Last', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Move' }).click();
  await expect(page.getByText(`Job ${one} stands last now`)).toBeVisible();
  expect(await order()).toEqual([three, two, one]);
  for (const job of jobs) await farm.client.call('cancelJob', { params: { job } });
});

test('two browsers see the same, and a viewer is offered nothing to do', async ({ page, farm, browser }) => {
  const context = await browser.newContext();
  const other = await context.newPage();
  const problems = await watchConsole(other);
  const job = await farm.submit({ name: 'shared', command: 'true', requirements: { ...SMALL.requirements, labels: ['nowhere'] } });
  await page.goto(farm.link);
  await other.goto(farm.viewerLink);
  await expect(other.locator(`[data-job="${job}"]`)).toContainText('Queued');
  await expect(other.getByRole('link', { name: 'Submit a job' })).toHaveCount(0);
  await expect(other.getByRole('checkbox')).toHaveCount(0);
  await page.goto(`${farm.url}/#/jobs/${job}`);
  await page.getByRole('button', { name: 'Hold' }).click();
  await expect(other.locator(`[data-job="${job}"]`)).toContainText('On hold');
  await other.goto(`${farm.url}/#/jobs/${job}`);
  await expect(other.getByRole('heading', { name: 'shared' })).toBeVisible();
  await expect(other.getByRole('button', { name: 'Cancel' })).toHaveCount(0);
  expect(problems).toEqual([]);
  await context.close();
});

test('markup in names, and escape sequences in logs, stay text', async ({ page, farm }) => {
  const name = '<img src=x onerror=alert(1)> <b>job</b>';
  const job = await farm.submit({
    name,
    command: `printf '\\033]0;title\\007<script>alert(2)</script> \\033[31mred\\033[0m \\033]8;;http://evil.example\\007link\\033]8;;\\007\\n'`,
    ...SMALL,
  });
  let dialogs = 0;
  page.on('dialog', (dialog) => {
    dialogs += 1;
    void dialog.dismiss();
  });
  await page.goto(farm.link);
  await expect(page.getByText(name)).toBeVisible();
  await expect(page.locator(`[data-job="${job}"]`)).toContainText('Completed');
  await page.goto(`${farm.url}/#/logs/${job}.0.1`);
  const log = page.getByRole('log', { name: 'Log' });
  await expect(log).toContainText('<script>alert(2)</script> red link');
  expect(await log.locator('a, script, b').count()).toBe(0);
  expect(dialogs).toBe(0);
});
