import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { FarmId } from '../../shared/ids.ts';
import { jobSpecSchema } from '../../shared/job.ts';
import { coordinatorSettingsSchema } from '../../shared/settings.ts';
import type { ViewEvent } from '../../shared/view.ts';
import { createManualClock } from '../../tests/fakes/clock.ts';
import { silent } from '../../tests/fakes/store-rows.ts';
import { openBlobs } from '../files/blobs.ts';
import { openLogStore } from '../files/log-store.ts';
import type { MachinePower } from '../ports/machine.ts';
import { openStore } from '../store/store.ts';
import { startCoordinatorDaemon } from './coordinator.ts';

test('what changed just before the end is not looked up in the database that is closed by then', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-coordinator-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const clock = createManualClock();
  const store = openStore({ path: join(folder, 'farm.db'), farm: 'a-farm' as FarmId, wallMs: clock.wallMs, logger: silent });
  const logs = await openLogStore(join(folder, 'logs'), 1024 * 1024);
  const daemon = startCoordinatorDaemon({
    ...{ store, logs, clock, logger: silent },
    farm: { id: 'a-farm', name: 'farm' },
    blobs: await openBlobs(join(folder, 'blobs')),
    settings: coordinatorSettingsSchema.parse({}),
    power: {} as MachinePower,
    checkInput: async () => undefined,
    backup: async () => '',
  });
  const seen: ViewEvent[] = [];
  daemon.watch((event) => seen.push(event));
  const submit = () => daemon.submit(jobSpecSchema.parse({ command: 'true' }), { subject: 'ana', roles: ['submitter'] });
  await submit();
  clock.advance(1_000);
  expect(seen.map(({ type }) => type)).toEqual(['snapshot', 'delta']);
  await submit();
  daemon.close();
  await store.close();
  await logs.close();
  clock.advance(1_000);
  expect(seen).toHaveLength(2);
});
