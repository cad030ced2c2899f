import { defineConfig } from '@playwright/test';

/** Real Chromium against real farms. Debian's own browser is used; as root it needs `--no-sandbox`. */
export default defineConfig({
  testDir: '.',
  outputDir: '../../.cache/e2e',
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list'], ['./support/reporter.ts', { part: 'e2e' }]],
  use: {
    viewport: { width: 1280, height: 800 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    },
    // Its snapshots would fetch pictures anew, which the page's content security policy forbids.
    trace: { mode: 'retain-on-failure', snapshots: false },
  },
});
