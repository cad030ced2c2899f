import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BlobId } from '../../shared/ids.ts';
import { type BlobServer, startBlobServer } from '../../tests/fakes/blob-server.ts';
import { quietLogger } from '../../tests/fakes/link-world.ts';
import { startTcpProxy, type TcpProxy } from '../../tests/fakes/tcp-proxy.ts';
import { openBlobs } from '../files/blobs.ts';
import { hashFile } from '../files/hash.ts';
import type { Blobs, BlobTransfer } from '../ports/files.ts';
import { createBlobTransfer } from './transfer.ts';

const CONTENT = randomBytes(3_000_000);
const BLOB = hashOf(CONTENT);

let folder: string;
let remote: Blobs;
let local: Blobs;
let server: BlobServer;
let proxy: TcpProxy;
let transfer: BlobTransfer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanyard-transfer-'));
  remote = await openBlobs(join(folder, 'remote'));
  local = await openBlobs(join(folder, 'local'));
  server = await startBlobServer(remote);
  proxy = await startTcpProxy(server.port);
  transfer = createBlobTransfer({ endpoint: () => ({ url: `http://127.0.0.1:${proxy.port}`, token: 'worker-token' }), hash: hashFile });
});

afterEach(async () => {
  await proxy.close();
  await server.close();
  await rm(folder, { recursive: true });
});

const never = new AbortController().signal;

function hashOf(bytes: Uint8Array): BlobId {
  return createHash('sha256').update(bytes).digest('hex') as BlobId;
}

async function file(bytes: Uint8Array): Promise<string> {
  const path = join(folder, 'file');
  await writeFile(path, bytes);
  return path;
}

