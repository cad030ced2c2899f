import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createDiscovery } from '../../../electron/discovery/mdns.ts';
import { createClock } from '../../../electron/machine/clock.ts';
import type { Discovery } from '../../../electron/ports/discovery.ts';
import type { FarmId, NodeId } from '../../../shared/ids.ts';

/**
 * A node that does nothing but discovery, for hosts of the LAN tests. Writes what it finds as lines of JSON whenever
 * that changes. Begins with the first line on stdin; the end of stdin makes it leave as a program does that ends well.
 */
const { values } = parseArgs({ options: { id: { type: 'string' }, name: { type: 'string' }, forgetMs: { type: 'string' } } });
const { id, name } = values;
if (id === undefined || name === undefined) throw new Error('--id and --name are needed');

const write = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const log = (message: string, fields?: Readonly<Record<string, unknown>>): void => write({ log: message, ...fields });

const start = (): Discovery => {
  const discovery = createDiscovery({
    clock: createClock(),
    logger: { debug: log, info: log, warn: log, error: log },
    // Those of the product, made shorter: what they bound must pass within a test.
    times: { rescanMs: 250, queryMs: 600, forgetMs: Number(values.forgetMs ?? 2_500) },
  });
  const report = (): void => write({ found: discovery.found(), interfaces: discovery.interfaces() });
  discovery.watch(report);
  discovery.announce({
    farmId: 'farm-1' as FarmId,
    farmName: 'Farm',
    nodeId: id as NodeId,
    nodeName: name,
    roles: ['worker'],
    version: '0.1.0',
    ports: { api: null, peer: 7421 },
  });
  return discovery;
};

let discovery: Discovery | undefined;
createInterface({ input: process.stdin })
  .on('line', () => {
    discovery ??= start();
  })
  .once('close', async () => {
    await discovery?.close();
    process.exit(0);
  });
write({ log: 'ready' });
