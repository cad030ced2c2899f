import { createZip } from '../e2e/support/zip.ts';
import { IMAGES } from '../integration/support/images.ts';
import { drop } from './support/drop.ts';
import { expect, test, watchConsole } from './support/test.ts';

const DESCRIPTION = {
  name: 'dropped',
  command: 'cat seed.txt > {frame:4}.txt && echo {frame} >> {frame:4}.txt',
  tasks: { kind: 'frames', frames: '1-3' },
  outputs: ['{frame:4}.txt'],
  requirements: { cpu: 0.1, ramMb: 32 },
};

for (const { where, image } of [
  { where: 'without a container', image: null },
  { where: 'in Docker', image: IMAGES.busybox },
])
  test(`the app starts, shows its farm, and a zip that is dropped on it finishes ${where}`, async ({ home }) => {
    const app = await home.start();
    const window = await app.firstWindow();
    const problems = await watchConsole(window);
    await window.getByRole('link', { name: 'Farm' }).first().click();
    await expect(window.getByRole('link', { name: /this-machine/ })).toBeVisible();
    const zip = createZip({ 'lanyard.json': JSON.stringify({ ...DESCRIPTION, image }), 'seed.txt': 'seed\n' });
    await drop(window, home, 'shot.zip', zip);
    await window.getByRole('button', { name: 'Submit 3 tasks' }).click();
    await expect(window.getByText('3 of 3 tasks ended')).toBeVisible();
    await window.getByRole('button', { name: '0002.txt', exact: true }).click();
    await expect(window.getByLabel('Text of 0002.txt')).toHaveText(/seed\s+2/);
    expect(problems).toEqual([]);
  });
