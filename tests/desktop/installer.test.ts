import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createHome, type Home } from './support/home.ts';
import { type PackagedApp, packApp } from './support/package.ts';
import { expect, test } from './support/test.ts';
import { openThrowaway, type ThrowawaySystem } from './support/throwaway.ts';

/** The .deb, as electron-builder lays it out: what is in it, and how it comes onto a machine and goes again. */

const run = promisify(execFile);
let app: PackagedApp | undefined;
let home: Home | undefined;
let system: ThrowawaySystem | string;
let deb = '';

test.beforeAll(async () => {
  test.setTimeout(180_000);
  if (process.platform !== 'linux' || (await lacks('dpkg-deb'))) test.skip(true, 'a .deb is made by dpkg-deb');
  app = await packApp();
  deb = await app.deb('-c.extraMetadata.homepage=https://studio.example/lanyard', '-c.linux.maintainer=Ines <ines@studio.example>');
});
test.afterAll(async () => {
  await home?.remove();
  await app?.remove();
});

async function lacks(program: string): Promise<boolean> {
  return await run('sh', ['-c', 'command -v "$1"', 'sh', program]).then(
    () => false,
    () => true,
  );
}

test('it names what it needs, opens zips and invites, and brings icons and terms', async () => {
  const { stdout: fields } = await run('dpkg-deb', ['--field', deb]);
  expect(fields).toMatch(/^Package: lanyard$/m);
  expect(fields).toMatch(/^Homepage: https:\/\/studio\.example\/lanyard$/m);
  expect(fields).toMatch(/^Maintainer: Ines <ines@studio\.example>$/m);
  for (const library of ['libgtk-3-0', 'libnss3', 'libgbm1', 'libasound2', 'libnotify4', 'libsecret-1-0'])
    expect(fields).toContain(library);
  const folder = join((app as PackagedApp).folder, '../extracted');
  await run('dpkg-deb', ['--extract', deb, folder]);
  const entry = join(folder, 'usr/share/applications/lanyard-desktop.desktop');
  const text = await readFile(entry, 'utf8');
  expect(text).toMatch(/^Exec=\/opt\/Lanyard\/lanyard-desktop %U$/m);
  expect(text).toMatch(/^MimeType=application\/zip;x-scheme-handler\/lanyard;$/m);
  // By this a launcher knows its windows: of the name in `package.json`, as the Electron that ships gives it to them.
  expect(text).toMatch(/^StartupWMClass=lanyard-desktop$/m);
  // What a zip is, the system knows; a package of ours must not say it anew.
  expect(existsSync(join(folder, 'usr/share/mime'))).toBe(false);
  const sizes = await readdir(join(folder, 'usr/share/icons/hicolor'));
  for (const size of sizes) expect(existsSync(join(folder, 'usr/share/icons/hicolor', size, 'apps/lanyard-desktop.png'))).toBe(true);
  expect(sizes).toEqual(expect.arrayContaining(['16x16', '48x48', '256x256']));
  for (const file of ['resources/THIRD-PARTY-NOTICES.txt', 'resources/LICENSE.txt', 'LICENSES.chromium.html'])
    expect(existsSync(join(folder, 'opt/Lanyard', file)), file).toBe(true);
  test.skip(await lacks('desktop-file-validate'), 'the entry itself is validated by desktop-file-validate');
  const { stdout } = await run('desktop-file-validate', ['--warn-kde', entry]);
  expect(stdout).toBe('');
});

test('it is installed, is found by its name and its links, works, and goes without a trace but what its user made', async () => {
  test.skip((await lacks('xdg-mime')) || (await lacks('update-desktop-database')), 'needs xdg-utils and desktop-file-utils');
  system = await openThrowaway();
  if (typeof system === 'string') {
    test.skip(true, system);
    return;
  }
  let child: ChildProcess | undefined;
  try {
    await system.run('dpkg', '--install', deb);
    expect(await system.run('readlink', '-f', '/usr/bin/lanyard-desktop')).toBe('/opt/Lanyard/lanyard-desktop');
    expect(await system.run('xdg-mime', 'query', 'default', 'x-scheme-handler/lanyard')).toBe('lanyard-desktop.desktop');
    home = await createHome();
    const { data, environment } = home;
    child = system.start('lanyard-desktop', ['--no-sandbox', '--hidden'], environment);
    await expect.poll(() => readFile(join(data, 'desktop/logs/lanyard.log'), 'utf8').catch(() => '')).toContain('the app is up');
    const client = await home.client();
    const spec = { command: 'true', image: null, requirements: { cpu: 0.1, ramMb: 32 } };
    const { id } = await client.call('submitJob', { body: spec });
    await expect.poll(async () => (await client.call('getJob', { params: { job: id } })).state).toBe('COMPLETED');
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    await system.run('dpkg', '--purge', 'lanyard');
    const left = await system.run(
      'find',
      '/opt',
      '/usr',
      '/etc',
      '/var/lib/dpkg',
      '-xdev',
      '-iname',
      '*lanyard*',
      '-not',
      '-path',
      '/usr/src/*',
    );
    expect(left).toBe('');
    expect(await readdir(data)).toContain('roster.json');
  } finally {
    if (child?.exitCode === null) child.kill('SIGKILL');
    await system.remove();
  }
});
