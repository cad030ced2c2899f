import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createThrottle } from './throttle.ts';

/** A real process that is busy, as the leader of its group, and the state that the system gives it (T: stopped). */
async function busy() {
  const child = spawn('/bin/sh', ['-c', 'while :; do :; done'], { detached: true, stdio: 'ignore' });
  const group = child.pid as number;
  let over = false;
  const end = async () => {
    if (over) return;
    over = true;
    process.kill(-group, 'SIGKILL');
    await once(child, 'exit');
  };
  onTestFinished(end);
  const state = async () => (await readFile(`/proc/${group}/stat`, 'utf8')).split(') ')[1]?.[0];
  return { throttle: createThrottle(group, () => over), state, end };
}

test.skipIf(process.platform !== 'linux')('a share lets a group run and stand still in turns, and the whole lets it run', async () => {
  const { throttle, state } = await busy();
  throttle.set({ share: 0.3 });
  for (const expected of ['T', 'R', 'T', 'R']) await expect.poll(state, { interval: 5, timeout: 5_000 }).toBe(expected);
  throttle.set({ share: 1 });
  await expect.poll(state).toBe('R');
});

test.skipIf(process.platform !== 'linux')('frozen is frozen, whatever the share, until it is released', async () => {
  const { throttle, state, end } = await busy();
  throttle.set({ share: 0.5 });
  throttle.set({ frozen: true });
  for (let look = 0; look < 20; look++) await expect.poll(state, { interval: 5 }).toBe('T');
  throttle.set({ frozen: false, share: 1 });
  await expect.poll(state).toBe('R');
  throttle.set({ frozen: true });
  throttle.release();
  await expect.poll(state).toBe('R');
  throttle.set({ frozen: true });
  expect(await state()).not.toBe('T');
  await end();
});
