import { expect, test } from 'vitest';
import { formatCpuTime } from './format.ts';

test('CPU time that a tick does not measure is said to be less than one', () => {
  expect([0, 9, 10, 340, 4_200].map(formatCpuTime)).toEqual(['under 10 ms', 'under 10 ms', '10 ms', '340 ms', '4.2 s']);
});
