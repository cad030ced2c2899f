import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';

/** @returns each rule of axe that the page breaks, with the elements that break it */
export async function axeFindings(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
}
