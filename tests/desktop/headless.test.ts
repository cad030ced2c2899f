import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from './support/test.ts';

const run = promisify(execFile);
const PACKED = join(import.meta.dirname, '../../dist/cli');

test('the headless program is packed, installed on plain Node without anything else, and renders the demo', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-headless-'));
  try {
    await run('npm', ['pack', PACKED, '--pack-destination', folder, '--loglevel', 'error'], { cwd: folder });
    const [archive = ''] = await readdir(folder);
    await run('npm', ['install', '--prefix', join(folder, 'installed'), '--offline', '--loglevel', 'error', join(folder, archive)], {
      cwd: folder,
    });
    const lanyard = join(folder, 'installed/node_modules/.bin/lanyard');
    // The Node of these tests, and no folder of this repository.
    const env = { PATH: `${join(process.execPath, '..')}:/usr/bin:/bin`, HOME: folder };
    const demo = ['demo', '--frames', '1-4', '--size', '64x36', '--samples', '1', '--out', join(folder, 'out'), '--json'];
    const { stdout } = await run(lanyard, demo, { cwd: folder, env });
    expect(JSON.parse(stdout)).toMatchObject({ job: { state: 'COMPLETED' } });
    expect(existsSync(join(folder, 'out/contact-sheet.png'))).toBe(true);
    expect(existsSync(join(folder, 'installed/node_modules/lanyard/out/renderer/index.html'))).toBe(true);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
