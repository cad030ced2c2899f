import { startFeed } from './support/feed.ts';
import { createHome } from './support/home.ts';
import { expect, test } from './support/test.ts';

for (const { what, version, isOwn, updates, expected } of [
  { what: 'a newer version is told', version: '99.0.0', isOwn: true, updates: 'ask', expected: 'told' },
  { what: 'the same version is no news', version: '0.0.1', isOwn: true, updates: 'ask', expected: 'silent' },
  { what: 'a feed of another key is left alone', version: '99.0.0', isOwn: false, updates: 'ask', expected: 'refused' },
  { what: 'a lab that switches updates off is left in peace', version: '99.0.0', isOwn: true, updates: 'off', expected: 'not asked' },
] as const)
  test(`the look for updates: ${what}`, async () => {
    const feed = await startFeed(version, { isOwn });
    const home = await createHome({ settings: { desktop: { updates, updateUrl: feed.url, updateKey: feed.updateKey } } });
    try {
      await home.start(['--hidden']);
      if (expected === 'not asked') {
        // Later than the first look would come.
        await new Promise((resolve) => setTimeout(resolve, 12_000));
        expect(feed.asked).toEqual([]);
        return;
      }
      await expect.poll(() => feed.asked, { timeout: 30_000 }).toEqual(['/feed/latest-linux.yml', '/feed/latest-linux.yml.sig']);
      if (expected === 'told')
        await expect.poll(() => home.session.notices).toEqual(['Lanyard 99.0.0 is there: Install it as you installed this one.']);
      else await expect.poll(() => home.log()).toContain(expected === 'refused' ? 'not signed by the key' : 'this version is the newest');
      if (expected !== 'told') expect(home.session.notices).toEqual([]);
    } finally {
      await home.remove();
      feed.close();
    }
  });
