import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from './support/test.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
/** Of what the window is made, which is bundled and so no dependency of the packages. */
const IN_THE_WINDOW = [
  'react',
  'react-dom',
  'zustand',
  '@base-ui/react',
  '@xyflow/react',
  '@tanstack/react-virtual',
  'uplot',
  'lucide-react',
];

const read = (path: string) => readFile(join(REPOSITORY, path), 'utf8');
const described = async (folder: string) => JSON.parse(await read(join(folder, 'package.json')));

for (const [what, path] of [
  ['the desktop app', 'out/THIRD-PARTY-NOTICES.txt'],
  ['the headless program', 'dist/cli/THIRD-PARTY-NOTICES.txt'],
] as const)
  test(`the notice of ${what} lists every dependency that ships, with its version and terms`, async () => {
    const notice = await read(path);
    const { dependencies } = await described('.');
    // The app has no command line, the headless program no updates.
    const others = what === 'the desktop app' ? ['commander'] : [];
    for (const name of [...Object.keys(dependencies), ...IN_THE_WINDOW]) {
      if (others.includes(name)) continue;
      const { version } = await described(join('node_modules', name));
      expect(notice, name).toContain(`\n${name} ${version}\n`);
    }
    expect(notice).toContain('Permission is hereby granted, free of charge');
    expect(notice).toContain('Apache License');
  });

test('the menu and the settings open the notice', async ({ home }) => {
  const app = await home.start();
  const window = await app.firstWindow();
  await app.evaluate(({ shell }) => {
    const opened: string[] = [];
    (globalThis as { opened?: string[] }).opened = opened;
    shell.openPath = async (path) => {
      opened.push(path);
      return '';
    };
  });
  await window.getByRole('link', { name: 'Settings' }).click();
  await window.getByRole('button', { name: 'What others have made of it' }).click();
  await app.evaluate(({ Menu }) => {
    const help = Menu.getApplicationMenu()?.items.find(({ role }) => role === 'help');
    help?.submenu?.items.find(({ label }) => label === 'Third-Party Licences')?.click();
  });
  const notice = join(REPOSITORY, 'out/THIRD-PARTY-NOTICES.txt');
  await expect.poll(() => app.evaluate(() => (globalThis as { opened?: string[] }).opened)).toEqual([notice, notice]);
});
