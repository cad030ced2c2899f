import { utimes } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { createManualClock } from '../../tests/fakes/clock.ts';
import { openBlobs } from '../files/blobs.ts';
import { temporaryFolder } from '../files/testing/temporary-folder.ts';
import { startBlobSweeps } from './blob-sweeps.ts';

test('what nobody names goes when it is a day old, hour by hour, until it is ended', async () => {
  const clock = createManualClock();
  const blobs = await openBlobs(await temporaryFolder());
  const swept: (() => void)[] = [];
  const logger = { debug() {}, warn() {}, error() {}, info: () => swept.shift()?.() };
  const nextSweep = async () => {
    const done = new Promise<void>((resolve) => swept.push(resolve));
    clock.advance(3_600_000);
    await done;
  };
  const store = async (text: string, old: boolean) => {
    const { blob } = await blobs.write(Readable.from([text]));
    const yesterday = Date.now() / 1_000 - 25 * 3_600;
    if (old) await utimes(blobs.path(blob), yesterday, yesterday);
    return blob;
  };
  const named = await store('named', true);
  const gone = await store('gone', true);
  const fresh = await store('fresh', false);
  const stop = startBlobSweeps({ clock, logger, blobs, referenced: () => new Set([named]) });
  await nextSweep();
  expect(await Promise.all([named, gone, fresh].map((blob) => blobs.size(blob)))).toEqual([5, undefined, 5]);
  const later = await store('later', true);
  await nextSweep();
  expect(await blobs.size(later)).toBeUndefined();
  await new Promise((resolve) => setImmediate(resolve));
  stop();
  expect(clock.pending).toBe(0);
});
