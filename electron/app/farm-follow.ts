import { setTimeout as pause } from 'node:timers/promises';
import { LanyardError } from '../../shared/errors.ts';
import type { AnswerOfCall } from '../../shared/lanyard-client.ts';
import type { JobView } from '../../shared/view.ts';
import type { Client } from '../api/client.ts';
import type { Logger } from '../ports/system.ts';
import { createFarmWatch, type Glance } from './farm-watch.ts';
import type { OwnFarm } from './own-farm.ts';

export type Admission = AnswerOfCall<'listAdmissions'>['admissions'][number];

interface FollowOptions {
  readonly farm: OwnFarm;
  readonly logger: Logger;
  readonly changed: (glance: Glance) => void;
  /** Jobs that were submitted by this device, and want their end to be told. */
  readonly ended: (jobs: readonly JobView[]) => void;
}

const AGAIN_MS = 1_000;

/** Follows the farm for as long as the app runs. */
export async function followFarm({ farm, logger, changed, ended }: FollowOptions): Promise<void> {
  const take = createFarmWatch(farm.node);
  // One after the other, so that ends are told in their order.
  let telling = Promise.resolve();
  for (;;) {
    try {
      const client = farm.client();
      const { subject } = await client.call('farm');
      for await (const event of client.watch()) {
        const change = take(event);
        changed(change.glance);
        const own = change.ended.filter(({ owner }) => owner === subject);
        if (own.length > 0) telling = telling.then(async () => ended(await wanted(client, own)));
      }
    } catch (error) {
      // A device that only works may not look at the queue: its own tray is all that it shows.
      if (error instanceof LanyardError && error.code === 'FORBIDDEN') return;
      logger.warn('the farm cannot be watched', { error: String(error) });
    }
    await pause(AGAIN_MS);
  }
}

/** Of so many jobs at once each is asked whether its end is to be told; of more, none is. */
const ASKED = 50;

async function wanted(client: Client, jobs: readonly JobView[]): Promise<readonly JobView[]> {
  if (jobs.length > ASKED) return jobs;
  const answers = await Promise.all(
    jobs.map(async ({ id, state }) => {
      // A job that is gone already is told of as any other.
      const notify = await client.call('getJob', { params: { job: id } }).then(
        ({ spec }) => spec.notify,
        () => 'end',
      );
      return notify === 'end' || (notify === 'failure' && state !== 'COMPLETED');
    }),
  );
  return jobs.filter((_, at) => answers[at] === true);
}

/** Who asks to join waits in front of a screen, two minutes at most. */
const LOOK_EVERY_MS = 3_000;

/** Calls back with each device that begins to wait for an administrator, where this device is one; for as long as the app runs. */
export function watchAdmissions(farm: OwnFarm, asks: (admission: Admission) => void): void {
  let known: ReadonlySet<string> = new Set();
  const look = async () => {
    if (!farm.membership().roles.includes('admin')) return;
    const { admissions } = await farm.client().call('listAdmissions');
    const fresh = admissions.filter(({ id }) => !known.has(id));
    known = new Set(admissions.map(({ id }) => id));
    for (const admission of fresh) asks(admission);
  };
  // That the coordinator is away is said elsewhere.
  setInterval(() => void look().catch(() => {}), LOOK_EVERY_MS);
}
