import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AttemptId, attemptId, type JobId } from '../../shared/ids.ts';
import { encodeLog } from './log-records.ts';
import { type OpenLogStore, openLogStore } from './log-store.ts';
import { canMakeSmallDisk, smallDisk } from './testing/full-disk.ts';
import { allBytes, records, text } from './testing/log-text.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

const MIB = 1024 * 1024;
const job = 7 as JobId;
const attempt = attemptId(job, 3, 1);
const never = new AbortController().signal;
const live = () => true;

async function openLogs(folder: string, capBytes: number): Promise<OpenLogStore> {
  const store = await openLogStore(folder, capBytes);
  onTestFinished(() => store.close());
  return store;
}

async function logFiles(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.log'));
}

describe('the log store', () => {
  it('skips bytes that are already there and refuses a gap', async () => {
    const store = await openLogs(await temporaryFolder(), MIB);
    expect(await store.append(attempt, 0, Buffer.from('abcdef'))).toBe(6);
    expect(await store.append(attempt, 2, Buffer.from('cdefgh'))).toBe(8);
    expect(await store.append(attempt, 0, Buffer.from('abc'))).toBe(8);
    await expect(store.append(attempt, 9, Buffer.from('x'))).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await allBytes(store.read(attempt, 0, false, never))).toString()).toBe('abcdefgh');
    expect((await allBytes(store.read(attempt, 5, false, never))).toString()).toBe('fgh');
  });

  it('keeps appends made at the same time in their order', async () => {
    const store = await openLogs(await temporaryFolder(), MIB);
    const lines = Array.from({ length: 50 }, (_, index) => Buffer.from(`${String(index).padStart(3, '0')}\n`));
    await Promise.all(lines.map((line, index) => store.append(attempt, index * 4, line)));
    expect(await allBytes(store.read(attempt, 0, false, never))).toEqual(Buffer.concat(lines));
  });

  it('goes on after a restart where the file ends', async () => {
    const folder = await temporaryFolder();
    await (await openLogs(folder, MIB)).append(attempt, 0, Buffer.from('before'));
    const store = await openLogs(folder, MIB);
    expect(await store.size(attempt)).toBe(6);
    expect(await store.append(attempt, 3, Buffer.from('ore, after'))).toBe(13);
  });

  it('frames text of workers that poll', async () => {
    const store = await openLogs(await temporaryFolder(), MIB);
    await store.appendText(attempt, 'stdout', Buffer.from('one'));
    await store.appendText(attempt, 'stderr', Buffer.from('two'));
    const found = records(await allBytes(store.read(attempt, 0, false, never)));
    expect(found.map((record) => [record.stream, text(record)])).toEqual([
      ['stdout', 'one'],
      ['stderr', 'two'],
    ]);
  });

  it('makes no file for a log that is only read, and refuses what is no attempt', async () => {
    const folder = await temporaryFolder();
    const store = await openLogs(folder, MIB);
    expect(await allBytes(store.read(attempt, 0, false, never))).toHaveLength(0);
    expect(await store.size(attempt)).toBe(0);
    expect(await readdir(folder)).toEqual([]);
    await expect(store.size('../../etc/passwd' as AttemptId)).rejects.toMatchObject({ code: 'INVALID' });
  });

  it('wakes followers as bytes come and ends them at finish', async () => {
    const store = await openLogs(await temporaryFolder(), MIB);
    const follower = store.read(attempt, 0, live, never)[Symbol.asyncIterator]();
    const first = follower.next();
    await store.append(attempt, 0, Buffer.from('one'));
    expect(Buffer.from((await first).value).toString()).toBe('one');
    const second = follower.next();
    await store.append(attempt, 3, Buffer.from('two'));
    expect(Buffer.from((await second).value).toString()).toBe('two');
    const end = follower.next();
    store.finish(attempt);
    expect((await end).done).toBe(true);
  });

  it('ends for whoever asks while an attempt is live, and reads when it is over', async () => {
    const store = await openLogs(await temporaryFolder(), MIB);
    let isLive = true;
    const late = store.read(attempt, 0, () => isLive, never);
    isLive = false;
    store.finish(attempt);
    expect(await allBytes(late)).toHaveLength(0);
  });

  it('lets a follower go when it is aborted', async () => {
    const store = await openLogs(await temporaryFolder(), MIB);
    const abort = new AbortController();
    const waiting = allBytes(store.read(attempt, 0, live, abort.signal));
    abort.abort();
    expect(await waiting).toHaveLength(0);
  });

  it('yields bounded chunks, and a reader that never asks holds nothing up', async () => {
    const store = await openLogs(await temporaryFolder(), 8 * MIB);
    const idle = store.read(attempt, 0, live, never)[Symbol.asyncIterator]();
    const started = idle.next();
    for (let offset = 0; offset < 2 * MIB; offset += 256 * 1024) await store.append(attempt, offset, Buffer.alloc(256 * 1024, 97));
    await started;
    const sizes: number[] = [];
    for await (const chunk of store.read(attempt, 100, false, never)) sizes.push(chunk.byteLength);
    expect(Math.max(...sizes)).toBe(256 * 1024);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(2 * MIB - 100);
    await idle.return?.();
  });

  it('keeps a bounded log of a worker that ignores the cap, ended by one line at a whole record', async () => {
    const folder = await temporaryFolder();
    const store = await openLogs(folder, MIB);
    const framed = Buffer.concat(Array.from({ length: 400 }, (_, index) => encodeLog('stdout', index, Buffer.alloc(10_000, 97))));
    let offset = 0;
    for (let at = 0; at < framed.length; at += 7_777) {
      const piece = framed.subarray(at, at + 7_777);
      offset = await store.append(attempt, offset, piece);
    }
    expect(offset).toBe(framed.length);
    const found = records(await allBytes(store.read(attempt, 0, false, never)));
    expect(found.filter((record) => record.stream === 'system')).toHaveLength(1);
    expect(text(found.at(-1))).toContain('was not kept');
    const [file] = await logFiles(folder);
    expect((await stat(join(folder, file ?? ''))).size).toBeLessThan(2.06 * MIB + 20_000);
  });

  it('forgets a job with its followers', async () => {
    const folder = await temporaryFolder();
    const store = await openLogs(folder, MIB);
    const other = attemptId(8 as JobId, 0, 1);
    await store.append(attempt, 0, Buffer.from('gone'));
    await store.append(other, 0, Buffer.from('stays'));
    const follower = allBytes(store.read(attempt, 4, live, never));
    await store.size(attempt);
    await store.removeJob(job);
    expect(await follower).toHaveLength(0);
    expect(await logFiles(folder)).toEqual([join('8', '0', '0.1.log')]);
    expect(await store.size(attempt)).toBe(0);
  });

  it('writes more attempts than it keeps files open', async () => {
    const folder = await temporaryFolder();
    const store = await openLogs(folder, MIB);
    const attempts = Array.from({ length: 600 }, (_, index) => attemptId(job, index * 3, 1));
    for (const [index, one] of attempts.entries()) await store.append(one, 0, Buffer.from(`log ${index}`));
    await Promise.all(attempts.map((one) => store.append(one, 4, Buffer.from('....more'))));
    const open = process.platform === 'linux' ? (await readdir('/proc/self/fd')).length : 0;
    expect(open).toBeLessThan(500);
    expect(await logFiles(folder)).toHaveLength(600);
    expect(await readFile(join(folder, '7', '0', '0.1.log'), 'utf8')).toBe('log 0...more');
  });

  it.skipIf(!canMakeSmallDisk)('says that the disk is full and goes on once it is not (needs the right to mount)', async () => {
    const store = await openLogs(await smallDisk(256 * 1024), 8 * MIB);
    await expect(store.append(attempt, 0, Buffer.alloc(MIB))).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(await store.append(attempt, 0, Buffer.from('small'))).toBe(5);
  });
});
