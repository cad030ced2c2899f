import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHome } from './support/home.ts';
import { expect, test } from './support/test.ts';
import { notices } from './support/tray.ts';

/** A feed on this machine, signed by a key of this test. */
async function startFeed(version: string, key: KeyObject): Promise<{ server: Server; url: string; asked: string[] }> {
  const text = Buffer.from(`version: ${version}\nfiles:\n  - url: Lanyard.AppImage\n    sha512: abc\n`);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end(request.url?.endsWith('.sig') ? sign(null, text, key).toString('base64') : text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/feed` };
}

const own = generateKeyPairSync('ed25519');
const updateKey = own.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');

for (const { what, version, key, updates, expected } of [
  { what: 'a newer version is told', version: '99.0.0', key: own.privateKey, updates: 'ask', expected: 'told' },
  { what: 'the same version is no news', version: '0.0.1', key: own.privateKey, updates: 'ask', expected: 'silent' },
  {
    what: 'a feed of another key is left alone',
    version: '99.0.0',
    key: generateKeyPairSync('ed25519').privateKey,
    updates: 'ask',
    expected: 'refused',
  },
  {
    what: 'a lab that switches updates off is left in peace',
    version: '99.0.0',
    key: own.privateKey,
    updates: 'off',
    expected: 'not asked',
  },
] as const)
  test(`the look for updates: ${what}`, async () => {
    const feed = await startFeed(version, key);
    const home = await createHome({ settings: { desktop: { updates, updateUrl: feed.url, updateKey } } });
    try {
      const app = await home.start(['--hidden']);
      if (expected === 'not asked') {
        // Later than the first look would come.
        await new Promise((resolve) => setTimeout(resolve, 12_000));
        expect(feed.asked).toEqual([]);
        return;
      }
      await expect.poll(() => feed.asked, { timeout: 30_000 }).toEqual(['/feed/latest-linux.yml', '/feed/latest-linux.yml.sig']);
      if (expected === 'told')
        await expect.poll(() => notices(app)).toEqual(['Lanyard 99.0.0 is there: Install it as you installed this one.']);
      else if (expected === 'refused') await expect.poll(() => home.log()).toContain('not signed by the key');
      if (expected !== 'told') expect(await notices(app)).toEqual([]);
    } finally {
      await home.remove();
      feed.server.close();
    }
  });
