import { isTerminal } from '../../shared/job.ts';
import type { LanyardClient, LinkState, Stop } from '../../shared/lanyard-client.ts';
import type { JobView, NodeView, ViewEvent } from '../../shared/view.ts';
import type { FarmData, FarmStore } from './farm-store.ts';
import { forgetNode, recordMetrics } from './node-history.ts';

/** Runs a function soon: with the next frame, or in a while when nobody looks. */
export type Schedule = (run: () => void) => void;

interface BridgeOptions {
  readonly schedule?: Schedule;
  /** Told of the jobs that ended between two frames; not of those that ended while the coordinator was away. */
  readonly ended?: (jobs: readonly JobView[]) => void;
  /** The same of those whose canary somebody has to approve from now on. */
  readonly waiting?: (jobs: readonly JobView[]) => void;
}

const HIDDEN_MS = 1_000;
const nextFrame: Schedule = (run) => {
  if (document.hidden) setTimeout(run, HIDDEN_MS);
  else requestAnimationFrame(run);
};

/**
 * Carries the farm from the client into the store: the only writer there is. What comes between two frames is gathered by id, so a
 * job that changed ten times is written once, and what is gathered never exceeds the farm itself.
 */
export function startBridge(client: LanyardClient, store: FarmStore, options: BridgeOptions = {}): Stop {
  const { schedule = nextFrame, ended, waiting } = options;
  let gathered = emptyChanges();
  let isScheduled = false;
  let hasStopped = false;

  const apply = () => {
    isScheduled = false;
    if (hasStopped) return;
    const changes = gathered;
    gathered = emptyChanges();
    const over = ended === undefined ? [] : justEnded(store.getState(), changes);
    const asking = waiting === undefined ? [] : justWaiting(store.getState(), changes);
    store.setState(applied(store.getState(), changes));
    if (over.length > 0) ended?.(over);
    if (asking.length > 0) waiting?.(asking);
  };
  const soon = () => {
    if (isScheduled) return;
    isScheduled = true;
    schedule(apply);
  };
  const askWhoWeAre = async () => {
    const { role, version } = await client.call('farm');
    if (!hasStopped) store.setState({ role, version });
  };

  const stopWatching = client.watch({
    event(event) {
      gather(gathered, event);
      soon();
    },
    state(link) {
      gathered.link = link;
      soon();
      // A coordinator that comes back may be of another version; without an answer the screen offers no actions.
      if (link.state === 'live') askWhoWeAre().catch(() => {});
    },
  });
  return () => {
    hasStopped = true;
    stopWatching();
  };
}

interface Changes {
  link: LinkState | undefined;
  snapshot: Extract<ViewEvent, { type: 'snapshot' }> | undefined;
  /** Null: removed. */
  jobs: Map<number, JobView | null>;
  nodes: Map<string, NodeView | null>;
  totals: FarmData['totals'] | undefined;
}

function emptyChanges(): Changes {
  return { link: undefined, snapshot: undefined, jobs: new Map(), nodes: new Map(), totals: undefined };
}

function gather(changes: Changes, event: ViewEvent): void {
  changes.totals = event.totals;
  if (event.type === 'snapshot') {
    changes.snapshot = event;
    changes.jobs.clear();
    changes.nodes.clear();
    return;
  }
  for (const job of event.jobs) changes.jobs.set(job.id, job);
  for (const job of event.removedJobs) changes.jobs.set(job, null);
  for (const node of event.nodes) changes.nodes.set(node.description.id, node);
  for (const node of event.removedNodes) changes.nodes.set(node, null);
}

