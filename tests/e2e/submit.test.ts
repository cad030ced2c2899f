import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { axeFindings } from './support/axe.ts';
import { drop } from './support/drop.ts';
import { expect, test } from './support/test.ts';
import { createZip } from './support/zip.ts';

const DESCRIPTION = {
  name: 'dropped',
  command: 'cat seed.txt > {frame:4}.txt && echo {frame} >> {frame:4}.txt',
  image: null,
  tasks: { kind: 'frames', frames: '1-3' },
  outputs: ['{frame:4}.txt'],
  requirements: { cpu: 0.1, ramMb: 32 },
};

test('a zip that is dropped fills the form, runs, and gives its outputs', async ({ page, farm }) => {
  await page.goto(farm.link);
  await expect(page.getByRole('link', { name: 'Submit a job' }).first()).toBeVisible();
  const zip = createZip({ 'lanyard.json': JSON.stringify(DESCRIPTION), 'seed.txt': 'seed\n' });
  await drop(page, 'shot.zip', zip);
  await expect(page.getByLabel('Name')).toHaveValue('dropped');
  await expect(page.getByLabel('Frames', { exact: true })).toHaveValue('1-3');
  const preview = page.getByRole('region', { name: 'What will run' });
  await expect(preview).toContainText('cat seed.txt > 0001.txt');
  await expect(preview).toContainText('cat seed.txt > 0003.txt');
  await page.getByRole('button', { name: 'Submit 3 tasks' }).click();
  await expect(page.getByRole('heading', { name: 'dropped' })).toBeVisible();
  await expect(page.getByText('3 of 3 tasks ended')).toBeVisible();
  await page.getByRole('button', { name: '0002.txt', exact: true }).click();
  await expect(page.getByLabel('Text of 0002.txt')).toHaveText(/seed\s+2/);
});

