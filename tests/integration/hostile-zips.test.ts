import { randomBytes, randomUUID } from 'node:crypto';
import { access, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RawEntry, rawZip } from '../../electron/files/testing/raw-zip.ts';
import { startFarm, type TestFarm } from './support/farm.ts';

/** Zips that mean harm, through the real API and a real worker: refused by name, and nothing is written where it should not be. */

const MIB = 1024 * 1024;
const EVIL = `lanyard-evil-${randomUUID()}`;
const HOST = { image: null, requirements: { cpu: 0.1, ramMb: 64 } } as const;

let farm: TestFarm;
beforeAll(async () => {
  farm = await startFarm();
  await farm.addWorker('worker', { host: true });
});
afterAll(() => farm?.close());

const good: RawEntry = { name: 'good.txt', data: 'good' };
const zeros = Buffer.alloc(MIB);
const kernel = randomBytes(10_000);
/** A thousand entries that all claim the bytes of the first: the modern form of the well-known 42.zip. */
const overlapping: RawEntry[] = Array.from({ length: 1_000 }, (_, index) => ({
  name: `bomb-${index}`,
  data: kernel,
  ...(index === 0 ? {} : { sharesWith: 0 }),
}));

async function upload(zip: Buffer): Promise<string> {
  const path = join(farm.folder, `${randomUUID()}.zip`);
  await writeFile(path, zip);
  return (await farm.client.uploadBlob(path)).blob;
}

/** Everything under the farm's folder and beside it that is of this test's making and not its own. */
async function strays(): Promise<string[]> {
  const within = await readdir(farm.folder, { recursive: true });
  const beside = [...(await readdir(tmpdir())), ...(await readdir('/')), ...(await readdir(process.cwd()))];
  return [...within, ...beside].filter((path) => path.includes(EVIL));
}

describe('is refused at its submission, by name', () => {
  test.for<[string, RawEntry[], RegExp, RegExp]>([
    ['a traversal', [good, { name: `../../${EVIL}`, data: 'x' }], /\.\.\/\.\.\/lanyard-evil/, /leads out/],
    ['an absolute path', [good, { name: `/${EVIL}`, data: 'x' }], /"\/lanyard-evil/, /absolute/],
    ['a backslash traversal', [good, { name: `..\\${EVIL}`, data: 'x' }], /lanyard-evil/, /backslash/],
    ['a NUL in a name', [good, { name: `${EVIL}\0.txt`, data: 'x' }], /\\u\{0\}/, /NUL/],
    [
      'case twins',
      [
        { name: `${EVIL}.txt`, data: 'x' },
        { name: `${EVIL.toUpperCase()}.TXT`, data: 'y' },
      ],
      /LANYARD-EVIL/,
      /one and the same/,
    ],
    ['a symbolic link out of the tree', [good, { name: EVIL, data: '../../../../etc/passwd', mode: 0o120777 }], /lanyard-evil/, /link/],
    ['a bomb of overlapping entries', overlapping, /bomb-/, /overlap/],
    ['a bomb by its ratio', [{ name: 'bomb', data: Buffer.alloc(64 * MIB) }], /"bomb"/, /what a bomb does/],
  ])('%s', async ([, entries, name, rule]) => {
    const zip = rawZip(entries);
    const before = (await farm.client.call('listJobs')).total;
    const input = await upload(zip);
    const refusal = await farm.submit({ ...HOST, command: 'true', input }).then(
      () => undefined,
      (error: Error) => error,
    );
    expect(refusal).toMatchObject({ code: 'INVALID' });
    expect(refusal?.message).toMatch(name);
    expect(refusal?.message).toMatch(rule);

    const form = new FormData();
    form.append('command', 'true');
    form.append('file', new Blob([new Uint8Array(zip)]), 'input.zip');
    const headers = { authorization: `Bearer ${farm.connection.token}` };
    const answer = await fetch(`${farm.connection.url}/api/execute`, { method: 'POST', headers, body: form });
    expect(answer.status).toBe(400);
    const { error } = (await answer.json()) as { error: { message: string } };
    expect(error.message).toMatch(name);

    expect((await farm.client.call('listJobs')).total).toBe(before);
    expect(await strays()).toEqual([]);
  });
});

describe('is refused where it is unpacked, by name, and fails its job at once', () => {
  test.for<[string, RawEntry, RegExp]>([
    ['a file that is longer than it says', { name: EVIL, data: zeros, declaredBytes: 100 }, /more than the 100 bytes/],
    ['a file that is shorter than it says', { name: EVIL, data: 'short', declaredBytes: 5_000 }, /less than the 5000 bytes/],
    ['a wrong checksum', { name: EVIL, data: 'x', crc: 1 }, /checksum/],
  ])('%s', async ([, entry, rule]) => {
    const input = await upload(rawZip([good, entry]));
    const { id } = await farm.submit({ ...HOST, command: 'true', input, maxRetries: 3 });
    expect(await farm.untilEnded(id)).toMatchObject({ state: 'FAILED', retries: 0 });
    const { attempts } = await farm.client.call('getTask', { params: { job: id, index: 0 } });
    expect(attempts).toHaveLength(1);
    expect(attempts[0]).toMatchObject({ reason: 'input-refused', message: expect.stringMatching(rule) });
    expect(attempts[0]?.message).toContain(EVIL);
    expect(await strays()).toEqual([]);
  });

  test('and harms nobody: the next job of the same worker runs', async () => {
    const input = await upload(rawZip([good]));
    const { id } = await farm.submit({ ...HOST, command: 'test "$(cat good.txt)" = good', input });
    expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED' });
    const [node] = (await farm.client.call('listNodes')).nodes;
    expect(node).toMatchObject({ status: 'IDLE', reason: null });
    await expect(access(`/tmp/${EVIL}`)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
