import type { NodeCache } from '../../shared/cache.ts';
import { LIMITS } from '../../shared/limits.ts';
import type { Executor } from '../ports/executor.ts';
import type { Workspaces } from '../ports/workspace.ts';

/** What this machine keeps, as it tells the coordinator. @param clear removes the inputs that nothing works on first */
export async function cacheReport(workspaces: Workspaces, executors: readonly Executor[], clear: boolean): Promise<NodeCache> {
  const { capBytes, inputs } = await workspaces.cache(clear);
  // An engine that does not answer has none to tell of; that it does not answer is told elsewhere.
  const images = await Promise.all(executors.map((executor) => executor.images?.().catch(() => []) ?? []));
  return { capBytes, inputs: inputs.slice(0, LIMITS.cacheEntries), images: images.flat().slice(0, LIMITS.cacheEntries) };
}
