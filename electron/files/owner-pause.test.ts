import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openOwnerPause } from './owner-pause.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

test('a pause is kept in its file until it is taken back', async () => {
  const path = join(await temporaryFolder(), 'owner.json');
  const pause = openOwnerPause(path);
  expect(await pause.until()).toBeUndefined();
  await pause.set(1_234);
  expect(await openOwnerPause(path).until()).toBe(1_234);
  await pause.set(null);
  expect(await pause.until()).toBeNull();
  await pause.set(undefined);
  await pause.set(undefined);
  expect(await pause.until()).toBeUndefined();
});

test('a file that says nothing sensible is a pause: the owner wanted something', async () => {
  const path = join(await temporaryFolder(), 'owner.json');
  for (const text of ['', '{', '{"pausedUntil":"soon"}']) {
    await writeFile(path, text);
    expect(await openOwnerPause(path).until()).toBeNull();
  }
});
