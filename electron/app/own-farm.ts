import { hostname } from 'node:os';
import { LanyardError } from '../../shared/errors.ts';
import { type Client, createClient } from '../api/client.ts';
import { readSettingsFile, resolveSettings } from '../cli/settings.ts';
import { foundFarm, openDevice } from '../compose/device.ts';
import { startNode } from '../compose/node.ts';
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
  const device = await openDevice(dataFolder);
  if (device.roster.current === undefined) await foundFarm(device, settings.coordinator.farmName, hostname());
  const node = await startNode({
    device,
    settings,
    logger,
    coordinates: true,
    works: true,
  });
  if (node.coordinator === undefined) throw new LanyardError({ code: 'CONFLICT', message: 'this device does not coordinate its farm' });
  const client = createClient(node.coordinator.connection);
  let resume: NodeJS.Timeout | undefined;
  const set = async (availability: 'available' | 'paused') => {
    clearTimeout(resume);
    resume = undefined;
    await client.call('updateNode', { params: { node: device.identity.id }, body: { availability } });
  };
  return {
    client,
    isPaused: () => resume !== undefined,
    async runningTasks() {
      return (await client.call('getNode', { params: { node: device.identity.id } })).running.length;
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
      await node.close();
    },
  };
}
