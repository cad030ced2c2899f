import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { feedName } from '../../../electron/app/update-feed.ts';

/** A feed of updates on this machine. */
export interface Feed {
  readonly url: string;
  /** The key that its settings name, as they take it. */
  readonly updateKey: string;
  /** What was asked of it, in order. */
  readonly asked: readonly string[];
  close(): void;
}

interface FeedWish {
  /** Whether it is signed by the key that `updateKey` belongs to, or by another; default: it is. */
  readonly isOwn?: boolean;
  /** What can be downloaded; default: nothing. */
  readonly installer?: Buffer;
  /** What it says that would be; default: the same. */
  readonly named?: Buffer;
}

export async function startFeed(
  version: string,
  { isOwn = true, installer = Buffer.alloc(0), named = installer }: FeedWish = {},
): Promise<Feed> {
  const own = generateKeyPairSync('ed25519');
  const { privateKey } = isOwn ? own : generateKeyPairSync('ed25519');
  const sha512 = createHash('sha512').update(named).digest('base64');
  const text = Buffer.from(`version: ${version}\nfiles:\n  - url: Lanyard.AppImage\n    sha512: ${sha512}\n    size: ${named.length}\n`);
  const answers: Readonly<Record<string, string | Buffer>> = {
    '/feed/Lanyard.AppImage': installer,
    [`/feed/${feedName(process.platform, process.arch)}`]: text,
    [`/feed/${feedName(process.platform, process.arch)}.sig`]: sign(null, text, privateKey).toString('base64'),
  };
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://feed');
    asked.push(pathname);
    response.writeHead(answers[pathname] === undefined ? 404 : 200).end(answers[pathname]);
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
