import { expect, test } from 'vitest';
import type { JobId } from '../../shared/ids.ts';
import type { Totals, ViewEvent } from '../../shared/view.ts';
import { createManualClock } from '../../tests/fakes/clock.ts';
import { createWatchers } from './watchers.ts';

const JOB = 7 as JobId;

function bench() {
  const clock = createManualClock();
  const seen: ViewEvent[] = [];
  const asked: JobId[] = [];
  const totals = {} as Totals;
  const watchers = createWatchers({
    clock,
    snapshot: () => ({ farm: { id: 'f', name: 'farm' }, jobs: [], nodes: [], totals }),
    job: (job) => {
      asked.push(job);
      return undefined;
    },
    node: () => undefined,
    totals: () => totals,
  });
  return { clock, seen, asked, watchers };
}

test('changes that come together share one delta, after the snapshot', () => {
  const { clock, seen, watchers } = bench();
  watchers.jobChanged(JOB);
  const leave = watchers.watch((event) => seen.push(event));
  watchers.jobChanged(JOB);
  watchers.jobChanged(JOB);
  clock.advance(50);
  expect(seen.map(({ type }) => type)).toEqual(['snapshot', 'delta']);
  expect(seen[1]).toMatchObject({ removedJobs: [JOB] });
  leave();
  watchers.jobChanged(JOB);
  clock.advance(50);
  expect(seen).toHaveLength(2);
});

test('nothing is looked up after the end: what it would be read from is closed by then', () => {
  const { clock, seen, asked, watchers } = bench();
  watchers.watch((event) => seen.push(event));
  watchers.jobChanged(JOB);
  watchers.close();
  clock.advance(50);
  expect(asked).toEqual([]);
  expect(seen.map(({ type }) => type)).toEqual(['snapshot']);
});
