import { CircleHelp } from 'lucide-react';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { LanyardClient } from '../../../shared/lanyard-client.ts';
import type { Explanation } from '../../../shared/view.ts';
import { useClient } from '../../client/client.ts';
import { useFarm } from '../../store/farm-store.ts';
import { plural } from '../../ui/format.ts';
import css from './Explained.module.css';

/** The farm explains again at most this often (ms). */
const AGAIN_MS = 3_000;

type Said = Pick<Explanation, 'summary' | 'obstacles'> & Partial<Pick<Explanation, 'ahead' | 'evidence'>>;

interface ExplainedProps {
  /** What the answer is about, as screen readers say it: "Why it waits". */
  readonly label: string;
  /** Another one is another question. */
  readonly about: string;
  readonly ask: (client: LanyardClient) => Promise<Said>;
  /** What else there is to say of the answer. */
  readonly children?: (said: Said) => ReactNode;
}

/** Why something is as it is, in a sentence, with the smallest change that would help; asked again as the farm changes. */
export function Explained({ label, about, ask, children }: ExplainedProps) {
  const said = useExplanation(about, ask);
  if (said === null) return null;
  // What the sentence says already needs no line of its own.
  const obstacles = said.obstacles.filter(({ message, help }) => help !== null || !said.summary.includes(message));
  return (
    <section className={css.why} aria-label={label}>
      <CircleHelp aria-hidden />
      <div>
        <p>
          {said.summary}
          {said.ahead != null && said.ahead > 0 && <span className={css.soft}> {plural(said.ahead, 'task')} ahead of it.</span>}
        </p>
        {obstacles.length > 0 && (
          <ul>
            {obstacles.map(({ constraint, message, help }) => (
              <li key={constraint + message}>
                {message} {help !== null && <strong>{help}</strong>}
              </li>
            ))}
          </ul>
        )}
        {children?.(said)}
      </div>
    </section>
  );
}

function useExplanation(about: string, ask: ExplainedProps['ask']): Said | null {
  const client = useClient();
  const revision = useFarm((farm) => Math.floor(farm.revision / 8));
  const [known, setKnown] = useState<{ readonly about: string; readonly said: Said } | null>(null);
  const asked = useRef({ about: '', at: 0 });
  // biome-ignore lint/correctness/useExhaustiveDependencies: any change of the farm may change the reason; `ask` is made anew at every drawing
  useEffect(() => {
    const wait = asked.current.about === about ? Math.max(0, asked.current.at + AGAIN_MS - Date.now()) : 0;
    let isGone = false;
    const timer = setTimeout(() => {
      asked.current = { about, at: Date.now() };
      // Without an answer the last one stands; that the farm is away is said elsewhere.
      ask(client).then(
        (said) => isGone || setKnown({ about, said }),
        () => {},
      );
    }, wait);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [client, about, revision]);
  return known?.about === about ? known.said : null;
}
