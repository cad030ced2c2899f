import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { attemptId, type BlobId, type JobId } from '../../shared/ids.ts';
import type { BlobReference, Phase } from '../../shared/protocol.ts';
import type { Blobs, BlobTransfer } from '../ports/files.ts';
import type { Workspace, WorkspaceResult, Workspaces } from '../ports/workspace.ts';
import { openBlobs } from './blobs.ts';
import { canMakeSmallDisk, smallDisk } from './testing/full-disk.ts';
import { type RawEntry, rawZip } from './testing/raw-zip.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { CONTAINER_USER } from './trees.ts';
import { openWorkspaces } from './workspaces.ts';

const MIB = 1024 * 1024;
const asRoot = process.getuid?.() === 0;
const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const never = new AbortController().signal;
const attempt = (number: number) => attemptId(1 as JobId, 0, number);

/** A coordinator's blobs on this disk; a test can hold transfers back. */
class LocalTransfer implements BlobTransfer {
  readonly source: Blobs;
  readonly movedBytes = 0;
  fetches = 0;
  stopped = 0;
  gate: Promise<unknown> = Promise.resolve();
  /** Reports progress of the transfer that began last. */
  tick: () => void = () => undefined;

  constructor(source: Blobs) {
    this.source = source;
  }

  async fetch(blob: BlobId, bytes: number, into: Blobs, progress: (done: number) => void, signal: AbortSignal): Promise<void> {
    this.fetches += 1;
    this.tick = () => progress(0);
    const stopped = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => {
        this.stopped += 1;
        reject(signal.reason);
      });
    });
    await Promise.race([this.gate, stopped]);
    await into.write(this.source.read(blob), { blob });
    progress(bytes);
  }

  async upload(): Promise<never> {
    throw new Error('not used here');
  }
}

interface Bench {
  readonly folder: string;
  readonly transfer: LocalTransfer;
  readonly blobs: Blobs;
  readonly workspaces: Workspaces;
  put(bytes: Buffer | string): Promise<BlobReference>;
  zip(...entries: RawEntry[]): Promise<BlobReference>;
  create(
    number: number,
    input: BlobReference | null,
    files?: readonly (BlobReference & { path: string })[],
    signal?: AbortSignal,
  ): Promise<WorkspaceResult>;
  reopen(): Promise<Workspaces>;
}

async function bench(cacheBytes = 64 * MIB, workFolder?: string): Promise<Bench> {
  const base = await temporaryFolder();
  const folder = workFolder ?? join(base, 'work');
  const blobs = await openBlobs(join(folder, 'blobs'));
  const transfer = new LocalTransfer(await openBlobs(join(base, 'coordinator')));
  const reopen = (): Promise<Workspaces> => openWorkspaces({ folder, cacheBytes, blobs, transfer, logger });
  const workspaces = await reopen();
  const put = (bytes: Buffer | string): Promise<BlobReference> => transfer.source.write(Readable.from([Buffer.from(bytes)]));
  return {
    folder,
    transfer,
    blobs,
    workspaces,
    reopen,
    put,
    zip: (...entries) => put(rawZip(entries)),
    create: (number, input, files = [], signal = never) => workspaces.create(attempt(number), input, files, () => undefined, signal),
  };
}

function workspaceOf(result: WorkspaceResult): Workspace {
  if ('refused' in result) throw new Error(`${result.refused}: ${result.message}`);
  return result.workspace;
}

async function attemptFolders({ folder }: Bench): Promise<string[]> {
  return readdir(join(folder, 'attempts'));
}

