import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createClock } from '../../electron/machine/clock.ts';
import { createManualClock } from '../fakes/clock.ts';
import { clockContract } from './clock.ts';

clockContract('the real clock', () => ({
  clock: createClock(),
  async until(happened) {
    while (!happened()) await setTimeout(1);
  },
}));

clockContract('the manual clock', () => {
  const clock = createManualClock();
  return {
    clock,
    async until(happened) {
      while (!happened()) clock.advance(1);
    },
  };
});

test('the manual clock calls what falls due on the way at its own time', () => {
  const clock = createManualClock({ wallMs: 1_000 });
  const calls: number[] = [];
  clock.after(10, () => {
    calls.push(clock.wallMs());
    clock.after(10, () => calls.push(clock.wallMs()));
  });
  clock.after(500, () => calls.push(clock.wallMs()));
  clock.advance(100);
  expect(calls).toEqual([1_010, 1_020]);
  expect([clock.elapsedMs(), clock.wallMs(), clock.pending]).toEqual([100, 1_100, 1]);
  clock.jumpWall(-5_000);
  expect([clock.elapsedMs(), clock.wallMs()]).toEqual([100, -3_900]);
});
