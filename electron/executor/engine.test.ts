import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../files/testing/temporary-folder.ts';
import { createEngine } from './engine.ts';

it('describes its connections in a word, since the client library describes them with every request', async () => {
  const server = createServer((_, response) => response.end('OK'));
  const socket = join(await temporaryFolder(), 'engine.sock');
  server.listen(socket);
  await once(server, 'listening');
  const engine = createEngine(socket);
  const client = await engine.client();
  await client.ping();
  const { agent } = client.modem as { agent?: { readonly freeSockets: object } };
  expect(Object.keys(agent?.freeSockets ?? {})).toHaveLength(1);
  // As docker-modem does it.
  expect(inspect(agent, { showHidden: true, depth: null })).toBe('Agent');
  engine.close();
  server.closeAllConnections();
  server.close();
});
