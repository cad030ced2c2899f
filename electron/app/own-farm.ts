import { join } from 'node:path';
import { type Client, createClient } from '../api/client.ts';
import { readSettingsFile, resolveSettings } from '../cli/settings.ts';
import { startCoordinator, startWorker } from '../compose.ts';
import type { Logger } from '../ports.ts';

/** The coordinator and worker that this app runs. */
export interface OwnFarm {
  readonly client: Client;
  /** Tasks that this machine runs now. */
  runningTasks(): Promise<number>;
  isPaused(): boolean;
  /** Takes no new work for a while; null: takes it again. */
  pauseFor(ms: number | null): Promise<void>;
  close(): Promise<void>;
}

/** @throws LanyardError when the data folder is in use, a setting is not valid, or the port is taken */
export async function openFarm({ dataFolder, logger }: { readonly dataFolder: string; readonly logger: Logger }): Promise<OwnFarm> {
  const settings = resolveSettings({ flags: {}, environment: process.env, file: await readSettingsFile(dataFolder) });
  const coordinator = await startCoordinator({ dataFolder, settings: settings.coordinator, logger });
  const { url, token, workerToken } = coordinator.connection;
  const worker = await startWorker({
    dataFolder: join(dataFolder, 'worker'),
    coordinatorUrl: url,
    token: workerToken,
    settings: settings.worker,
    logger,
  }).catch(async (error: unknown) => {
    await coordinator.close();
    throw error;
  });
  const client = createClient({ url, token });
  let resume: NodeJS.Timeout | undefined;
  const set = async (availability: 'available' | 'paused') => {
    clearTimeout(resume);
    resume = undefined;
    await client.call('updateNode', { params: { node: worker.id }, body: { availability } });
  };
  return {
    client,
    isPaused: () => resume !== undefined,
    async runningTasks() {
      return (await client.call('getNode', { params: { node: worker.id } })).running.length;
    },
    async pauseFor(ms) {
      await set(ms === null ? 'available' : 'paused');
      if (ms !== null)
        resume = setTimeout(() => {
          set('available').catch((error: unknown) => logger.error('the pause did not end', { error: String(error) }));
        }, ms);
    },
    async close() {
      clearTimeout(resume);
      await worker.close();
      await coordinator.close();
    },
  };
}
