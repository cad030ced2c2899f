import { useCallback, useEffect, useState } from 'react';
import type { LanyardClient } from '../../shared/lanyard-client.ts';
import { useClient } from '../client/client.ts';
import { useFarm } from './farm-store.ts';

/** Changes that come together are asked about once (ms). */
const TOGETHER_MS = 100;

export interface Answered<T> {
  /** The newest there is; null before the first. */
  readonly answer: T | null;
  /** Null while the coordinator is away: the window says that by itself. */
  readonly error: unknown;
  /** Asks again now, after something was done. */
  readonly askAgain: () => void;
}

/**
 * What the coordinator answers, asked again when `again` changes, and when the coordinator is back after it was away. The last answer
 * stays until there is a newer one.
 */
export function useAnswer<T>(ask: (client: LanyardClient) => Promise<T>, again: readonly unknown[]): Answered<T> {
  const client = useClient();
  const connections = useFarm((farm) => farm.connections);
  const isAway = useFarm((farm) => farm.link.state === 'lost');
  const [wishes, setWishes] = useState(0);
  const [known, setKnown] = useState<{ readonly answer: T | null; readonly error: unknown }>({ answer: null, error: null });
  // biome-ignore lint/correctness/useExhaustiveDependencies: `ask` is made anew at every drawing; `again` says when its answer may differ
  useEffect(() => {
    let isGone = false;
    const read = () =>
      ask(client).then(
        (answer) => isGone || setKnown({ answer, error: null }),
        (error: unknown) => isGone || setKnown((before) => ({ ...before, error })),
      );
    const timer = setTimeout(read, known.answer === null && known.error === null ? 0 : TOGETHER_MS);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [client, connections, wishes, ...again]);
  const askAgain = useCallback(() => setWishes((before) => before + 1), []);
  return { answer: known.answer, error: isAway ? null : known.error, askAgain };
}