describe('fetching', () => {
  beforeEach(async () => {
    await remote.write(Readable.from([CONTENT]));
  });

  it('brings the bytes and tells how far it is', async () => {
    const steps: number[] = [];
    await transfer.fetch(BLOB, CONTENT.length, local, (done) => steps.push(done), never);
    expect((await readFile(local.path(BLOB))).equals(CONTENT)).toBe(true);
    expect(steps[0]).toBe(0);
    expect(steps.at(-1)).toBe(CONTENT.length);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    await transfer.fetch(BLOB, CONTENT.length, local, () => undefined, never);
    expect(server.requests).toEqual(['GET']);
    expect(transfer.movedBytes).toBe(CONTENT.length);
  });

  it('goes on where it was cut, as often as it is cut', async () => {
    let cuts = 1;
    proxy.cutAfter(1_000_000);
    const logger = {
      ...quietLogger,
      debug() {
        if (cuts++ === 1) proxy.cutAfter(500_000);
      },
    };
    const cutTransfer = createBlobTransfer({
      endpoint: () => ({ url: `http://127.0.0.1:${proxy.port}`, token: 'worker-token' }),
      hash: hashFile,
      logger,
    });
    await cutTransfer.fetch(BLOB, CONTENT.length, local, () => undefined, never);
    expect((await readFile(local.path(BLOB))).equals(CONTENT)).toBe(true);
    expect(server.requests[0]).toBe('GET');
    const resumed = server.requests.slice(1).map((request) => Number(/^GET bytes=(\d+)-$/.exec(request)?.[1]));
    expect(resumed).toHaveLength(2);
    expect(resumed[0]).toBeGreaterThan(0);
    expect(resumed[1]).toBeGreaterThan(resumed[0] as number);
  });

  it('goes on from what an earlier life received', async () => {
    await local.append(BLOB, 0, CONTENT.length, Readable.from([CONTENT.subarray(0, 1_234_567)]));
    await transfer.fetch(BLOB, CONTENT.length, local, () => undefined, never);
    expect(server.requests).toEqual(['GET bytes=1234567-']);
    expect(await local.size(BLOB)).toBe(CONTENT.length);
  });

  it('tries once more when the bytes were damaged on their way', async () => {
    server.damageNext();
    await transfer.fetch(BLOB, CONTENT.length, local, () => undefined, never);
    expect(server.requests).toEqual(['GET', 'GET']);
    expect((await readFile(local.path(BLOB))).equals(CONTENT)).toBe(true);
  });

  it('does not take a blob of another size', async () => {
    const fetching = transfer.fetch(BLOB, CONTENT.length + 1, local, () => undefined, never);
    await expect(fetching).rejects.toMatchObject({ code: 'INVALID' });
    expect(await local.size(BLOB)).toBeUndefined();
  });

  it('fails at once when the coordinator has no such blob, or does not know the token', async () => {
    await expect(transfer.fetch(hashOf(Buffer.from('else')), 4, local, () => undefined, never)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const stranger = createBlobTransfer({ endpoint: () => ({ url: `http://127.0.0.1:${proxy.port}`, token: 'guess' }), hash: hashFile });
    await expect(stranger.fetch(BLOB, CONTENT.length, local, () => undefined, never)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(server.requests).toHaveLength(2);
  });

  it('of an empty blob asks for nothing', async () => {
    const empty = hashOf(Buffer.alloc(0));
    await transfer.fetch(empty, 0, local, () => undefined, never);
    expect(await local.size(empty)).toBe(0);
    expect(server.requests).toEqual([]);
  });

  it('stops when it is aborted, and keeps what has arrived', async () => {
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const fetching = transfer.fetch(
      BLOB,
      CONTENT.length,
      local,
      (done) => {
        if (done > 500_000) controller.abort(reason);
      },
      controller.signal,
    );
    await expect(fetching).rejects.toBe(reason);
    expect(await local.received(BLOB)).toBeGreaterThan(0);
    expect(await local.size(BLOB)).toBeUndefined();
  });

  it('stops when it is aborted in the pause after a lost connection', async () => {
    proxy.refuse(true);
    const controller = new AbortController();
    const logger = { ...quietLogger, debug: () => controller.abort(new Error('cancelled')) };
    const patient = createBlobTransfer({
      endpoint: () => ({ url: `http://127.0.0.1:${proxy.port}`, token: 'worker-token' }),
      hash: hashFile,
      logger,
    });
    await expect(patient.fetch(BLOB, CONTENT.length, local, () => undefined, controller.signal)).rejects.toThrow('cancelled');
    expect(proxy.taken).toBe(1);
  });
});

describe('uploading', () => {
  it('waits for a coordinator whose disk is full', async () => {
    server.failNext({ code: 'DISK_FULL', message: 'The disk is full.' });
    expect(await transfer.upload(await file(CONTENT), () => undefined, never)).toMatchObject({ blob: BLOB });
    expect(server.requests).toEqual(['HEAD', 'PATCH 0', 'HEAD', 'PATCH 0']);
  });

  it('sends the file and names it by its hash, once', async () => {
    const path = await file(CONTENT);
    const steps: number[] = [];
    expect(await transfer.upload(path, (done) => steps.push(done), never)).toEqual({ blob: BLOB, bytes: CONTENT.length });
    expect((await readFile(remote.path(BLOB))).equals(CONTENT)).toBe(true);
    expect(steps.at(-1)).toBe(CONTENT.length);
    await transfer.upload(path, () => undefined, never);
    expect(server.requests).toEqual(['HEAD', 'PATCH 0', 'HEAD']);
  });

  it('goes on where it was cut', async () => {
    proxy.cutAfter(1_000_000);
    await transfer.upload(await file(CONTENT), () => undefined, never);
    expect((await readFile(remote.path(BLOB))).equals(CONTENT)).toBe(true);
    const offsets = server.requests.filter((request) => request.startsWith('PATCH')).map((request) => Number(request.split(' ')[1]));
    expect(offsets[0]).toBe(0);
    expect(offsets.at(-1)).toBeGreaterThan(0);
  });

  it('goes on from the offset that the coordinator names', async () => {
    await remote.append(BLOB, 0, CONTENT.length, Readable.from([CONTENT.subarray(0, 100_000)]));
    await transfer.upload(await file(CONTENT), () => undefined, never);
    expect(server.requests).toEqual(['HEAD', 'PATCH 100000']);

    const other = randomBytes(2_000_000);
    const path = await file(other);
    server.requests.length = 0;
    server.sendBackNext(700_000);
    const uploading = transfer.upload(path, () => undefined, never);
    await remote.append(hashOf(other), 0, other.length, Readable.from([other.subarray(0, 700_000)]));
    await uploading;
    expect(server.requests.at(-1)).toBe('PATCH 700000');
    expect((await readFile(remote.path(hashOf(other)))).equals(other)).toBe(true);
  });

  it('tells at once what no other try can mend, in the words of the coordinator', async () => {
    server.failNext({ code: 'TOO_LARGE', message: 'at most 1 MB are allowed', field: 'Upload-Length' });
    const uploading = transfer.upload(await file(CONTENT), () => undefined, never);
    await expect(uploading).rejects.toMatchObject({ code: 'TOO_LARGE', message: 'at most 1 MB are allowed', field: 'Upload-Length' });
    expect(server.requests).toEqual(['HEAD', 'PATCH 0']);
  });

  it('tries again when the coordinator is not available for a moment', async () => {
    server.failNext({ code: 'UNAVAILABLE', message: 'starting' });
    await transfer.upload(await file(CONTENT), () => undefined, never);
    expect(await remote.size(BLOB)).toBe(CONTENT.length);
  });

  it('of an empty file, and of a file that is not there', async () => {
    const { blob } = await transfer.upload(await file(Buffer.alloc(0)), () => undefined, never);
    expect(await remote.size(blob)).toBe(0);
    await expect(transfer.upload(join(folder, 'none'), () => undefined, never)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('stops when it is aborted, while the coordinator takes nothing', async () => {
    const controller = new AbortController();
    const uploading = transfer.upload(
      await file(randomBytes(20_000_000)),
      (done) => {
        if (done === 0) proxy.pause();
        else controller.abort(new Error('cancelled'));
      },
      controller.signal,
    );
    await expect(uploading).rejects.toThrow('cancelled');
    proxy.resume();
  });
});
