import { openStore } from '../../electron/store/store.ts';
import type { FarmId } from '../../shared/ids.ts';
import { attemptRow, batch, newJob, silent, taskRow } from '../fakes/store-rows.ts';

/** Commits batches until it is killed, and says after each how far it got: `node store-crash-child.ts DATABASE`. */
const store = openStore({ path: String(process.argv[2]), farm: 'a-farm' as FarmId, wallMs: Date.now, logger: silent });
const ROWS = 20;
const commitNext = async (): Promise<void> => {
  const id = store.nextJobId();
  const indexes = Array.from({ length: ROWS }, (_, index) => index);
  store.commit(
    batch({
      ...newJob(id, { row: { taskCount: ROWS } }),
      tasks: indexes.map((index) => taskRow(id, index, { state: 'COMPLETED' })),
      attempts: indexes.map((index) => attemptRow(id, index, 1)),
    }),
  );
  if (id % 2 === 0) store.syncNow();
  else await store.sync();
  process.stdout.write(`${id}\n`);
  setImmediate(() => void commitNext());
};
void commitNext();
