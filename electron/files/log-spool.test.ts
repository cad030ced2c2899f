import { readdir } from 'node:fs/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { attemptId, type JobId } from '../../shared/ids.ts';
import type { LogSpool } from '../ports/workspace.ts';
import { openLogSpools } from './log-spool.ts';
import { canMakeSmallDisk, smallDisk } from './testing/full-disk.ts';
import { allBytes, records, text } from './testing/log-text.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

const MIB = 1024 * 1024;
const attempt = attemptId(1 as JobId, 0, 1);
const never = new AbortController().signal;

async function openSpool(capBytes: number, folder?: string): Promise<LogSpool> {
  const spools = await openLogSpools(folder ?? (await temporaryFolder()), capBytes);
  const spool = await spools.open(attempt);
  onTestFinished(() => spool.remove());
  return spool;
}

async function writeLines(spool: LogSpool, count: number): Promise<string> {
  const written: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const line = `line ${String(index).padStart(8, '0')}\n`;
    written.push(line);
    await spool.write(index % 97 === 0 ? 'stderr' : 'stdout', Buffer.from(line));
  }
  return written.join('');
}

describe('the log spool', () => {
  it('joins small writes of one stream and keeps the order between streams', async () => {
    const spool = await openSpool(MIB);
    void spool.write('stdout', Buffer.from('a'));
    void spool.write('stdout', Buffer.from('b'));
    void spool.write('stderr', Buffer.from('c'));
    void spool.write('stdout', Buffer.from('d'));
    const length = await spool.end();
    const framed = await allBytes(spool.read(0, never));
    expect(framed).toHaveLength(length);
    expect(records(framed).map((record) => [record.stream, text(record)])).toEqual([
      ['stdout', 'ab'],
      ['stderr', 'c'],
      ['stdout', 'd'],
    ]);
  });

  it('shows a reader what was written without waiting for the end', async () => {
    const spool = await openSpool(MIB);
    const reader = spool.read(0, never)[Symbol.asyncIterator]();
    const first = reader.next();
    void spool.write('stdout', Buffer.from('now'));
    expect(records((await first).value).map(text)).toEqual(['now']);
    const end = reader.next();
    await spool.end();
    expect((await end).done).toBe(true);
  });

  it('asks the writer to wait while a full batch is still being written', async () => {
    const spool = await openSpool(4 * MIB);
    const batch = Buffer.alloc(256 * 1024, 97);
    expect(spool.write('stdout', batch)).toBeUndefined();
    await expect(spool.write('stdout', batch)).resolves.toBeUndefined();
    // In records of 64 KiB.
    expect(await spool.end()).toBe(2 * (batch.length + 4 * 16));
  });

  it('says the same to a reader who keeps up, to one who falls behind, and to one who comes late', async () => {
    const spool = await openSpool(64 * MIB);
    const prompt = allBytes(spool.read(0, never));
    const slow = spool.read(0, never)[Symbol.asyncIterator]();
    const slowly: Uint8Array[] = [];
    const written: Buffer[] = [];
    for (let index = 0; index < 300; index += 1) {
      // Of lengths that fill batches, that do not, and that are longer than any.
      const bytes = Buffer.alloc(index % 29 === 0 ? 700_000 : 100 + ((index * 7_919) % 90_000), `piece ${index} `);
      written.push(bytes);
      await spool.write('stdout', bytes);
      if (index % 10 === 9) slowly.push(Uint8Array.from((await slow.next()).value));
    }
    await spool.end();
    for (let next = await slow.next(); next.done !== true; next = await slow.next()) slowly.push(Uint8Array.from(next.value));
    const framed = await prompt;
    expect(Buffer.concat(records(framed).map(({ bytes }) => bytes)).equals(Buffer.concat(written))).toBe(true);
    expect(Buffer.concat(slowly).equals(framed)).toBe(true);
    expect((await allBytes(spool.read(0, never))).equals(framed)).toBe(true);
  });

  it('keeps all of a log that fits, also when its second half passed through the ring', async () => {
    const spool = await openSpool(MIB);
    const written = await writeLines(spool, 50_000);
    await spool.end();
    const found = records(await allBytes(spool.read(0, never)));
    const output = found.filter((record) => record.stream !== 'system').map(text);
    expect(output.join('')).toBe(written);
    expect(found.filter((record) => record.stream === 'system').map(text)).toEqual([expect.stringContaining('This log is long')]);
  });

  it('keeps the head and the newest tail of a long log, and says how much is left out', async () => {
    const capBytes = MIB;
    const spool = await openSpool(capBytes);
    const written = await writeLines(spool, 300_000);
    const length = await spool.end();
    expect(length).toBeLessThan(capBytes + 1024);
    expect(length).toBeGreaterThan(capBytes * 0.9);

    const found = records(await allBytes(spool.read(0, never)));
    const gap = found.findIndex((record) => text(record).includes('left out here'));
    const output = found.map((record) => (record.stream === 'system' ? '' : text(record)));
    const head = output.slice(0, gap).join('');
    const tail = output.slice(gap).join('');
    expect(written.startsWith(head)).toBe(true);
    expect(written.endsWith(tail)).toBe(true);
    const leftOut = Number(/^… (\d+) bytes/.exec(text(found[gap]))?.[1]);
    expect(head.length + leftOut + tail.length).toBe(written.length);
  });

  it('sends the same bytes to a reader who follows and to one who comes later', async () => {
    const spool = await openSpool(64 * 1024);
    const following = allBytes(spool.read(0, never));
    await writeLines(spool, 20_000);
    await spool.end();
    const later = await allBytes(spool.read(0, never));
    expect((await following).equals(later)).toBe(true);
    expect((await allBytes(spool.read(1_000, never))).equals(later.subarray(1_000))).toBe(true);
  });

  it('drops what comes after the end', async () => {
    const spool = await openSpool(MIB);
    const length = await spool.end();
    void spool.write('stdout', Buffer.from('late'));
    expect(await spool.end()).toBe(length);
  });

  it('leaves nothing behind, and ends its readers, when it is removed', async () => {
    const folder = await temporaryFolder();
    const spools = await openLogSpools(folder, 32 * 1024);
    const spool = await spools.open(attempt);
    await writeLines(spool, 5_000);
    const reading = allBytes(spool.read(0, never));
    await spool.remove();
    await reading;
    expect(await readdir(folder)).toEqual([]);
  });

  it('removes the logs of an earlier life', async () => {
    const folder = await temporaryFolder();
    const spool = await openSpool(MIB, folder);
    await spool.end();
    await (await openLogSpools(folder, MIB)).removeStrays();
    expect(await readdir(folder)).toEqual([]);
  });

  it.skipIf(!canMakeSmallDisk)('never fails the writer on a full disk, and says what is missing (needs the right to mount)', async () => {
    const spool = await openSpool(8 * MIB, await smallDisk(128 * 1024));
    await spool.write('stdout', Buffer.alloc(MIB, 97));
    await spool.write('stdout', Buffer.alloc(70_000, 98));
    await spool.end();
    const found = records(await allBytes(spool.read(0, never)));
    expect(found[0]?.stream).toBe('system');
    expect(text(found[0])).toContain(`${MIB} bytes are missing`);
    expect(found.slice(1).map((record) => record.bytes.byteLength)).toEqual([65_536, 4_464]);
  });
});
