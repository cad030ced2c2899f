import { expect, type Page } from '@playwright/test';
import { axeFindings } from '../../e2e/support/axe.ts';

/** What the window shows breaks no rule of axe in either theme. */
export async function expectAccessible(window: Page): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await window.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await axeFindings(window), colorScheme).toEqual([]);
  }
}
