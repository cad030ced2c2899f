import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, type Page } from '@playwright/test';
import type { Home } from './home.ts';

/** Lays a file on the person's disk and drags it onto the window, as the system does it: the window gets a file with a path. */
export async function drop(window: Page, home: Home, name: string, bytes: Buffer): Promise<void> {
  const path = join(home.folder, name);
  await writeFile(path, bytes);
  // Before the farm has said that one may submit here, the window takes no drop.
  await expect(window.getByRole('link', { name: 'Submit a job' }).first()).toBeVisible();
  const session = await window.context().newCDPSession(window);
  const drag = { x: 400, y: 300, data: { items: [], files: [path], dragOperationsMask: 1 } };
  for (const type of ['dragEnter', 'dragOver'] as const) await session.send('Input.dispatchDragEvent', { type, ...drag });
  await expect(window.getByText('Drop a zip or a folder to submit it')).toBeVisible();
  await session.send('Input.dispatchDragEvent', { type: 'drop', ...drag });
  await session.detach();
}
