import { defineConfig } from '@playwright/test';

/** The built app in a real Electron, on real farms, on a display of its own. */
export default defineConfig({
  testDir: '.',
  outputDir: '../../.cache/desktop',
  globalSetup: './support/setup.ts',
  workers: 1,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  reporter: [['list'], ['../e2e/support/reporter.ts', { part: 'desktop' }]],
});
