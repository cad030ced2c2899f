import { expect, test } from 'vitest';
import type { LanyardClient, WatchListener } from '../../shared/lanyard-client.ts';
import type { JobView, Totals, ViewEvent } from '../../shared/view.ts';
import { startBridge } from './bridge.ts';
import { createFarmStore } from './farm-store.ts';

const COUNTS = { SUBMITTED: 0, QUEUED: 0, ASSIGNED: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, TIMED_OUT: 0, CANCELLED: 0 };
const TOTALS: Totals = { jobs: COUNTS, tasks: COUNTS, nodes: { IDLE: 0, BUSY: 0, UNHEALTHY: 0, OFFLINE: 0 }, cpu: { used: 0, total: 0 } };

function job(id: number, name = `job ${id}`): JobView {
  const times = { submittedAt: id, queuedAt: null, startedAt: null, finishedAt: null, eta: null, canaryPhase: null };
  return {
    id,
    name,
    owner: 'ines',
    state: 'QUEUED',
    priority: 50,
    position: 1,
    held: false,
    taskCount: 1,
    counts: COUNTS,
    retries: 0,
    reason: null,
    ...times,
  };
}

function delta(jobs: readonly JobView[], removedJobs: readonly number[] = []): ViewEvent {
  return { type: 'delta', cursor: 1, jobs: [...jobs], removedJobs: [...removedJobs], nodes: [], removedNodes: [], totals: TOTALS };
}

/** A bridge whose client and frames are in the test's hands. */
function bridge() {
  let listener: WatchListener | undefined;
  const frames: (() => void)[] = [];
  const client: Pick<LanyardClient, 'watch' | 'call'> = {
    watch(given) {
      listener = given;
      return () => {
        listener = undefined;
      };
    },
    call: async () => ({ role: 'viewer', version: '1.2.3' }) as never,
  };
  const store = createFarmStore();
  const over: number[] = [];
  const asking: number[] = [];
  const stop = startBridge(client as LanyardClient, store, {
    schedule: (run) => frames.push(run),
    ended: (jobs) => over.push(...jobs.map(({ id }) => id)),
    waiting: (jobs) => asking.push(...jobs.map(({ id }) => id)),
  });
  const send = (event: ViewEvent) => listener?.event(event);
  send({ type: 'snapshot', cursor: 0, farm: { id: 'f', name: 'farm' }, jobs: [job(2), job(1)], nodes: [], totals: TOTALS });
  const frame = () => {
    for (const run of frames.splice(0)) run();
  };
  frame();
  return { store, send, frame, frames, over, asking, stop, state: (link: Parameters<WatchListener['state']>[0]) => listener?.state(link) };
}

test('what comes between two frames is written once, and other rows stay the same objects', () => {
  const { store, send, frame, frames } = bridge();
  const first = store.getState().jobs.get(1);
  let writes = 0;
  store.subscribe(() => {
    writes += 1;
  });
  send(delta([job(2, 'a')]));
  send(delta([job(2, 'b'), job(3)]));
  send(delta([], [3]));
  expect(frames).toHaveLength(1);
  frame();
  expect(writes).toBe(1);
  expect(store.getState().jobs.get(2)?.name).toBe('b');
  expect(store.getState().jobs.get(1)).toBe(first);
  expect(store.getState().jobs.has(3)).toBe(false);
});

test('the list of ids is a new one only when jobs come or go, newest first', () => {
  const { store, send, frame } = bridge();
  const before = store.getState().jobIds;
  expect(before).toEqual([2, 1]);
  send(delta([job(1, 'renamed')]));
  frame();
  expect(store.getState().jobIds).toBe(before);
  send(delta([job(7)], [2]));
  frame();
  expect(store.getState().jobIds).toEqual([7, 1]);
});

test('a lost connection is told and keeps what is known; a new snapshot replaces it', () => {
  const { store, send, frame, state } = bridge();
  state({ state: 'lost', error: { code: 'UNAVAILABLE', message: 'gone' }, retryMs: 100 });
  frame();
  expect(store.getState().link.state).toBe('lost');
  expect(store.getState().jobIds).toEqual([2, 1]);
  state({ state: 'live' });
  send({ type: 'snapshot', cursor: 9, farm: { id: 'f', name: 'farm' }, jobs: [job(5)], nodes: [], totals: TOTALS });
  frame();
  expect(store.getState()).toMatchObject({ link: { state: 'live' }, jobIds: [5] });
  expect(store.getState().jobs.has(2)).toBe(false);
});

test('jobs that end between two frames are told once; those of a snapshot are not', () => {
  const { send, frame, over } = bridge();
  const ended = { ...job(1), state: 'FAILED' } as const;
  send(delta([job(5)]));
  frame();
  send(delta([ended, { ...job(9), state: 'COMPLETED' }, { ...job(4), state: 'COMPLETED' }]));
  frame();
  expect(over, 'also one that came and ended between two frames, and none from long ago').toEqual([1, 9]);
  send(delta([{ ...ended, priority: 7 }]));
  send({ type: 'snapshot', cursor: 3, farm: { id: 'f', name: 'farm' }, jobs: [{ ...job(2), state: 'FAILED' }], nodes: [], totals: TOTALS });
  frame();
  expect(over).toEqual([1, 9]);
});

test('who one is is asked when the connection lives, and nothing is written after the end', async () => {
  const { store, send, frame, state, stop } = bridge();
  state({ state: 'live' });
  frame();
  await expect.poll(() => store.getState().role).toBe('viewer');
  send(delta([job(9)]));
  stop();
  frame();
  expect(store.getState().jobs.has(9)).toBe(false);
});

test('a canary that somebody has to approve is told of once, when it begins to wait', () => {
  const { send, frame, asking } = bridge();
  send(delta([{ ...job(1), canaryPhase: 'running' }]));
  frame();
  expect(asking).toEqual([]);
  send(delta([{ ...job(1), canaryPhase: 'waiting' }]));
  frame();
  send(delta([{ ...job(1), canaryPhase: 'waiting', priority: 7 }]));
  frame();
  expect(asking).toEqual([1]);
});
