import { expect, test } from './support/test.ts';

test('the settings list their sections, lead to each, and mark those in sight', async ({ page, farm }) => {
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(farm.link);
  await page.goto(`${farm.url}/#/settings`);
  const list = page.getByRole('navigation', { name: 'Sections of the settings' });
  const panels = page.getByRole('region').filter({ has: page.getByRole('heading', { level: 2 }) });
  // With its entries it is as long as it stays.
  await expect(page.getByRole('region', { name: 'Audit log' }).getByRole('cell').first()).toBeVisible();
  await expect(list.getByRole('link')).toHaveText(await panels.getByRole('heading', { level: 2 }).allTextContents());
  const [first, last] = [list.getByRole('link').first(), list.getByRole('link', { name: 'Audit log' })];
  await expect(first).toHaveAttribute('data-in-sight', 'true');
  await expect(last).toHaveAttribute('data-in-sight', 'false');
  await last.press('Enter');
  await expect(page.getByRole('region', { name: 'Audit log' })).toBeFocused();
  await expect(page.getByRole('region', { name: 'Audit log' })).toBeInViewport();
  await expect(last).toHaveAttribute('data-in-sight', 'true');
  await expect(first).toHaveAttribute('data-in-sight', 'false');
  await expect(list, 'the list stays').toBeInViewport();
  // Narrow: above the sections, and nothing stands out at the side. Wide: side by side.
  await page.setViewportSize({ width: 900, height: 700 });
  await expect(list.getByRole('link')).toHaveCount(await panels.count());
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(900);
  await page.setViewportSize({ width: 3840, height: 2160 });
  await expect(list.locator('[data-in-sight="true"]')).toHaveCount(await panels.count());
});
