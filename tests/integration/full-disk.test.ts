import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, watch, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../shared/job.ts';
import { startFarm, type TestFarm } from './support/farm.ts';
import { downloadOutputs, uploadInput } from './support/input.ts';
import { emptyDisk, fillDisk, mountSmallDisk, noSmallDisk, unmountSmallDisk } from './support/small-disk.ts';

/** Disks that are full, of real processes: nothing acknowledged is lost, the message says what to do, and work goes on once there is room. */

const MIB = 1024 * 1024;
const HOST: Pick<JobSpecInput, 'image' | 'requirements'> = { image: null, requirements: { cpu: 0.1, ramMb: 64 } };

let farm: TestFarm | undefined;
const disks: string[] = [];
afterEach(async () => {
  for (const disk of disks.splice(0)) unmountSmallDisk(disk);
  await farm?.close();
  farm = undefined;
});

describe.skipIf(noSmallDisk !== undefined)(`a full disk${noSmallDisk === undefined ? '' : ` (${noSmallDisk})`}`, () => {
  /** A farm whose coordinator has `megabytes` for all it keeps. */
  async function startSmallFarm(megabytes: number): Promise<{ farm: TestFarm; disk: string }> {
    let disk = '';
    // As in life: what a worker waits between two tries is short beside the time that it is waited for.
    farm = await startFarm({ connectionGraceMs: 5_000, offlineAfterMs: 30_000 }, async (folder) => {
      await mountSmallDisk(folder, megabytes);
      disk = folder;
      disks.push(folder);
    });
    return { farm, disk };
  }

  test('refuses an upload with DISK_FULL, and takes it once there is room', async () => {
    const { farm, disk } = await startSmallFarm(48);
    await farm.addWorker('worker', { host: true });
    const bytes = randomBytes(20 * MIB);
    const upload = join(farm.folder, 'upload.bin');
    await writeFile(upload, bytes);
    await fillDisk(disk);

    await expect(farm.client.uploadBlob(upload)).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringContaining('disk is full'),
      hint: expect.stringContaining('space'),
    });
    const answer = await fetch(`${farm.connection.url}/api/execute`, {
      method: 'POST',
      headers: { authorization: `Bearer ${farm.connection.token}` },
      body: form({ command: 'true' }, bytes),
    });
    expect(answer.status).toBe(507);
    expect(await answer.json()).toMatchObject({ error: { code: 'DISK_FULL' } });
    expect((await farm.client.call('listJobs')).total).toBe(0);

    await emptyDisk(disk);
    const input = await uploadInput(farm.client, { 'numbers.txt': '1\n2\n' });
    const { id } = await farm.submit({ ...HOST, command: 'wc -l < numbers.txt > count.txt', input, outputs: ['count.txt'] });
    expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED' });
    expect((await downloadOutputs(farm.client, id)).get('count.txt')?.toString().trim()).toBe('2');
    expect(await farm.client.uploadBlob(upload)).toMatchObject({ bytes: bytes.byteLength });
  });

  test('refuses a submission with DISK_FULL, loses nothing that was acknowledged, and goes on once there is room', async () => {
    const { farm, disk } = await startSmallFarm(48);
    await farm.addWorker('worker', { host: true, maxParallel: 1 });
    const go = join(farm.folder, 'go');
    const made = join(farm.folder, 'made');
    const output = 6 * MIB;
    const running = await farm.submit({
      ...HOST,
      name: 'running',
      command: `${untilThere(go)}; yes 0123456789abcde | head -c ${output}; echo made > made.txt; touch ${made}`,
      outputs: ['made.txt'],
    });
    await farm.until(running.id, ({ state }) => state === 'RUNNING');
    const waiting = await farm.submit({ ...HOST, name: 'waiting', command: 'true', tasks: { kind: 'count', count: 20 } });
    await fillDisk(disk);

    const refused = await untilRefused(farm);
    expect(refused.error).toMatchObject({ code: 'DISK_FULL', hint: expect.stringContaining('Make room') });
    // It answers still, and does not show what it could not keep.
    const listed = (await farm.client.call('listJobs')).jobs.map(({ name }) => name);
    expect(listed.sort()).toEqual(['running', 'waiting', ...Array(refused.accepted).fill('accepted')].sort());
    // The task ends, with its log and its output, while there is no room for either.
    const ended = appeared(made);
    await writeFile(go, '');
    await ended;

    await emptyDisk(disk);
    expect(await farm.untilEnded(running.id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
    expect((await farm.logOf(running.id)).length).toBe(output);
    expect((await downloadOutputs(farm.client, running.id)).get('made.txt')?.toString()).toBe('made\n');
    expect(await farm.untilEnded(waiting.id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
    const after = await farm.submit({ ...HOST, name: 'after', command: 'true' });
    expect(await farm.untilEnded(after.id)).toMatchObject({ state: 'COMPLETED' });
    expect(farm.coordinator.process.exitCode).toBeNull();
  });

  test('keeps a log that finds no room at the worker, and takes all of it once there is room', async () => {
    const { farm, disk } = await startSmallFarm(48);
    await farm.addWorker('worker', { host: true, maxParallel: 1 });
    const [go, printed, finish] = ['go', 'printed', 'finish'].map((name) => join(farm.folder, name)) as [string, string, string];
    const output = 12 * MIB;
    const { id } = await farm.submit({
      ...HOST,
      command: `${untilThere(go)}; yes 0123456789abcde | head -c ${output}; touch ${printed}; ${untilThere(finish)}`,
    });
    await farm.until(id, ({ state }) => state === 'RUNNING');
    // Room for what the database writes meanwhile, and not for the log.
    await fillDisk(disk, 4 * MIB);
    const ended = appeared(printed);
    await writeFile(go, '');
    await ended;
    // The second time it is sent by a worker that came back for it.
    await said(farm.coordinator.logFile, 'a log could not be written', 2);
    await emptyDisk(disk);
    await writeFile(finish, '');
    expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
    expect((await farm.logOf(id)).length).toBe(output);
    const { attempts } = await farm.client.call('getTask', { params: { job: id, index: 0 } });
    expect(attempts).toHaveLength(1);
  });

  test('on a worker costs the task no retry and makes the node UNHEALTHY; another node, or the same with room, completes it', async () => {
    farm = await startFarm();
    const disk = join(farm.folder, 'small');
    await mountSmallDisk(disk, 32);
    disks.push(disk);
    await farm.addWorker('small', { host: true });
    const input = await uploadInput(farm.client, { 'data.txt': randomBytes(5 * MIB).toString('hex') });
    await fillDisk(disk);
    const spec: JobSpecInput = { ...HOST, command: 'wc -c < data.txt > size.txt', input, outputs: ['size.txt'], maxRetries: 0 };

    const elsewhere = await farm.submit(spec);
    const sick = await farm.untilNode('small', ({ status }) => status === 'UNHEALTHY');
    expect(sick.reason).toContain('disk is full');
    const large = await farm.addWorker('large', { host: true });
    expect(await farm.untilEnded(elsewhere.id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
    const { attempts } = await farm.client.call('getTask', { params: { job: elsewhere.id, index: 0 } });
    expect(attempts[0]).toMatchObject({ reason: 'infrastructure', message: expect.stringContaining('disk is full') });
    expect(attempts.at(-1)).toMatchObject({ reason: 'completed' });
    expect(attempts.at(-1)?.node).not.toBe(attempts[0]?.node);
    await large.end('SIGTERM');

    const later = await farm.submit(spec);
    await farm.until(later.id, ({ state }) => state === 'QUEUED');
    await emptyDisk(disk);
    expect(await farm.untilEnded(later.id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
    await farm.untilNode('small', ({ status, reason }) => status === 'IDLE' && reason === null);
  });

  test('under a command that fails is the machine’s failure, unless the command filled it', async () => {
    farm = await startFarm();
    const disk = join(farm.folder, 'small');
    await mountSmallDisk(disk, 32);
    disks.push(disk);
    await farm.addWorker('small', { host: true });
    const writes = (bytes: number): JobSpecInput => ({ ...HOST, command: `head -c ${bytes} /dev/zero > made.bin`, maxRetries: 0 });
    const greedy = await farm.submit(writes(64 * MIB));
    expect(await farm.untilEnded(greedy.id)).toMatchObject({ state: 'FAILED' });

    const go = join(farm.folder, 'go');
    const modest = writes(MIB);
    const { id } = await farm.submit({ ...modest, command: `${untilThere(go)}; ${modest.command}` });
    await farm.until(id, ({ state }) => state === 'RUNNING');
    await fillDisk(disk);
    await writeFile(go, '');
    const sick = await farm.untilNode('small', ({ status }) => status === 'UNHEALTHY');
    expect(sick.reason).toContain('disk is full');
    await farm.addWorker('large', { host: true });
    expect(await farm.untilEnded(id)).toMatchObject({ state: 'COMPLETED', retries: 0 });
    const { attempts } = await farm.client.call('getTask', { params: { job: id, index: 0 } });
    expect(attempts[0]).toMatchObject({ reason: 'infrastructure', exitCode: 1, message: expect.stringContaining('disk is full') });
  });
});

const untilThere = (path: string) => `while [ ! -e ${path} ]; do sleep 0.05; done`;

async function said(logFile: string, text: string, times: number): Promise<void> {
  await untilChanged(logFile, async () => (await readFile(logFile, 'utf8')).split(text).length > times);
}

async function appeared(path: string): Promise<void> {
  await untilChanged(dirname(path), async () => existsSync(path));
}

/** Looks at once, and whenever `path` changes. */
async function untilChanged(path: string, isThere: () => Promise<boolean>): Promise<void> {
  const end = new AbortController();
  const changes = watch(path, { signal: end.signal })[Symbol.asyncIterator]();
  // It watches from the first question on; what changes while somebody looks is not missed.
  let change = changes.next();
  while (!(await isThere())) {
    await change;
    change = changes.next();
  }
  end.abort();
  await change.catch(() => undefined);
}

/** Submits until the disk takes no more: what SQLite has set aside already may hold a few. */
async function untilRefused(farm: TestFarm): Promise<{ accepted: number; error: unknown }> {
  for (let accepted = 0; ; accepted++) {
    if (accepted === 10_000) throw new Error('a full disk takes everything');
    try {
      await farm.submit({ ...HOST, name: 'accepted', command: 'true' });
    } catch (error) {
      return { accepted, error };
    }
  }
}

function form(fields: Readonly<Record<string, string>>, file: Uint8Array<ArrayBuffer>): FormData {
  const made = new FormData();
  for (const [name, value] of Object.entries(fields)) made.append(name, value);
  made.append('file', new Blob([file]), 'input.zip');
  return made;
}
