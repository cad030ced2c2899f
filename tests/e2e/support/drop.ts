import type { Page } from '@playwright/test';
import { expect } from './test.ts';

/** Drops a file of this page's own making on the window, as a hand would. */
export async function drop(page: Page, name: string, bytes: Buffer): Promise<void> {
  const transfer = await page.evaluateHandle(
    ({ name, base64 }) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const carried = new DataTransfer();
      carried.items.add(new File([bytes], name, { type: 'application/zip' }));
      return carried;
    },
    { name, base64: bytes.toString('base64') },
  );
  const target = page.getByRole('main');
  await target.dispatchEvent('dragenter', { dataTransfer: transfer });
  await expect(page.getByText('Drop a zip or a folder to submit it')).toBeVisible();
  await target.dispatchEvent('drop', { dataTransfer: transfer });
}
