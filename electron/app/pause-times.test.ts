import { expect, it } from 'vitest';
import { tomorrowMorning } from './pause-times.ts';

it('tomorrow begins at eight, also over the end of a month', () => {
  const evening = new Date(2026, 0, 31, 22, 15).getTime();
  expect(new Date(tomorrowMorning(evening))).toEqual(new Date(2026, 1, 1, 8));
});
