import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../shared/limits.ts';
import { canMakeSmallDisk, smallDisk } from './testing/full-disk.ts';
import { type RawEntry, rawZip } from './testing/raw-zip.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { checkZip, extractZip, readJobFile } from './unzip.ts';

const MIB = 1024 * 1024;

/** @returns a folder that holds `input.zip` and nothing else */
async function folderWith(zip: Buffer): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'input.zip'), zip);
  return folder;
}

async function refusal(zip: Buffer): Promise<string> {
  const folder = await folderWith(zip);
  const failure: unknown = await extractZip(join(folder, 'input.zip'), join(folder, 'tree')).then(
    () => 'unpacked',
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({ code: 'INVALID' });
  expect(await readdir(folder)).toEqual(['input.zip']);
  return (failure as Error).message;
}

const good: RawEntry = { name: 'good.txt', data: 'good' };
const zeros = Buffer.alloc(MIB);

describe('hostile zips: names', () => {
  it.each<[string, RawEntry[], string, RegExp]>([
    ['a traversal', [{ name: '../out.txt', data: 'x' }], '"../out.txt"', /leads out/],
    ['a traversal within', [{ name: 'a/../../out.txt', data: 'x' }], '"a/../../out.txt"', /leads out/],
    ['a traversal behind ./', [{ name: './../out.txt', data: 'x' }], '"../out.txt"', /leads out/],
    ['a traversal as a folder', [{ name: '../', mode: 0o40755 }], '"../"', /leads out/],
    ['an absolute path', [{ name: '/tmp/out.txt', data: 'x' }], '"/tmp/out.txt"', /absolute/],
    ['a drive letter', [{ name: 'C:/out.txt', data: 'x' }], '"C:/out.txt"', /drive/],
    ['a backslash', [{ name: 'a\\..\\out.txt', data: 'x' }], '"a\\u{5c}..', /backslash/],
    ['a NUL', [{ name: 'a\0.txt', data: 'x' }], '"a\\u{0}.txt"', /NUL/],
    ['a device', [{ name: 'a/COM1.txt', data: 'x' }], '"a/COM1.txt"', /device/],
    ['a stream', [{ name: 'a.txt:hidden', data: 'x' }], '"a.txt:hidden"', /stream/],
    ['a dot at the end', [{ name: 'a./b', data: 'x' }], '"a./b"', /dot or a space/],
    ['a long name', [{ name: 'n'.repeat(300), data: 'x' }], '"nnn', /longer than 255/],
    [
      'a case twin',
      [
        { name: 'Read.me', data: 'x' },
        { name: 'READ.ME', data: 'y' },
      ],
      '"READ.ME"',
      /one and the same/,
    ],
    [
      'a Unicode twin',
      [
        { name: 'é', data: 'x' },
        { name: 'e\u0301', data: 'y' },
      ],
      'because of its entry',
      /one and the same/,
    ],
    [
      'twins among folders',
      [
        { name: 'A/x', data: 'x' },
        { name: 'a/y', data: 'y' },
      ],
      '"a/y"',
      /one and the same/,
    ],
    ['a name twice', [good, { name: 'good.txt', data: 'other' }], '"good.txt"', /twice/],
    [
      'a file that is a folder',
      [
        { name: 'a', data: 'x' },
        { name: 'a/b', data: 'y' },
      ],
      '"a/b"',
      /both a file and a folder/,
    ],
    [
      'a folder that is a file',
      [
        { name: 'a/b', data: 'y' },
        { name: 'a', data: 'x' },
      ],
      '"a"',
      /both a file and a folder/,
    ],
  ])('refuses %s', async (_, entries, name, fault) => {
    const message = await refusal(rawZip([{ name: 'first.txt', data: 'first' }, ...entries]));
    expect(message).toContain(name);
    expect(message).toMatch(fault);
  });

  it.each<[string, RawEntry, RegExp]>([
    ['a link that leads out', { name: 'link', data: '../../etc', mode: 0o120777, stored: true }, /symbolic link/],
    ['a link that stays inside', { name: 'link', data: 'good.txt', mode: 0o120777, stored: true }, /symbolic link/],
    ['a device node', { name: 'node', mode: 0o020666 }, /neither a file nor a folder/],
    ['a pipe', { name: 'pipe', mode: 0o010666 }, /neither a file nor a folder/],
    ['a folder with bytes', { name: 'folder/', data: 'bytes', mode: 0o40755 }, /bytes of its own/],
    ['an encrypted entry', { name: 'secret', data: 'x', flags: 0x801 }, /encrypted/],
    ['an unknown method', { name: 'bzip2', data: 'x', method: 12 }, /method/],
  ])('refuses %s', async (_, entry, fault) => {
    const message = await refusal(rawZip([good, entry]));
    expect(message).toContain(`"${String(entry.name)}"`);
    expect(message).toMatch(fault);
  });
});

describe('hostile zips: sizes', () => {
  it.each<[string, RawEntry, RegExp]>([
    ['less declared than there is', { name: 'liar', data: zeros, declaredBytes: 10 }, /more than the 10 bytes/],
    ['more declared than there is', { name: 'liar', data: 'abc', declaredBytes: 10 }, /less than the 10 bytes/],
    ['stored sizes that differ', { name: 'liar', data: 'abc', stored: true, declaredBytes: 2 }, /contradict/],
    ['a wrong checksum', { name: 'liar', data: 'abc', crc: 1 }, /checksum/],
    ['bytes that are no deflate', { name: 'liar', data: Buffer.alloc(50, 0xff), stored: true, method: 8 }, /cannot be unpacked/],
  ])('refuses %s', async (_, entry, fault) => {
    const message = await refusal(rawZip([good, entry]));
    expect(message).toContain('"liar"');
    expect(message).toMatch(fault);
  });

  it('refuses entries that share their bytes', async () => {
    const shared = { data: Buffer.alloc(100_000, 7), name: 'kernel' };
    const zip = rawZip([shared, { ...shared, name: 'copy 1', sharesWith: 0 }, { ...shared, name: 'copy 2', sharesWith: 0 }]);
    const message = await refusal(zip);
    expect(message).toMatch(/"(kernel|copy 1|copy 2)"/);
    expect(message).toMatch(/overlap/);
  });

  it('refuses an entry that reaches into the directory', async () => {
    const zip = rawZip([good]);
    zip.writeUInt32LE(500, 18);
    const directory = zip.indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    zip.writeUInt32LE(60, directory + 20);
    expect(await refusal(zip)).toMatch(/"good.txt".*directory/);
  });

  it('refuses a bomb by its ratio', async () => {
    const message = await refusal(rawZip([good, { name: 'bomb', data: Buffer.alloc(17 * MIB) }]));
    expect(message).toMatch(/"bomb".*bomb does/);
  });

  it('refuses many entries that are a bomb together', async () => {
    const folder = await folderWith(rawZip(Array.from({ length: 8 }, (_, index) => ({ name: `part ${index}`, data: zeros }))));
    const limits = { ...LIMITS, zipRatioFromBytes: 4 * MIB, zipRatio: 500 };
    await expect(checkZip(join(folder, 'input.zip'), limits)).rejects.toThrow(/bomb does/);
  });

  it('refuses more entries, folders and bytes than are allowed', async () => {
    const folder = await folderWith(rawZip([good, { name: 'a/b/c/d.txt', data: 'x' }]));
    const path = join(folder, 'input.zip');
    await expect(checkZip(path, { ...LIMITS, zipEntries: 1 })).rejects.toThrow(/2 entries; 1 are allowed/);
    await expect(checkZip(path, { ...LIMITS, zipEntries: 4 })).rejects.toThrow(/"a\/b\/c\/d.txt".*more than 4 names/);
    await expect(checkZip(path, { ...LIMITS, zipBytes: 4 })).rejects.toThrow(/"a\/b\/c\/d.txt".*more than 4 bytes/);
    expect(await checkZip(path, { ...LIMITS, zipEntries: 5, zipBytes: 5 })).toEqual({ files: 2, bytes: 5 });
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('this is no zip')],
    ['a zip that is cut', rawZip([good]).subarray(10)],
    ['a directory that promises more', rawZip([good], 3)],
  ])('refuses %s', async (_, zip) => {
    expect(await refusal(zip)).toMatch(/cannot be read/);
  });
});

