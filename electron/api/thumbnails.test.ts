import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OutputView } from '../../shared/view.ts';
import { silentLogger } from '../../tests/fakes/silent-logger.ts';
import { openThumbnails } from '../files/thumbnails/thumbnails.ts';
import { startApi, type TestApi } from './testing/api.ts';

/** One red pixel. */
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==', 'base64');
const outputs: OutputView[] = [];
let api: TestApi;

beforeAll(async () => {
  api = await startApi({
    farm: { outputs: (_, index) => outputs.filter((one) => one.task === `1.${index}`) },
    thumbnails: (blobs, folder) => openThumbnails({ folder, blobs, logger: silentLogger }),
  });
  for (const [path, bytes] of [
    ['frames/0 1.png', PNG],
    ['evil.png', Buffer.from('<svg onload="alert(1)"/>')],
  ] as const) {
    const { blob } = await api.blobs.write(Readable.from([bytes]));
    outputs.push({ task: '1.0', path, bytes: bytes.length, blob });
  }
});
afterAll(() => api.close());

const get = (path: string, headers = {}) => api.send({ path: `/api/jobs/1/tasks/0/thumbnails/${path}`, as: 'viewer', headers });

it('of an output that is a picture is WebP, whatever the file is called, and is sent once', async () => {
  const first = await get('frames/0%201.png');
  expect(first.status).toBe(200);
  expect(first.headers['content-type']).toBe('image/webp');
  expect(first.headers['content-security-policy']).toContain('sandbox');
  expect(first.body.subarray(8, 12).toString()).toBe('WEBP');
  const again = await get('frames/0%201.png', { 'if-none-match': first.headers.etag });
  expect(again.status).toBe(304);
  expect((await get('frames/0%201.png?size=large', { 'if-none-match': first.headers.etag })).status).toBe(200);
});

it('is refused with a reason for what is no picture, for files that are not there, for other sizes, and without a token', async () => {
  const evil = await get('evil.png');
  expect([evil.status, evil.code]).toEqual([400, 'INVALID']);
  expect((await get('missing.png')).status).toBe(404);
  expect((await get('frames/0%201.png?size=9999')).status).toBe(400);
  expect((await api.send({ path: '/api/jobs/1/tasks/0/thumbnails/evil.png' })).status).toBe(401);
});
