#!/usr/bin/env node
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from '@playwright/test';
import { startFarm, type TestFarm } from './support/farm.ts';
import { createZip } from './support/zip.ts';

/** Takes the pictures of docs/screens anew: a small farm is started, given real work, and looked at in both themes. */
const ROOT = join(import.meta.dirname, '../..');
const SMALL = { requirements: { cpu: 0.1, ramMb: 64 } };
const KEPT = { width: 1280, height: 800 };
/** `--large` looks at larger screens instead; those pictures lie in `.cache/screens` and are not kept. */
const isLarge = process.argv.includes('--large');
const SIZES = isLarge
  ? [
      { width: 1920, height: 1080 },
      { width: 3840, height: 2160 },
    ]
  : [KEPT];
const FOLDER = join(ROOT, isLarge ? '.cache/screens' : 'docs/screens');

/** Work of every kind: pictures, failures, a long job, one that cannot be placed, many small ones. */
async function giveWork(
  farm: TestFarm,
): Promise<Readonly<Record<'pictures' | 'failed' | 'long' | 'assembled' | 'canary' | 'waiting', number>>> {
  const command = [join(ROOT, 'electron/cli/main.ts'), 'submit', join(ROOT, 'resources/examples/path-tracer')];
  const asked = ['--json', '--url', farm.url, '--token', farm.token];
  execFileSync(process.execPath, [...command, '--host', '--name', 'Turntable, spheres', '--frames', '1-12', '--wait', ...asked], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const failed = await farm.submit({
    name: 'nightly-build arm64',
    command:
      'echo "compiling unit {index}"; sleep 0.2; [ $(({index} % 5)) != 3 ] || { printf "\\033[1;31merror:\\033[0m undefined reference to \\033[36mlanyard_step\\033[0m\\n" >&2; exit 2; }',
    tasks: { kind: 'count', count: 48 },
    maxRetries: 1,
    ...SMALL,
  });
  const long = await farm.submit({
    name: 'comp_shot_042 v7',
    command: 'for pass in beauty shadow fog; do printf "frame {frame} \\033[32m$pass\\033[0m done\\n"; sleep 0.5; done',
    tasks: { kind: 'frames', frames: '1001-1480' },
    ...SMALL,
  });
  const waiting = await farm.submit({
    name: 'denoise shot 042',
    command: 'true',
    requirements: { gpus: 1 },
    tasks: { kind: 'frames', frames: '1-48' },
  });
  for (let index = 1; index <= 24; index += 1)
    await farm.submit({
      name: `texture-bake ${String(index).padStart(2, '0')}`,
      command: 'sleep 0.2',
      tasks: { kind: 'count', count: 1 + ((index * 7) % 23) },
      priority: index % 4 === 0 ? 75 : 25,
      ...SMALL,
    });
  const [render, denoise] = [
    await farm.submit({ name: 'shot 044: render', command: 'sleep 0.1', tasks: { kind: 'frames', frames: '1-24' }, ...SMALL }),
    await farm.submit({ name: 'shot 044: shadows', command: 'sleep 30', tasks: { kind: 'frames', frames: '1-24' }, ...SMALL }),
  ];
  const assembled = await farm.submit({ name: 'shot 044: assemble', command: 'true', after: [render, denoise] as never[], ...SMALL });
  await farm.submit({ name: 'shot 044: review copy', command: 'true', after: [assembled] as never[], ...SMALL });
  await farm.submit({
    name: 'denoise with licences',
    command: 'sleep 20',
    tasks: { kind: 'count', count: 12 },
    priority: 90,
    requirements: { cpu: 0.1, ramMb: 64, limits: { nuke: 2 } },
  });
  const sentAhead = ['--host', '--name', 'Turntable, glass', '--frames', '1-96', '--canary', 'by-hand', '--priority', '95'];
  const canary = JSON.parse(execFileSync(process.execPath, [...command, ...sentAhead, ...asked], { encoding: 'utf8' })).id as number;
  return { pictures: 1, failed, long, assembled, canary, waiting };
}

/** What a person might drop: a shot that is rendered, denoised and put together. */
const STAGED = createZip({
  'lanyard.json': JSON.stringify({
    name: 'shot 044',
    image: null,
    stages: [
      {
        stage: 'render',
        command: 'blender -b shot.blend -f {frame} -o //raw/####',
        tasks: { kind: 'frames', frames: '1-96' },
        outputs: ['raw/*.exr'],
      },
      {
        stage: 'shadows',
        command: 'blender -b shadows.blend -f {frame} -o //raw/####',
        tasks: { kind: 'frames', frames: '1-96' },
        outputs: ['raw/*.exr'],
      },
      {
        stage: 'comp',
        command: 'nuke -x comp.nk {frame}',
        afterTasks: ['render', 'shadows'],
        inputsFrom: ['render', 'shadows'],
        tasks: { kind: 'frames', frames: '1-96' },
        outputs: ['comp/*.exr'],
      },
      { stage: 'review', command: 'ffmpeg -i comp/%04d.exr review.mp4', after: ['comp'], inputsFrom: ['comp'], outputs: ['review.mp4'] },
    ],
  }),
});

async function take(browser: Browser, farm: TestFarm, jobs: Awaited<ReturnType<typeof giveWork>>): Promise<void> {
  const places: Readonly<Record<string, { readonly hash: string; readonly before?: (page: Page) => Promise<void> }>> = {
    jobs: { hash: '#/jobs' },
    job: {
      hash: `#/jobs/${jobs.pictures}`,
      before: (page) => page.getByRole('button', { name: 'Show frames/frame-0012.png' }).locator('img').waitFor(),
    },
    'job-failed': { hash: `#/jobs/${jobs.failed}.3` },
    'job-running': { hash: `#/jobs/${jobs.long}` },
    log: { hash: `#/logs/${jobs.failed}.3.1` },
    farm: { hash: '#/farm' },
    'farm-table': { hash: '#/farm', before: (page) => page.getByRole('button', { name: 'Table' }).click() },
    node: {
      hash: `#/nodes/${(await farm.client.call('listNodes')).nodes[0]?.description.id}`,
      before: (page) => page.waitForTimeout(6_000),
    },
    submit: {
      hash: '#/submit',
      async before(page) {
        await page.getByRole('textbox', { name: 'Command' }).fill('blender -b scene.blend -f {frame} -o //frames/{frame:4}');
        await page.getByRole('textbox', { name: 'Name' }).fill('comp_shot_043');
        await page.getByRole('button', { name: 'Frames' }).click();
        await page.getByRole('textbox', { name: 'Keep these files' }).fill('frames/{frame:4}.png');
      },
    },
    stages: {
      hash: '#/submit',
      async before(page) {
        await page
          .locator('input[type=file][accept=".zip"]')
          .setInputFiles({ name: 'shot_044.zip', mimeType: 'application/zip', buffer: STAGED });
        await page.getByRole('region', { name: 'Stages' }).waitFor();
      },
    },
    settings: {
      hash: '#/settings',
      async before(page) {
        await page.getByRole('button', { name: 'Look around' }).click();
        await page.getByRole('region', { name: 'What is in the way' }).getByRole('listitem').first().waitFor();
      },
    },
    invite: {
      hash: '#/settings',
      async before(page) {
        await page.getByRole('button', { name: 'Invite a device' }).click();
        await page.getByRole('button', { name: 'Make the invite' }).click();
        await page.getByRole('img', { name: 'The invite as a QR code' }).waitFor();
      },
    },
    canary: {
      hash: `#/jobs/${jobs.canary}`,
      before: (page) => page.getByRole('list', { name: 'What came out of the first tasks' }).locator('img').nth(2).waitFor(),
    },
    move: {
      hash: `#/jobs/${jobs.waiting}`,
      async before(page) {
        await page.getByRole('button', { name: 'Move…' }).click();
        await page.getByRole('listbox', { name: 'Just before this job' }).waitFor();
      },
    },
    dependencies: { hash: `#/jobs/${jobs.assembled}` },
    palette: { hash: '#/jobs', before: (page) => page.keyboard.press('Control+k') },
  };
  for (const colorScheme of ['dark', 'light'] as const)
    for (const viewport of SIZES) {
      const context = await browser.newContext({ viewport, colorScheme });
      const page = await context.newPage();
      await page.goto(farm.url);
      await page.getByRole('heading', { name: 'Open this farm' }).waitFor();
      const shoot = (name: string) => page.screenshot({ path: join(FOLDER, `${name}-${colorScheme}-${viewport.width}.png`) });
      await shoot('welcome');
      await page.goto(farm.link);
      await page.getByText('Live', { exact: true }).waitFor();
      for (const [name, { hash, before }] of Object.entries(places)) {
        await page.evaluate((place) => {
          location.hash = place;
        }, hash);
        await page.waitForTimeout(500);
        await before?.(page);
        // Pictures load and charts draw; nothing says when the last of them is there.
        await page.waitForTimeout(900);
        await shoot(name);
      }
      await context.close();
    }
}

await mkdir(FOLDER, { recursive: true });
const farm = await startFarm({
  farmName: 'Studio Nord',
  limits: ['nuke=6', 'arnold=4'],
  workers: [
    { name: 'render-01', zone: 'rack A', maxParallel: 4 },
    { name: 'render-02', zone: 'rack A', maxParallel: 4 },
    { name: 'render-03', zone: 'rack A', maxParallel: 2 },
    { name: 'desk-ines', zone: 'office', maxParallel: 2 },
  ],
});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
try {
  await take(browser, farm, await giveWork(farm));
} finally {
  await browser.close();
  await farm.stop();
}