describe('workspaces: the input', () => {
  it('gives each attempt a copy of its own, fetched and unpacked once', async () => {
    const work = await bench();
    const input = await work.zip({ name: 'scene/a.txt', data: 'original' }, { name: 'run.sh', data: '#!', mode: 0o100755 });
    const phases: Phase[] = [];
    const first = workspaceOf(await work.workspaces.create(attempt(1), input, [], (phase) => phases.push(phase), never));
    await writeFile(join(first.folder, 'scene/a.txt'), 'changed');
    await writeFile(join(first.folder, 'new.txt'), 'new');
    const second = workspaceOf(await work.create(2, input));
    expect(await readFile(join(second.folder, 'scene/a.txt'), 'utf8')).toBe('original');
    expect((await readdir(second.folder)).sort()).toEqual(['run.sh', 'scene']);
    expect((await stat(join(second.folder, 'run.sh'))).mode & 0o777).toBe(0o755);
    expect(work.transfer.fetches).toBe(1);
    expect(new Set(phases.map(({ phase }) => phase))).toEqual(new Set(['fetching', 'unpacking']));
    expect(work.workspaces.cached()).toEqual([input.blob]);
    await first.remove();
    await second.remove();
    expect(await attemptFolders(work)).toEqual([]);
  });

  it('makes an empty folder without an input', async () => {
    const work = await bench();
    const { folder } = workspaceOf(await work.create(1, null));
    expect(await readdir(folder)).toEqual([]);
  });

  it('shares one transfer among attempts, and goes on when one of them is stopped', async () => {
    const work = await bench();
    const input = await work.zip({ name: 'a', data: 'a' });
    const gate = Promise.withResolvers<void>();
    work.transfer.gate = gate.promise;
    const other = work.create(2, input);
    await expect.poll(() => work.transfer.fetches).toBe(1);
    const stop = new AbortController();
    const joined: Phase[] = [];
    const stopped = work.workspaces.create(attempt(1), input, [], (phase) => joined.push(phase), stop.signal);
    const third = work.create(3, input);
    await expect
      .poll(() => {
        work.transfer.tick();
        return joined.length;
      })
      .toBeGreaterThan(0);
    stop.abort();
    expect(await stopped).toMatchObject({ refused: 'cancelled' });
    gate.resolve();
    workspaceOf(await other);
    workspaceOf(await third);
    expect(work.transfer).toMatchObject({ fetches: 1, stopped: 0 });
    expect((await attemptFolders(work)).sort()).toEqual(['1.0.2', '1.0.3']);
  });

  it('stops a transfer that nobody waits for, and begins again for the next', async () => {
    const work = await bench();
    const input = await work.zip({ name: 'a', data: 'a' });
    work.transfer.gate = new Promise(() => undefined);
    const stop = new AbortController();
    const only = work.create(1, input, [], stop.signal);
    await expect.poll(() => work.transfer.fetches).toBe(1);
    stop.abort();
    work.transfer.gate = Promise.resolve();
    const next = work.create(2, input);
    expect(await only).toMatchObject({ refused: 'cancelled' });
    workspaceOf(await next);
    expect(work.transfer).toMatchObject({ fetches: 2, stopped: 1 });
  });

  it('keeps no second copy of what it fetched, and leaves alone what was there before', async () => {
    const work = await bench();
    const fetched = await work.zip({ name: 'a', data: 'a' });
    workspaceOf(await work.create(1, fetched));
    expect(await work.blobs.size(fetched.blob)).toBeUndefined();
    const own = await work.blobs.write(Readable.from([rawZip([{ name: 'b', data: 'b' }])]));
    workspaceOf(await work.create(2, own));
    expect(await work.blobs.size(own.blob)).toBe(own.bytes);
    expect(work.transfer.fetches).toBe(1);
  });
});