describe('unpacking', () => {
  it('unpacks files, folders, and of the modes only "executable"', async () => {
    const folder = await folderWith(
      rawZip([
        { name: 'empty/', mode: 0o40700 },
        { name: 'a/b/run.sh', data: '#!/bin/sh', mode: 0o106711 },
        { name: 'a/plain.txt', data: 'plain', stored: true, mode: 0o100222 },
        { name: './dot.txt', data: 'dot' },
        { name: 'nothing', data: '' },
      ]),
    );
    const tree = join(folder, 'tree');
    const steps: number[] = [];
    expect(await extractZip(join(folder, 'input.zip'), tree, { progress: (done, total) => steps.push(total - done) })).toBe(17);
    expect(steps.at(-1)).toBe(0);
    expect((await readdir(tree, { recursive: true })).sort()).toEqual([
      'a',
      'a/b',
      'a/b/run.sh',
      'a/plain.txt',
      'dot.txt',
      'empty',
      'nothing',
    ]);
    expect((await stat(join(tree, 'a/b/run.sh'))).mode & 0o7777).toBe(0o755);
    expect((await stat(join(tree, 'a/plain.txt'))).mode & 0o7777).toBe(0o644);
    expect(await readFile(join(tree, 'a/plain.txt'), 'utf8')).toBe('plain');
  });

  it('leaves out what macOS adds', async () => {
    const folder = await folderWith(
      rawZip([{ name: '__MACOSX/._a', data: 'x' }, { name: '.DS_Store', data: 'x' }, { name: 'Icon\r', data: '' }, good]),
    );
    await extractZip(join(folder, 'input.zip'), join(folder, 'tree'));
    expect(await readdir(join(folder, 'tree'))).toEqual(['good.txt']);
  });

  it('never writes into a folder that is there already', async () => {
    const folder = await folderWith(rawZip([good]));
    await expect(extractZip(join(folder, 'input.zip'), folder)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readdir(folder)).toEqual(['input.zip']);
  });

  it('stops when it is told to and leaves nothing', async () => {
    const folder = await folderWith(rawZip(Array.from({ length: 20 }, (_, index) => ({ name: `file ${index}`, data: zeros }))));
    const abort = new AbortController();
    const progress = (): void => abort.abort(new Error('stopped'));
    await expect(extractZip(join(folder, 'input.zip'), join(folder, 'tree'), { progress, signal: abort.signal })).rejects.toThrow(
      'stopped',
    );
    expect(await readdir(folder)).toEqual(['input.zip']);
  });

  it.skipIf(!canMakeSmallDisk)('says that the disk is full and leaves nothing (needs the right to mount)', async () => {
    const folder = await folderWith(rawZip([good, { name: 'large', data: zeros }]));
    const disk = await smallDisk(256 * 1024);
    await expect(extractZip(join(folder, 'input.zip'), join(disk, 'tree'))).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(await readdir(disk)).toEqual([]);
  });
});

