import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CoordinatorNode, startCoordinator } from '../../electron/compose.ts';
import { coordinatorSettingsSchema } from '../../shared/settings.ts';
import { silentLogger } from './silent-logger.ts';

/** A real coordinator on a free port with a folder of its own, both gone after `close`. */
export async function startTestCoordinator(
  settings: Record<string, unknown> = {},
): Promise<CoordinatorNode & { readonly dataFolder: string }> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'lanyard-coordinator-'));
  const node = await startCoordinator({
    dataFolder,
    settings: coordinatorSettingsSchema.parse({ port: 0, defaultImage: null, heartbeatMs: 200, ...settings }),
    logger: silentLogger,
  });
  return {
    ...node,
    dataFolder,
    async close() {
      await node.close();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}
