import { appendFile, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AttemptId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/limits.ts';
import type { Receipt } from '../../shared/receipt.ts';
import { openReceipts } from './receipts.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

const receipt = (number: number, job = 'render'): Receipt => ({
  attempt: `${number}.0.1` as AttemptId,
  farm: 'studio',
  job,
  owner: 'ana',
  image: null,
  cpu: 1,
  ramMb: 64,
  gpus: [],
  startedAt: number,
  endedAt: number + 1,
  ranForMs: 1,
  cpuMs: 1,
  peakRamMb: 8,
  reason: 'completed',
  exitCode: 0,
});

test('receipts are listed newest first, in another life too, and a line that is cut off is left out', async () => {
  const path = join(await temporaryFolder(), 'receipts.jsonl');
  const receipts = openReceipts(path);
  expect(await receipts.list(10)).toEqual([]);
  await Promise.all([1, 2, 3].map((number) => receipts.add(receipt(number))));
  await appendFile(path, '{"attempt":"4.0.1","fa\n');
  await receipts.add(receipt(5));
  expect((await openReceipts(path).list(2)).map(({ startedAt }) => startedAt)).toEqual([5, 3]);
  expect(await openReceipts(path).list(10)).toHaveLength(4);
});

test('a receipt of a version that did not measure says that nobody could tell', async () => {
  const path = join(await temporaryFolder(), 'receipts.jsonl');
  const { cpuMs: _cpuMs, peakRamMb: _peakRamMb, ...before } = receipt(1);
  await appendFile(path, `${JSON.stringify(before)}\n`);
  expect(await openReceipts(path).list(1)).toEqual([{ ...before, cpuMs: null, peakRamMb: null }]);
});

test('old receipts go when the files are full', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'receipts.jsonl');
  const receipts = openReceipts(path);
  const long = 'x'.repeat(200);
  const lines = (from: number) => Array.from({ length: 5_000 }, (_, index) => `${JSON.stringify(receipt(from + index, long))}\n`).join('');
  for (let from = 1; from < 40_000; from += 5_000) {
    await appendFile(path, lines(from));
    await receipts.add(receipt(from + 5_000 - 1));
  }
  const bytes = (await stat(path)).size + (await stat(`${path}.old`)).size;
  // A part that is appended by hand goes over the bound; the program adds line by line.
  expect(bytes).toBeLessThan(LIMITS.receiptBytes + 2 * lines(1).length);
  expect((await receipts.list(1))[0]?.startedAt).toBe(40_000);
  expect((await readFile(path, 'utf8')).includes('"attempt":"1.0.1"')).toBe(false);
});
