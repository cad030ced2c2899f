import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { collectOutputs } from './outputs.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

async function taskFolder(...paths: readonly string[]): Promise<string> {
  const folder = join(await temporaryFolder(), 'task');
  await mkdir(folder);
  for (const path of paths) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), path);
  }
  return folder;
}

async function collected(folder: string, globs: readonly string[], workdir = '.'): Promise<readonly string[]> {
  return (await collectOutputs(folder, workdir, globs)).files.map(({ path }) => path);
}

describe('collecting outputs', () => {
  it('finds what matches, sorted, and says which globs matched nothing', async () => {
    const folder = await taskFolder('out/0002.png', 'out/0001.png', 'out/deep/0003.png', 'log.txt');
    const { files, missing } = await collectOutputs(folder, '.', ['out/*.png', './log.txt', '*.exr', '/etc/passwd', '../*']);
    expect(files.map(({ path, bytes }) => [path, bytes])).toEqual([
      ['log.txt', 7],
      ['out/0001.png', 12],
      ['out/0002.png', 12],
    ]);
    expect(files[1]?.source).toBe(join(folder, 'out/0001.png'));
    expect(missing).toEqual(['*.exr', '/etc/passwd', '../*']);
    expect(await collected(folder, ['**/*.png'])).toEqual(['out/0001.png', 'out/0002.png', 'out/deep/0003.png']);
    expect(await collected(folder, ['out/{0001,0003}.png'])).toEqual(['out/0001.png']);
  });

  it('names files relative to the working folder', async () => {
    const folder = await taskFolder('scene/out/a.png', 'b.png');
    expect(await collected(folder, ['**/*.png'], 'scene')).toEqual(['out/a.png']);
    expect(await collectOutputs(folder, 'absent', ['*'])).toEqual({ files: [], missing: ['*'] });
  });

  it('takes files with a leading dot only where the glob has one', async () => {
    const folder = await taskFolder('.cache/x', '.env', 'a');
    expect(await collected(folder, ['**'])).toEqual(['a']);
    expect(await collected(folder, ['.env', '.cache/*'])).toEqual(['.cache/x', '.env']);
  });

  it('takes a link to a file inside as that file, and enters no folder that is a link', async () => {
    const folder = await taskFolder('real/frame.png');
    await symlink('real/frame.png', join(folder, 'latest.png'));
    await symlink('real', join(folder, 'again'));
    await symlink('nowhere.png', join(folder, 'dangling.png'));
    const { files } = await collectOutputs(folder, '.', ['**/*.png', '*', 'again/*']);
    expect(files.map(({ path, source }) => [path, source])).toEqual([
      ['latest.png', join(folder, 'real/frame.png')],
      ['real/frame.png', join(folder, 'real/frame.png')],
    ]);
  });

  it('refuses links that lead out, by name', async () => {
    const folder = await taskFolder('a');
    await writeFile(join(folder, '..', 'secret'), 'secret');
    await symlink('/etc/passwd', join(folder, 'passwd'));
    await symlink('../secret', join(folder, 'secret'));
    await expect(collected(folder, ['pass*'])).rejects.toThrow(/"passwd".*leads out/);
    await expect(collected(folder, ['secret'])).rejects.toMatchObject({ code: 'INVALID' });
    expect(await collected(folder, ['a'])).toEqual(['a']);
  });

  it('refuses a working folder that leads out', async () => {
    const folder = await taskFolder('a');
    await symlink('/etc', join(folder, 'etc'));
    await expect(collected(folder, ['passwd'], 'etc')).rejects.toThrow(/"etc".*leads out/);
    await expect(collected(folder, ['*'], '..')).rejects.toThrow(/leads out/);
  });

  it('refuses names that not every system can have', async () => {
    const folder = await taskFolder('good.png', 'ab:c.png', 'con.png');
    await expect(collected(folder, ['a*.png'])).rejects.toThrow(/"ab:c.png".*colon/);
    await expect(collected(folder, ['con.png'])).rejects.toThrow(/device/);
    expect(await collected(folder, ['good.*'])).toEqual(['good.png']);
  });

  it.skipIf(process.platform === 'win32')('passes over pipes', async () => {
    const folder = await taskFolder('a');
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    expect(await collectOutputs(folder, '.', ['pipe'])).toEqual({ files: [], missing: ['pipe'] });
  });
});