function applied(farm: FarmData, changes: Changes): Partial<FarmData> {
  const { link, snapshot, totals } = changes;
  const jobs = snapshot === undefined ? (farm.jobs as Map<number, JobView>) : new Map(snapshot.jobs.map((job) => [job.id, job]));
  const nodes =
    snapshot === undefined ? (farm.nodes as Map<string, NodeView>) : new Map(snapshot.nodes.map((node) => [node.description.id, node]));
  const jobsMoved = put(jobs, changes.jobs) || snapshot !== undefined;
  const nodesMoved = put(nodes, changes.nodes) || snapshot !== undefined;
  for (const node of snapshot?.nodes ?? []) recordMetrics(node);
  for (const [id, node] of changes.nodes) node === null ? forgetNode(id) : recordMetrics(node);
  return {
    ...(link === undefined ? {} : { link }),
    ...(link?.state === 'live' && farm.link.state !== 'live' ? { connections: farm.connections + 1 } : {}),
    ...(snapshot === undefined ? {} : { farm: snapshot.farm }),
    ...(totals === undefined ? {} : { totals }),
    jobs,
    nodes,
    ...(jobsMoved ? { jobIds: snapshot === undefined ? moved(farm.jobIds, jobs, changes.jobs) : newestFirst(jobs.keys()) } : {}),
    ...(nodesMoved ? { nodeIds: sortedByName(nodes) } : {}),
    revision: farm.revision + 1,
  };
}

function justEnded({ jobs, jobIds }: FarmData, changes: Changes): readonly JobView[] {
  if (changes.snapshot !== undefined) return [];
  // A job that came and ended between two frames is one of them; one from long ago that only now is told of is not.
  const newest = jobIds[0] ?? 0;
  return [...changes.jobs.values()].filter((job): job is JobView => {
    const before = job === null ? undefined : jobs.get(job.id);
    return job !== null && isTerminal(job.state) && (before === undefined ? job.id > newest : !isTerminal(before.state));
  });
}

function justWaiting({ jobs }: FarmData, changes: Changes): readonly JobView[] {
  if (changes.snapshot !== undefined) return [];
  return [...changes.jobs.values()].filter(
    (job): job is JobView => job?.canaryPhase === 'waiting' && jobs.get(job.id)?.canaryPhase !== 'waiting',
  );
}

/** @returns whether members came or went */
function put<Id, View>(known: Map<Id, View>, changes: ReadonlyMap<Id, View | null>): boolean {
  let moved = false;
  for (const [id, view] of changes) {
    if (view === null) moved = known.delete(id) || moved;
    else {
      moved ||= !known.has(id);
      known.set(id, view);
    }
  }
  return moved;
}

function newestFirst(ids: Iterable<number>): number[] {
  return [...ids].sort((a, b) => b - a);
}

/** Beyond this many, those that went are looked for in one pass. */
const FEW = 32;

/** The ids after some came or went, without looking at those that stay: there may be a hundred thousand of them, and a frame is short. */
function moved(before: readonly number[], jobs: ReadonlyMap<number, JobView>, changes: Changes['jobs']): readonly number[] {
  const went = [...changes].filter(([id, job]) => job === null && holds(before, id)).map(([id]) => id);
  const stay = went.length > FEW ? before.filter((id) => changes.get(id) !== null) : before.slice();
  if (went.length <= FEW) for (const id of went) stay.splice(placeOf(stay, id), 1);
  // What came is what is there and was not: in a list of descending ids that is soon seen.
  const came = newestFirst([...changes.keys()].filter((id) => jobs.has(id) && !holds(before, id)));
  if (came.length === 0) return stay;
  if (stay.length === 0 || (came.at(-1) as number) > (stay[0] as number)) return came.concat(stay);
  return newestFirst([...came, ...stay]);
}

function holds(ids: readonly number[], id: number): boolean {
  return ids[placeOf(ids, id)] === id;
}

/** Where an id stands, or would stand. @param ids descending */
function placeOf(ids: readonly number[], id: number): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] as number) > id) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sortedByName(nodes: ReadonlyMap<string, NodeView>): string[] {
  const order = new Intl.Collator('en', { numeric: true });
  return [...nodes.values()]
    .sort((a, b) => order.compare(a.description.name, b.description.name) || order.compare(a.description.id, b.description.id))
    .map((node) => node.description.id);
}
