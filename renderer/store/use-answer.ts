import { useCallback, useEffect, useRef, useState } from 'react';
import type { LanyardClient } from '../../shared/lanyard-client.ts';
import { useClient } from '../client/client.ts';
import { type Asking, startAsking } from './asking.ts';
import { useFarm } from './farm-store.ts';

export interface Answered<T> {
  /** The newest there is; null before the first. */
  readonly answer: T | null;
  /** Null while the coordinator is away: the window says that by itself. */
  readonly error: unknown;
  /** Asks again now, after something was done. */
  readonly askAgain: () => void;
}

/**
 * What the coordinator answers. The last answer stays until there is a newer one.
 * @param about what the question is made of: another one is asked at once, as it is when the coordinator is back after it was away
 * @param changes when one of them changes the answer may too: it is asked for again at the pace of `startAsking`
 */
export function useAnswer<T>(
  ask: (client: LanyardClient) => Promise<T>,
  about: readonly unknown[],
  changes: readonly unknown[] = [],
): Answered<T> {
  const client = useClient();
  const connections = useFarm((farm) => farm.connections);
  const isAway = useFarm((farm) => farm.link.state === 'lost');
  const [wishes, setWishes] = useState(0);
  const [known, setKnown] = useState<{ readonly answer: T | null; readonly error: unknown }>({ answer: null, error: null });
  const asking = useRef<Asking | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `ask` is made anew at every drawing; `about` says when it is another question
  useEffect(() => {
    let isGone = false;
    const started = startAsking(() =>
      ask(client).then(
        (answer) => {
          if (!isGone) setKnown({ answer, error: null });
        },
        (error: unknown) => {
          if (!isGone) setKnown((before) => ({ ...before, error }));
        },
      ),
    );
    asking.current = started;
    return () => {
      isGone = true;
      started.stop();
    };
  }, [client, connections, wishes, ...about]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the changes say when
  useEffect(() => asking.current?.changed(), changes);
  const askAgain = useCallback(() => setWishes((before) => before + 1), []);
  return { answer: known.answer, error: isAway ? null : known.error, askAgain };
}
