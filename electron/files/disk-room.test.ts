import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diskShortage, isMachineShort, SpareRoom } from './disk-room.ts';
import { canMakeSmallDisk, smallDisk } from './testing/full-disk.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

describe('whose doing a full disk is', () => {
  const room = { free: 10 * MIB, total: 500 * GIB, own: 20 * MIB, promised: 0 };

  it('is the machine’s when it would be full without the attempt', () => {
    expect(isMachineShort(room)).toBe(true);
    expect(isMachineShort({ ...room, own: 40 * GIB })).toBe(false);
  });

  it('is the machine’s when the attempt took no more than it was promised', () => {
    expect(isMachineShort({ ...room, own: 40 * GIB, promised: 50 * GIB })).toBe(true);
    expect(isMachineShort({ ...room, own: 60 * GIB, promised: 50 * GIB })).toBe(false);
  });

  it('is nobody’s while there is room', () => {
    expect(isMachineShort({ ...room, free: 200 * MIB })).toBe(false);
    expect(isMachineShort({ ...room, free: 2 * MIB, total: 50 * MIB, own: 0 })).toBe(false);
  });
});

describe.skipIf(!canMakeSmallDisk)('a small disk', () => {
  it('is short of room when others filled it, and not when the attempt did', async () => {
    const disk = await smallDisk(64 * MIB);
    const folder = join(disk, 'attempt', 'below');
    await mkdir(folder, { recursive: true });
    expect(await diskShortage(join(disk, 'attempt'), 0)).toBeUndefined();
    await writeFile(join(folder, 'own'), Buffer.alloc(8 * MIB));
    await writeFile(join(disk, 'others'), Buffer.alloc(56 * MIB - 100_000)).catch(() => undefined);
    expect(await diskShortage(join(disk, 'attempt'), 0)).toBeUndefined();
    expect(await diskShortage(join(disk, 'attempt'), 10)).toBe("this machine's disk is full: 0 MiB were left");
  });

  it('has spare room until a fiftieth is left, and again when there is more', async () => {
    const disk = await smallDisk(64 * MIB);
    const room = new SpareRoom(disk);
    const write = async (name: string, bytes: number) => {
      await room.take(bytes, 'writing');
      await writeFile(join(disk, name), Buffer.alloc(bytes));
    };
    await write('first', 40 * MIB);
    await write('second', 20 * MIB);
    await expect(write('third', 3 * MIB)).rejects.toMatchObject({ code: 'DISK_FULL', message: 'The disk is full: writing failed.' });
    await write('small', 2 * MIB);
    await rm(join(disk, 'first'));
    await write('third', 3 * MIB);
  });
});
