import type { LanyardClient } from '../../../shared/lanyard-client.ts';
import type { JobDetail } from '../../../shared/view.ts';
import { inColumns, type Placed } from '../graph/columns.ts';

/** Jobs looked at for one graph; what lies beyond is left out, and the graph says so. */
const MOST_JOBS = 60;

export type DependencyKind = 'complete' | 'ended' | 'tasks';

export interface DependencyGraph {
  readonly jobs: readonly (Placed<number> & { readonly name: string })[];
  /** From the job that is waited for to the one that waits. */
  readonly edges: readonly { readonly from: number; readonly to: number; readonly kind: DependencyKind }[];
  readonly isCut: boolean;
}

/** Reads the jobs that this one waits for and those that wait for it, and theirs in turn, nearest first. */
export async function readDependencies(client: LanyardClient, start: number): Promise<DependencyGraph> {
  const known = new Map<number, JobDetail | null>([[start, null]]);
  let edge = [start];
  let isCut = false;
  while (edge.length > 0) {
    const read = await Promise.all(edge.map((job) => client.call('getJob', { params: { job } }).catch(() => null)));
    const next = new Set<number>();
    for (const [index, detail] of read.entries()) {
      known.set(edge[index] as number, detail);
      for (const id of detail === null ? [] : neighbours(detail)) if (!known.has(id)) next.add(id);
    }
    edge = [...next].slice(0, Math.max(0, MOST_JOBS - known.size));
    isCut ||= edge.length < next.size;
    for (const id of edge) known.set(id, null);
  }
  const details = [...known.values()].filter((detail): detail is JobDetail => detail !== null);
  return { ...layOut(details), isCut };
}

function neighbours({ spec, dependents }: JobDetail): number[] {
  return [...spec.after, ...spec.afterAny, ...spec.afterTasks, ...dependents];
}

/** Each job stands one column after the last of those it waits for. */
export function layOut(details: readonly JobDetail[]): Omit<DependencyGraph, 'isCut'> {
  const byId = new Map(details.map((detail) => [detail.id, detail]));
  const edges = details.flatMap(({ id, spec }) => [
    ...edgesOf(spec.after, id, 'complete'),
    ...edgesOf(spec.afterAny, id, 'ended'),
    ...edgesOf(spec.afterTasks, id, 'tasks'),
  ]);
  // A job can wait only for jobs with smaller numbers, so by number each comes after those it waits for.
  const order = details.map(({ id }) => id).sort((a, b) => a - b);
  const jobs = inColumns(order, edges).map((place) => ({ ...place, name: byId.get(place.id)?.name ?? `Job ${place.id}` }));
  return { jobs, edges: edges.filter(({ from }) => byId.has(from)) };
}

function edgesOf(waitedFor: readonly number[], to: number, kind: DependencyKind): DependencyGraph['edges'] {
  return [...new Set(waitedFor)].map((from) => ({ from, to, kind }));
}
