import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TRUST_ROUTES } from '../../shared/api-trust.ts';
import { ERROR_STATUS, type ErrorValue } from '../../shared/errors.ts';
import type { CoordinatorSettings } from '../../shared/settings.ts';
import type { Logger } from '../ports/system.ts';
import { guardPeers, peerServerOptions } from '../trust/tls.ts';
import type { Device } from './device.ts';

/** What stands where a coordinator was: it tells devices of the farm who coordinates now, and nothing else. */
export interface Signpost {
  readonly port: number;
  close(): Promise<void>;
}

/** @returns undefined when the port is taken: whoever looks for the coordinator has other ways */
export async function startSignpost(options: {
  readonly device: Device;
  readonly settings: CoordinatorSettings;
  readonly port: number;
  readonly logger: Logger;
  readonly coordinatorAt: () => readonly string[];
}): Promise<Signpost | undefined> {
  const { device, settings, logger, coordinatorAt } = options;
  const { identity, roster } = device;
  if (roster.current === undefined) return undefined;
  const server = createServer(peerServerOptions(identity, roster.current));
  const guard = guardPeers(server, identity, roster.current);
  const end = roster.subscribe((changed) => changed !== undefined && guard.update(changed));
  server.on('request', (request, response) => {
    const url = new URL(request.url ?? '/', 'https://signpost');
    const isKnown = guard.deviceOf(request.socket) !== undefined;
    if (!isKnown || request.method !== 'GET' || url.pathname !== TRUST_ROUTES.roster.path) {
      // Not for good: whoever asks follows the farm, and asks the right one next.
      const error: ErrorValue = { code: 'UNAVAILABLE', message: 'this device does not coordinate the farm any more' };
      response.writeHead(ERROR_STATUS.UNAVAILABLE, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
      return;
    }
    const since = Number(url.searchParams.get('since') ?? 0);
    const answer = { chain: roster.since(Number.isFinite(since) ? since : 0), coordinatorAt: coordinatorAt() };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  server.listen(options.port, settings.lanHost ?? '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    end();
    logger.warn('there is no signpost to the new coordinator', { error: (error as Error).message });
    return undefined;
  }
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      end();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