test('a zip with stages shows what waits for what, each stage is looked at and changed, and all run in their order', async ({
  page,
  farm,
}) => {
  const description = {
    name: 'shot',
    image: null,
    requirements: DESCRIPTION.requirements,
    stages: [
      {
        stage: 'render',
        command: 'cat seed.txt > {frame}.txt',
        tasks: { kind: 'frames', frames: '1-3' },
        outputs: ['{frame}.txt'],
      },
      { stage: 'assemble', inputsFrom: ['render'], after: ['render'], command: 'cat [0-9].txt > all.txt', outputs: ['all.txt'] },
    ],
  };
  await page.goto(farm.link);
  await expect(page.getByRole('link', { name: 'Submit a job' }).first()).toBeVisible();
  await drop(page, 'staged.zip', createZip({ 'lanyard.json': JSON.stringify(description), 'seed.txt': 'seed\n' }));
  const stages = page.getByRole('region', { name: 'Stages' });
  await expect(stages.getByRole('button', { name: /^render ready 3 tasks/ })).toHaveAttribute('aria-pressed', 'true');
  await expect(page.getByLabel('Frames', { exact: true })).toHaveValue('1-3');
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await axeFindings(page), colorScheme).toEqual([]);
  }
  await page.getByLabel('Frames', { exact: true }).fill('9-1');
  await expect(stages.getByRole('button', { name: /^render 1 field to mend/ })).toBeVisible();
  await stages.getByRole('button', { name: /^assemble/ }).press('Enter');
  await expect(page.getByRole('textbox', { name: 'Command' })).toHaveValue('cat [0-9].txt > all.txt');
  await page.getByRole('button', { name: /^Submit/ }).click();
  await expect(page.getByLabel('Frames', { exact: true })).toHaveAttribute('aria-invalid', 'true');
  await page.getByLabel('Frames', { exact: true }).fill('1-4');
  await page.getByRole('button', { name: 'Submit 5 tasks in 2 stages' }).click();
  await expect(page.getByRole('heading', { name: 'shot: assemble' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Dependencies' }).getByRole('link', { name: /shot: render/ })).toBeVisible();
  await page.getByRole('button', { name: 'all.txt', exact: true }).click();
  await expect(page.getByLabel('Text of all.txt')).toHaveText(/(seed\s*){4}/);
});

test('a folder is packed; a mistake is told at its field', async ({ page, farm }) => {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-folder-'));
  await writeFile(join(folder, 'hello.txt'), 'hello from a folder');
  await page.goto(`${farm.link}`);
  await page.getByRole('link', { name: 'Submit a job' }).first().click();
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Choose a folder' }).click();
  await (await chooser).setFiles(folder);
  await expect(page.getByText('1 file', { exact: false })).toBeVisible();
  await page.getByRole('button', { name: /^Submit/ }).click();
  await expect(page.getByText('Say what each task runs.')).toBeVisible();
  await page.getByRole('textbox', { name: 'Command' }).fill('cat hello.txt');
  await page.getByLabel('Runs in').selectOption('host');
  await page.getByLabel('Memory, MiB').fill('lots');
  await expect(page.getByLabel('Memory, MiB')).toHaveAttribute('aria-invalid', 'true');
  await page.getByLabel('Memory, MiB').fill('32');
  await page.getByLabel('CPU cores').fill('0.1');
  await page.getByRole('button', { name: 'Submit 1 task' }).click();
  await expect(page.getByText('1 of 1 task ended')).toBeVisible();
  await page.getByRole('gridcell', { name: 'Task 0: completed' }).click();
  await page.getByRole('link', { name: 'Log' }).click();
  await expect(page.getByRole('log', { name: 'Log' })).toContainText('hello from a folder');
  await rm(folder, { recursive: true });
});

test('a template asks for its fields, checks each, and makes the job', async ({ page, farm }) => {
  await page.goto(farm.link);
  await page.getByRole('link', { name: 'Submit a job' }).first().click();
  const template = page.getByRole('region', { name: 'Template' });
  await template.getByLabel('Template', { exact: true }).selectOption({ label: 'Blender frames' });
  await expect(template.getByText('This one is needed.')).toBeVisible();
  await page.getByRole('button', { name: /^Submit/ }).click();
  await expect(page.getByRole('alert').first()).toContainText('needs scene');
  await template.getByLabel(/^Scene/).fill('../outside.blend');
  await expect(template.getByText(/inside the input/)).toBeVisible();
  await template.getByLabel(/^Scene/).fill('shots/one.blend');
  await template.getByLabel('Frames', { exact: true }).fill('1-12');
  await template.getByLabel('Frames a task').fill('4');
  await expect(page.getByRole('textbox', { name: 'Command' })).toHaveValue(/shots\/one\.blend/);
  await expect(page.getByRole('button', { name: 'Submit 3 tasks' })).toBeVisible();
  // Three tasks are all of them, and none goes ahead.
  await expect(page.getByLabel('First tasks')).toHaveCount(0);
  await template.getByLabel('Frames a task').fill('2');
  await template.getByLabel('First tasks').selectOption('by-hand');
  await template.getByLabel('Frames', { exact: true }).fill('1-16');
  await expect(page.getByLabel('First tasks')).toHaveCount(1);
  await expect(template.getByLabel('First tasks')).toHaveValue('by-hand');
  const submitted = page.waitForResponse((response) => response.request().method() === 'POST' && response.url().endsWith('/api/jobs'));
  await page.getByRole('button', { name: 'Submit 8 tasks' }).click();
  const job: number = (await (await submitted).json()).id;
  const { spec } = await farm.client.call('getJob', { params: { job } });
  expect(spec).toMatchObject({ canary: { approval: 'by-hand' }, tasks: { frames: '1-16', chunk: 2 } });
  await farm.client.call('cancelJob', { params: { job } });
});

test('an upload shows how far it is, is cancelled, and goes on where it ended', async ({ page, farm }) => {
  test.setTimeout(120_000);
  await page.goto(farm.link);
  await page.getByRole('link', { name: 'Submit a job' }).first().click();
  // Noise, so that nothing makes it smaller; several parts long.
  const noise = Buffer.alloc(40 * 1024 * 1024, Math.random().toString(36));
  const zip = createZip({ 'noise.bin': noise });
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-zip-'));
  await writeFile(join(folder, 'large.zip'), zip);
  const parts: number[] = [];
  let isSlow = true;
  await page.route('**/api/blobs/*', async (route) => {
    if (route.request().method() === 'PATCH') {
      parts.push(Number(route.request().headers()['upload-offset']));
      if (isSlow && parts.length === 3) {
        await page.getByRole('button', { name: 'Cancel' }).click();
        await route.abort();
        return;
      }
    }
    await route.continue();
  });
  const choose = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Choose a zip' }).click();
  await (await choose).setFiles(join(folder, 'large.zip'));
  await page.getByRole('textbox', { name: 'Command' }).fill('ls -l noise.bin');
  await page.getByLabel('Runs in').selectOption('host');
  await page.getByLabel('Memory, MiB').fill('32');
  await page.getByRole('button', { name: 'Submit 1 task' }).click();
  await expect(page.getByText('The upload was cancelled.')).toBeVisible();
  const before = parts.length;
  isSlow = false;
  await page.getByRole('button', { name: 'Submit 1 task' }).click();
  // Forty megabytes go to the worker and are unpacked there; a busy machine takes its time.
  await expect(page.getByText('1 of 1 task ended')).toBeVisible({ timeout: 45_000 });
  expect(parts[before]).toBeGreaterThan(0);
  await rm(folder, { recursive: true });
});
