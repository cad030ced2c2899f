import { expect, it } from 'vitest';
import { autostartEntry } from './desktop-entry.ts';

it('starts a program whose path has spaces, quotes and signs in it', () => {
  expect(autostartEntry(['/opt/my "farm"/100%$/lanyard', '--hidden'])).toContain(
    String.raw`Exec="/opt/my \\"farm\\"/100%%\\$/lanyard" "--hidden"`,
  );
});
