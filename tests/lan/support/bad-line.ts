import { createInterface } from 'node:readline';
import { startTcpProxy } from '../../fakes/tcp-proxy.ts';

/**
 * Runs on a host that stands between others: forwards its own ports to the same ports of `target`, and fails as the lines on stdin
 * say: `pause`, `resume`, `cut`, `cutAfter BYTES`, `delay MS`. Each is answered by a line.
 */
const [host = '', target = '', ...ports] = process.argv.slice(2);
const proxies = await Promise.all(ports.map((port) => startTcpProxy(Number(port), { listen: { host, port: Number(port) }, target })));
process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [word = '', number = '0'] = line.split(' ');
  for (const proxy of proxies) {
    if (word === 'pause' || word === 'resume' || word === 'cut') proxy[word]();
    if (word === 'cutAfter' || word === 'delay') proxy[word](Number(number));
  }
  process.stdout.write(`${line}\n`);
}
process.exit(0);
