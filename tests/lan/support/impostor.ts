import { createServer } from 'node:tls';
import { createDiscovery } from '../../../electron/discovery/mdns.ts';
import { createClock } from '../../../electron/machine/clock.ts';
import { openIdentity } from '../../../electron/trust/identity.ts';
import { apiServerOptions } from '../../../electron/trust/tls.ts';
import type { FarmId, NodeId } from '../../../shared/ids.ts';
import { silentLogger } from '../../fakes/silent-logger.ts';

/**
 * Somebody who announces itself as the coordinator of a farm, word for word, and listens where that one would, with a key of its own.
 * Prints `knock` for each connection that is tried, and `let in` for one on which anything could be said.
 */
const [folder = '', farmId = '', nodeId = ''] = process.argv.slice(2);
const identity = await openIdentity(folder, {});
const say = (line: string) => void process.stdout.write(`${line}\n`);
const ports = { api: 7421, peer: 7422 };
for (const port of Object.values(ports)) {
  const server = createServer(apiServerOptions(identity));
  server.on('connection', () => say('knock'));
  server.on('secureConnection', (socket) => socket.on('error', () => undefined).on('data', () => say('let in')));
  server.on('tlsClientError', () => undefined);
  server.listen(port);
}
const discovery = createDiscovery({ clock: createClock(), logger: silentLogger });
discovery.announce({
  farmId: farmId as FarmId,
  farmName: 'farm',
  nodeId: nodeId as NodeId,
  nodeName: 'one',
  roles: ['coordinator'],
  version: '0.1.0',
  ports,
});
say('ready');