describe('workspaces: refusals', () => {
  it('refuses a hostile zip and leaves nothing of it', async () => {
    const work = await bench();
    const input = await work.zip({ name: 'good', data: 'x' }, { name: '../../evil', data: 'x' });
    expect(await work.create(1, input)).toMatchObject({ refused: 'input-refused', message: expect.stringContaining('"../../evil"') });
    const lying = await work.zip({ name: 'liar', data: Buffer.alloc(MIB), declaredBytes: 1 });
    expect(await work.create(2, lying)).toMatchObject({ refused: 'input-refused', message: expect.stringContaining('"liar"') });
    expect(await work.create(3, await work.put('no zip'))).toMatchObject({ refused: 'input-refused' });
    expect(await attemptFolders(work)).toEqual([]);
    expect(await readdir(join(work.folder, 'cache'))).toEqual([]);
  });

  it('says when the input cannot be had', async () => {
    const work = await bench();
    const missing = { blob: 'f'.repeat(64) as BlobId, bytes: 3 };
    expect(await work.create(1, missing)).toMatchObject({
      refused: 'input-unavailable',
      message: expect.stringContaining('There is no blob'),
    });
    expect(await work.create(2, null, [{ ...missing, path: 'a' }])).toMatchObject({ refused: 'input-unavailable' });
  });

  it.skipIf(!canMakeSmallDisk)('blames the machine for a full disk (needs the right to mount)', async () => {
    const work = await bench(64 * MIB, await smallDisk(256 * 1024));
    const input = await work.zip({ name: 'large', data: Buffer.alloc(MIB) });
    expect(await work.create(1, input)).toMatchObject({ refused: 'infrastructure', message: expect.stringContaining('disk is full') });
    expect(await work.create(2, await work.put(Buffer.alloc(MIB)))).toMatchObject({ refused: 'infrastructure' });
    workspaceOf(await work.create(3, await work.zip({ name: 'small', data: 'small' })));
  });
});

describe('workspaces: further files', () => {
  it('lays them over the input', async () => {
    const work = await bench();
    const input = await work.zip({ name: 'a.txt', data: 'old' }, { name: 'b.txt', data: 'stays' });
    const file = await work.put('new');
    const files = [
      { ...file, path: 'a.txt' },
      { ...file, path: 'deep/er/c.txt' },
    ];
    const { folder } = workspaceOf(await work.create(1, input, files));
    expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('new');
    expect(await readFile(join(folder, 'b.txt'), 'utf8')).toBe('stays');
    expect(await readFile(join(folder, 'deep/er/c.txt'), 'utf8')).toBe('new');
    workspaceOf(await work.create(2, input, files));
    expect(work.transfer.fetches).toBe(2);
    expect(work.workspaces.cached()).toEqual([input.blob]);
  });

  it('takes one blob as a tree and as a file at once', async () => {
    const work = await bench();
    const input = await work.zip({ name: 'a', data: 'a' });
    const results = await Promise.all([work.create(1, input), work.create(2, null, [{ ...input, path: 'scene.zip' }])]);
    const folders = results.map((result) => workspaceOf(result).folder);
    expect(await readdir(folders[0] ?? '')).toEqual(['a']);
    expect(await readdir(folders[1] ?? '')).toEqual(['scene.zip']);
  });

  it.each([
    ['../out', /leads out/],
    ['/etc/x', /absolute/],
    ['folder', /a file where it needs a folder, or/],
    ['file/x', /a file where it needs a folder, or/],
  ])('refuses the path %j', async (path, message) => {
    const work = await bench();
    const input = await work.zip({ name: 'folder/a', data: 'a' }, { name: 'file', data: 'f' });
    const file = await work.put('x');
    const result = await work.create(1, input, [{ ...file, path }]);
    expect(result).toMatchObject({ refused: 'input-refused', message: expect.stringMatching(message) });
    expect(await attemptFolders(work)).toEqual([]);
  });
});

