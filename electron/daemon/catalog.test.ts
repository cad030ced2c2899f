import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BlobId, FarmId, JobId } from '../../shared/ids.ts';
import { type JobSpecInput, jobSpecSchema } from '../../shared/job.ts';
import { silent } from '../../tests/fakes/store-rows.ts';
import type { Store, StoredSpec } from '../ports/store.ts';
import { openStore } from '../store/store.ts';
import { openCatalog } from './catalog.ts';

let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanyard-catalog-'));
  store = openStore({ path: join(folder, 'farm.db'), farm: 'a-farm' as FarmId, wallMs: () => 0, logger: silent });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const stored = (spec: JobSpecInput): StoredSpec => ({ spec: jobSpecSchema.parse(spec), owner: 'ana', inputBytes: null });

/** @returns whether two such jobs, one after the other, have one work in common */
function inCommon(one: StoredSpec, other: StoredSpec): boolean {
  const catalog = openCatalog(store);
  const [first, second] = [1 as JobId, 2 as JobId];
  catalog.set(first, one);
  catalog.set(second, other);
  return catalog.entry(first)?.work() === catalog.entry(second)?.work();
}

test('jobs of one specification have their work in common, where nothing else tells them apart', () => {
  const plain = stored({ command: 'true' });
  expect(inCommon(plain, { ...plain })).toBe(true);
  expect(inCommon(plain, { ...plain, owner: 'bo' })).toBe(false);
  expect(inCommon(plain, stored({ command: 'true' }))).toBe(false);
  const withInput = stored({ command: 'true', input: 'a'.repeat(64) as BlobId });
  expect(inCommon({ ...withInput, inputBytes: 3 }, { ...withInput, inputBytes: 3 })).toBe(true);
  expect(inCommon(withInput, { ...withInput, inputBytes: 3 })).toBe(false);
  const building = stored({ command: 'true', inputsFrom: [7 as JobId] });
  expect(inCommon(building, { ...building })).toBe(false);
});
