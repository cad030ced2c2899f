import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CoordinatorNode } from '../../electron/compose/coordinator.ts';
import { startTestNode } from './devices.ts';

/** A real coordinator on free ports with a folder of its own, both gone after `close`. */
export async function startTestCoordinator(
  settings: Record<string, unknown> = {},
): Promise<CoordinatorNode & { readonly dataFolder: string }> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'lanyard-coordinator-'));
  const node = await startTestNode({ dataFolder, coordinator: { heartbeatMs: 200, ...settings }, works: false });
  if (node.coordinator === undefined) throw new Error('the node does not coordinate');
  return {
    ...node.coordinator,
    dataFolder,
    async close() {
      await node.close();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}
