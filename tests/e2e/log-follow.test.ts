import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import type { TestFarm } from './support/farm.ts';
import { expect, SMALL, test } from './support/test.ts';

/** A real scrollbar, which the runner hides else, and a finger. */
test.use({
  hasTouch: true,
  launchOptions: async ({ launchOptions }, use) => use({ ...launchOptions, ignoreDefaultArgs: ['--hide-scrollbars'] }),
});

/** A log with enough lines for a scrollbar whose thumb can be taken hold of, which grows when the test says so. */
async function openTalker(page: Page, farm: TestFarm, name: string) {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-talker-'));
  const file = join(folder, 'lines');
  await writeFile(file, Array.from({ length: 300 }, (_, line) => `line ${line + 1}\n`).join(''));
  const job = await farm.submit({
    name,
    command: `tail -n +1 -f ${file} & until [ -e ${file}.end ]; do sleep 0.1; done; kill $!`,
    ...SMALL,
  });
  const grow = () => appendFile(file, 'one more line\n');
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/logs/${job}.0.1`);
  const log = page.getByRole('log', { name: 'Log' });
  const [following, paused] = [page.getByText('· following'), page.getByText('paused; press End to follow')];
  await expect(following).toBeVisible();
  await expect(log).toContainText('line 300');
  const top = () => log.evaluate(({ scrollTop }) => scrollTop);
  /** Lines come, and the log stays where the hand has moved it. */
  const staysUp = async () => {
    await expect(paused).toBeVisible();
    const seen = await paused.textContent();
    await grow();
    await expect(paused).not.toHaveText(seen as string);
    expect(await log.evaluate(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)).toBeGreaterThan(100);
  };
  /** New lines move it. */
  const goesOn = async () => {
    await expect(following).toBeVisible();
    const before = await top();
    await grow();
    await expect.poll(top, 'it moves on with new lines').toBeGreaterThan(before);
  };
  const close = async () => {
    await writeFile(`${file}.end`, '');
    await expect.poll(async () => (await farm.client.call('getJob', { params: { job } })).state).toBe('COMPLETED');
    await rm(folder, { recursive: true });
  };
  return { log, following, goesOn, staysUp, close };
}

test('the thumb of the scrollbar moved up pauses; let go at the end, it goes on', async ({ page, farm }) => {
  const { log, goesOn, staysUp, close } = await openTalker(page, farm, 'talker');
  const { x, y, width, height } = (await log.boundingBox()) as NonNullable<Awaited<ReturnType<typeof log.boundingBox>>>;
  const gutter = await log.evaluate((element) => (element as HTMLElement).offsetWidth - element.clientWidth);
  expect(gutter, 'there is a scrollbar').toBeGreaterThan(4);
  const bar = x + width - gutter / 2;
  /** Its middle; it grows shorter and moves as lines come. */
  const thumb = () =>
    log.evaluate(({ scrollTop, scrollHeight, clientHeight }) => ((scrollTop + clientHeight / 2) / scrollHeight) * clientHeight);
  const hold = async () => {
    await page.mouse.move(bar, y + (await thumb()));
    await page.mouse.down();
  };
  await hold();
  await page.mouse.move(bar, y + height / 2, { steps: 5 });
  await staysUp();
  await page.mouse.up();
  await staysUp();
  await hold();
  await page.mouse.move(bar, y + height + 100, { steps: 5 });
  // The hand lies still after it: no movement tells that the button is up.
  await page.mouse.up();
  await goesOn();
  await close();
});

test('a finger that draws the log down pauses; at the end it goes on', async ({ page, farm }) => {
  const { log, following, goesOn, staysUp, close } = await openTalker(page, farm, 'touched');
  const { x, y, width, height } = (await log.boundingBox()) as NonNullable<Awaited<ReturnType<typeof log.boundingBox>>>;
  const session = await page.context().newCDPSession(page);
  const [across, middle] = [Math.round(x + width / 2), Math.round(y + height / 2)];
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', touchPoints: { x: number; y: number }[]) =>
    session.send('Input.dispatchTouchEvent', { type, touchPoints });
  /** Down with 1, up with -1. */
  const swipe = async (direction: 1 | -1) => {
    await touch('touchStart', [{ x: across, y: middle - direction * 120 }]);
    for (let way = -120; way <= 120; way += 20) await touch('touchMove', [{ x: across, y: middle + direction * way }]);
    await touch('touchEnd', []);
  };
  await swipe(1);
  await staysUp();
  // As far as there are lines by now.
  await expect(async () => {
    await swipe(-1);
    await expect(following).toBeVisible({ timeout: 1_000 });
  }).toPass();
  await goesOn();
  await close();
});
