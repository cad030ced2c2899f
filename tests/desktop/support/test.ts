import { test as base, expect } from '@playwright/test';
import { watchConsole } from '../../e2e/support/test.ts';
import { createHome, type Home } from './home.ts';

/** A fresh machine for each test; what its app wrote is attached to a failure. */
export const test = base.extend<{ home: Home }>({
  // biome-ignore lint/correctness/noEmptyPattern: the runner reads the names of fixtures from this pattern
  async home({}, use, info) {
    const home = await createHome();
    await use(home);
    if (info.status !== info.expectedStatus) await info.attach('log', { body: home.log(), contentType: 'text/plain' });
    await home.remove();
  },
});

export { expect, watchConsole };