describe('the job description in a zip', () => {
  const read = async (entries: readonly RawEntry[]): ReturnType<typeof readJobFile> =>
    readJobFile(join(await folderWith(rawZip(entries)), 'input.zip'));

  it('is found at the top, or in the one folder that holds the rest', async () => {
    expect(await read([good, { name: 'lanyard.json', data: '\ufeff{"command":"a"}' }])).toEqual({ text: '{"command":"a"}', folder: '.' });
    expect(
      await read([
        { name: '__MACOSX/x', data: '' },
        { name: 'scene/a', data: '' },
        { name: 'scene/lanyard.json', data: '{}' },
      ]),
    ).toEqual({
      text: '{}',
      folder: 'scene',
    });
  });

  it('is not looked for anywhere else', async () => {
    expect(await read([good])).toBeUndefined();
    expect(await read([good, { name: 'scene/lanyard.json', data: '{}' }])).toBeUndefined();
    expect(await read([{ name: 'a/b/lanyard.json', data: '{}' }])).toBeUndefined();
    expect(await read([])).toBeUndefined();
  });

  it('is refused when it is too long or no text', async () => {
    await expect(read([{ name: 'lanyard.json', data: Buffer.alloc(MIB + 1, 32) }])).rejects.toThrow(/"lanyard.json".*longer/);
    await expect(read([{ name: 'lanyard.json', data: Buffer.from([0xff, 0xfe]) }])).rejects.toThrow(/UTF-8/);
  });
});
