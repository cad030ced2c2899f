import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A feed of updates on this machine. */
export interface Feed {
  readonly url: string;
  /** The key that its settings name, as they take it. */
  readonly updateKey: string;
  /** What was asked of it, in order. */
  readonly asked: readonly string[];
  close(): void;
}

/** @param isOwn whether it is signed by the key that `updateKey` belongs to, or by another */
export async function startFeed(version: string, isOwn = true): Promise<Feed> {
  const own = generateKeyPairSync('ed25519');
  const { privateKey } = isOwn ? own : generateKeyPairSync('ed25519');
  const text = Buffer.from(`version: ${version}\nfiles:\n  - url: Lanyard.AppImage\n    sha512: abc\n`);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end(request.url?.endsWith('.sig') ? sign(null, text, privateKey).toString('base64') : text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/feed`,
    updateKey: own.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    asked,
    close: () => server.close(),
  };
}
