import { expect, it } from 'vitest';
import { quitQuestion } from './texts.ts';

it('asks before the end about as many tasks as run', () => {
  expect(quitQuestion(1)).toMatchObject({
    message: 'One task is running on this machine.',
    detail: expect.stringContaining('the task stops and starts over elsewhere'),
  });
  expect(quitQuestion(3)).toMatchObject({
    message: '3 tasks are running on this machine.',
    detail: expect.stringContaining('once the tasks have ended'),
  });
});
