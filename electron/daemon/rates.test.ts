import { expect, test } from 'vitest';
import { createRates } from './rates.ts';

test('a rate is the mean since it was last asked for', () => {
  const now = { ms: 500, log: 100, transfer: 0 };
  const rates = createRates({ elapsedMs: () => now.ms }, () => ({ log: now.log, transfer: now.transfer }));
  Object.assign(now, { ms: 2_500, log: 4_100 });
  expect(rates()).toEqual({ log: 2_000, transfer: 0 });
  Object.assign(now, { ms: 3_000, transfer: 50 });
  expect(rates()).toEqual({ log: 0, transfer: 100 });
  expect(rates()).toEqual({ log: 0, transfer: 0 });
});
