import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from '@playwright/test';

const run = promisify(execFile);

/** What the question before the end is answered by, in the order of its buttons. */
const QUIT_ANSWERS = ['Keep Running', 'Finish Them First', 'Quit Now'] as const;

/**
 * Answers the question that stands, or soon stands, on the screen when the app is told to quit while tasks run: by keys, as a
 * person does. The app is to have no window then: one that opens late would take the keyboard for itself.
 */
export async function answerQuit(answer: (typeof QUIT_ANSWERS)[number]): Promise<void> {
  const title = '^Quit Lanyard\\?$';
  const steps = Array.from({ length: QUIT_ANSWERS.indexOf(answer) }, () => 'Tab');
  // No window manager gives a window the keyboard here.
  const press = ['windowfocus', '--sync', 'key', ...steps, 'Return'];
  await run('xdotool', ['search', '--sync', '--onlyvisible', '--name', title, ...press], { timeout: 30_000 });
  // It fails where it finds none.
  const stands = () =>
    run('xdotool', ['search', '--onlyvisible', '--name', title]).then(
      () => true,
      () => false,
    );
  await expect.poll(stands).toBe(false);
}
