import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { LanyardError } from '../../shared/errors.ts';
import type { FarmId, JobId } from '../../shared/ids.ts';
import { jobSpecSchema } from '../../shared/job.ts';
import { coordinatorSettingsSchema } from '../../shared/settings.ts';
import { createManualClock } from '../../tests/fakes/clock.ts';
import { silent } from '../../tests/fakes/store-rows.ts';
import { jobIds } from '../core/queries.ts';
import type { Store } from '../ports/store.ts';
import type { Logger } from '../ports/system.ts';
import { openStore } from '../store/store.ts';
import { FarmLife } from './farm-life.ts';
import { newJob } from './recovery.ts';

const folder = mkdtempSync(join(tmpdir(), 'lanyard-life-'));
let store: Store | undefined;
afterEach(() => {
  store?.close();
  rmSync(folder, { recursive: true });
});

test('a disk that stays full is told of once, and once more when it has room again', async () => {
  const stored = openStore({ path: join(folder, 'farm.db'), farm: 'a-farm' as FarmId, wallMs: () => 1_700_000_000_000, logger: silent });
  store = stored;
  let isFull = false;
  let refused = 0;
  const told: string[] = [];
  const happened: string[] = [];
  const logger: Logger = { ...silent, info: (message) => told.push(message), error: (_, fields) => told.push(String(fields?.error)) };
  const clock = createManualClock();
  const life = new FarmLife({
    store: {
      ...stored,
      commit(batch) {
        if (!isFull) return stored.commit(batch);
        refused += 1;
        throw new LanyardError({ code: 'DISK_FULL', message: 'the disk is full' });
      },
    },
    clock,
    logger,
    settings: coordinatorSettingsSchema.parse({}),
    perform() {},
    opened: () => happened.push('opened'),
    failed: () => happened.push('failed'),
  });
  const submit = (id: number) => {
    const spec = jobSpecSchema.parse({ command: 'true' });
    const add = { job: id as JobId, stored: { spec, owner: 'ana', inputBytes: null } };
    return life.change({ type: 'job-submitted', job: newJob(add.job, 'ana', spec, 1, true, []) }, (batch) => batch.addSpec(add));
  };
  await submit(1);
  isFull = true;
  for (const id of [2, 3, 4]) {
    await expect(submit(id)).rejects.toMatchObject({ code: 'DISK_FULL' });
    clock.advance(1_000);
  }
  expect(refused).toBe(3);
  expect(told).toEqual(['the disk is full']);
  isFull = false;
  await submit(5);
  await submit(6);
  expect(told).toEqual(['the disk is full', 'changes can be stored again']);
  expect(happened).toEqual(['opened', 'failed', 'opened', 'failed', 'opened', 'failed', 'opened']);
  expect(jobIds(life.farm)).toEqual([1, 5, 6]);
  life.stop();
});
