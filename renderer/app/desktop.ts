import type { Stop } from '../../shared/lanyard-client.ts';
import type { Desktop } from '../client/ipc-client.ts';
import { takeInput } from '../features/submit/draft.ts';
import { go } from './router.ts';

/** Shows what the system gave to the desktop app. @param invited takes the link of an invite */
export function followOpenings(desktop: Desktop, invited: (link: string) => void): Stop {
  return desktop.openings({
    opened(source) {
      void takeInput(Promise.resolve({ kind: 'zip', name: source.name, bytes: source.bytes, source }));
      go({ name: 'submit' });
    },
    link: invited,
  });
}
