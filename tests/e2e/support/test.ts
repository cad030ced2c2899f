import { test as base, expect, type Page } from '@playwright/test';
import { startFarm, type TestFarm } from './farm.ts';

/** A page that fails its test for any error in its console: a content security policy that does not hold says so there. */
export const test = base.extend<{ page: Page }, { farm: TestFarm }>({
  farm: [
    // biome-ignore lint/correctness/noEmptyPattern: the runner reads the names of fixtures from this pattern
    async ({}, use) => {
      const farm = await startFarm({ workers: [{ name: 'render-01', maxParallel: 2 }], limits: ['nuke=2'] });
      await use(farm);
      await farm.stop();
    },
    { scope: 'worker', timeout: 60_000 },
  ],
  async page({ page }, use) {
    const problems = await watchConsole(page);
    await use(page);
    expect(problems).toEqual([]);
  },
});

export { expect };

const AWAY = /ERR_(CONNECTION_[A-Z]+|SOCKET_NOT_CONNECTED|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/;

/** What a page complains of, but for a coordinator that is away: tests take it away. */
export async function watchConsole(page: Page): Promise<readonly string[]> {
  const problems: string[] = [];
  await page.exposeFunction('reportViolation', (text: string) => problems.push(text));
  await page.addInitScript(() =>
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      (window as unknown as { reportViolation(text: string): void }).reportViolation(`${violatedDirective} forbids ${blockedURI}`),
    ),
  );
  page.on('console', (message) => {
    // That a blob is not there yet, a file no picture, or a token not known, are answers like any other; the browser writes them down all the same.
    const isAnswer = /\/api\/blobs\/|\/thumbnails\//.test(message.location().url) || /status of 401/.test(message.text());
    const isExpected = AWAY.test(message.text()) || isAnswer;
    if (message.type() === 'error' && !isExpected) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  return problems;
}

/** Small enough that the one test machine runs two at once. */
export const SMALL = { requirements: { cpu: 0.1, ramMb: 32 } } as const;
