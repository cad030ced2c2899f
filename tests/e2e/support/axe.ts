import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';

/** Works in a window of Electron too, which opens no page for frames of other origins: there are none. @returns each rule of axe that the page breaks, with the elements that break it */
export async function axeFindings(page: Page): Promise<string[]> {
  const { violations, passes } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  if (passes.length === 0) throw new Error('axe has looked at nothing');
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
}