describe('workspaces: the cache', () => {
  it('drops what was not used for longest, and never what a live attempt uses', async () => {
    const work = await bench(2.5 * MIB);
    const inputs: BlobReference[] = [];
    for (const index of [0, 1, 2, 3]) inputs.push(await work.zip({ name: `file ${index}`, data: Buffer.alloc(MIB, index) }));
    const [a, b, c, d] = inputs as [BlobReference, BlobReference, BlobReference, BlobReference];
    const holding = workspaceOf(await work.create(1, a));
    await workspaceOf(await work.create(2, b)).remove();
    await workspaceOf(await work.create(3, c)).remove();
    expect(work.workspaces.cached()).toEqual([c.blob, a.blob]);
    await holding.remove();
    await workspaceOf(await work.create(4, d)).remove();
    expect(work.workspaces.cached()).toEqual([d.blob, c.blob]);
    expect(await readdir(join(work.folder, 'cache'))).toHaveLength(2);
  });

  it('tells what it holds, and clears what nothing works on', async () => {
    const work = await bench();
    const [used, idle] = [await work.zip({ name: 'a', data: Buffer.alloc(MIB) }), await work.zip({ name: 'b', data: 'b' })];
    const holding = workspaceOf(await work.create(1, used));
    await workspaceOf(await work.create(2, idle)).remove();
    const { capBytes, inputs } = await work.workspaces.cache(false);
    expect(capBytes).toBeGreaterThan(MIB);
    expect(inputs).toEqual([
      { kind: 'tree', blob: idle.blob, bytes: 1, usedAt: expect.any(Number), isHeld: false },
      { kind: 'tree', blob: used.blob, bytes: MIB, usedAt: expect.any(Number), isHeld: true },
    ]);
    expect((await work.workspaces.cache(true)).inputs.map(({ blob }) => blob)).toEqual([used.blob]);
    expect(work.workspaces.cached()).toEqual([used.blob]);
    await holding.remove();
    expect((await work.workspaces.cache(true)).inputs).toEqual([]);
  });

  it('is still there after a restart; what was half made is not', async () => {
    const work = await bench();
    const first = await work.zip({ name: 'a', data: 'a' });
    const second = await work.zip({ name: 'b', data: 'b' });
    await workspaceOf(await work.create(1, first)).remove();
    workspaceOf(await work.create(2, second));
    await mkdir(join(work.folder, 'cache', 'making-x', 'folder'), { recursive: true });
    const workspaces = await work.reopen();
    await workspaces.removeStrays();
    expect(new Set(workspaces.cached())).toEqual(new Set([first.blob, second.blob]));
    expect(await readdir(join(work.folder, 'cache'))).toHaveLength(2);
    expect(await attemptFolders(work)).toEqual([]);
    workspaceOf(await workspaces.create(attempt(3), first, [], () => undefined, never));
    expect(work.transfer.fetches).toBe(2);
  });
});

describe('workspaces: owners and modes', () => {
  it.skipIf(!asRoot)("belong to the container's user when the program is root (needs root)", async () => {
    const work = await bench();
    const input = await work.zip({ name: 'folder/a', data: 'a' });
    const { folder } = workspaceOf(await work.create(1, input, [{ ...(await work.put('x')), path: 'new/b' }]));
    for (const path of ['', 'folder', 'folder/a', 'new', 'new/b']) {
      expect((await stat(join(folder, path))).uid).toBe(CONTAINER_USER);
    }
  });

  it('removes what a task has locked', async () => {
    const work = await bench();
    const workspace = workspaceOf(await work.create(1, null));
    const locked = join(workspace.folder, 'locked');
    await mkdir(join(locked, 'inner'), { recursive: true });
    await writeFile(join(locked, 'inner', 'file'), 'x');
    if (asRoot) await chown(join(locked, 'inner', 'file'), 1234, 1234);
    await chmod(join(locked, 'inner'), 0o000);
    await chmod(locked, 0o500);
    await workspace.remove();
    expect(await attemptFolders(work)).toEqual([]);
  });

  it('collects from the folder', async () => {
    const work = await bench();
    const workspace = workspaceOf(await work.create(1, await work.zip({ name: 'scene/x.blend', data: 'x' })));
    await writeFile(join(workspace.folder, 'scene/1.png'), 'png');
    const { files, missing } = await workspace.collect(['*.png', '*.exr'], 'scene');
    expect(files).toEqual([{ path: '1.png', source: join(workspace.folder, 'scene/1.png'), bytes: 3 }]);
    expect(missing).toEqual(['*.exr']);
  });
});
