import { useStore } from 'zustand';
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { LinkState } from '../../shared/lanyard-client.ts';
import type { JobView, NodeView, Totals } from '../../shared/view.ts';

export type Role = 'viewer' | 'submitter' | 'worker' | 'admin';

/**
 * What the screen knows of the farm. Only the bridge writes it. The two maps are changed in place, because copying 100,000 jobs
 * at every frame would cost the frame; a changed row is a new object, `revision` grows with every frame that changed anything, and
 * the lists of ids are new arrays when members come or go. So a list selects ids, and each row selects its own job.
 */
export interface FarmData {
  readonly link: LinkState;
  /** How often the farm was found: grows when the coordinator is back. */
  readonly connections: number;
  readonly farm: { readonly id: string; readonly name: string } | null;
  readonly version: string | null;
  /** Null until the coordinator has said it. */
  readonly role: Role | null;
  readonly jobs: ReadonlyMap<number, JobView>;
  /** Newest first. */
  readonly jobIds: readonly number[];
  readonly nodes: ReadonlyMap<string, NodeView>;
  /** By name. */
  readonly nodeIds: readonly string[];
  readonly totals: Totals | null;
  readonly revision: number;
}

export type FarmStore = StoreApi<FarmData>;

export function createFarmStore(): FarmStore {
  return createStore<FarmData>(() => ({
    link: { state: 'connecting' },
    connections: 0,
    farm: null,
    version: null,
    role: null,
    jobs: new Map(),
    jobIds: [],
    nodes: new Map(),
    nodeIds: [],
    totals: null,
    revision: 0,
  }));
}

/** The one farm of this window. */
export const farmStore = createFarmStore();

export function useFarm<T>(select: (farm: FarmData) => T): T {
  return useStore(farmStore, select);
}

export function useJob(id: number): JobView | undefined {
  return useFarm((farm) => farm.jobs.get(id));
}

export function useNode(id: string): NodeView | undefined {
  return useFarm((farm) => farm.nodes.get(id));
}

/** A node's name where it is known, else its id. */
export function useNodeName(id: string | null): string {
  return useFarm((farm) => (id === null ? '' : (farm.nodes.get(id)?.description.name ?? id)));
}

/** Whether actions on jobs are offered at all. */
export function useMaySubmit(): boolean {
  return useFarm((farm) => farm.role === 'submitter' || farm.role === 'admin');
}

export function useMayAdminister(): boolean {
  return useFarm((farm) => farm.role === 'admin');
}
