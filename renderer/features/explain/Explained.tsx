import { CircleHelp } from 'lucide-react';
import type { ReactNode } from 'react';
import type { LanyardClient } from '../../../shared/lanyard-client.ts';
import type { Explanation } from '../../../shared/view.ts';
import { useFarm } from '../../store/farm-store.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { plural } from '../../ui/format.ts';
import css from './Explained.module.css';

type Said = Pick<Explanation, 'summary' | 'obstacles'> & Partial<Pick<Explanation, 'ahead' | 'evidence'>>;

interface ExplainedProps {
  /** What the answer is about, as screen readers say it: "Why it waits". */
  readonly label: string;
  /** Another one is another question, and begins without an answer. */
  readonly about: string;
  readonly ask: (client: LanyardClient) => Promise<Said>;
  /** What else there is to say of the answer. */
  readonly children?: (said: Said) => ReactNode;
}

/** Why something is as it is, in a sentence, with the smallest change that would help; asked again as the farm changes. */
export function Explained(props: ExplainedProps) {
  return <Explanations key={props.about} {...props} />;
}

function Explanations({ label, about, ask, children }: ExplainedProps) {
  // Any change of the farm may change the reason. Without an answer the last one stands; that the farm is away is said elsewhere.
  const revision = useFarm((farm) => farm.revision);
  const { answer: said } = useAnswer(ask, [about], [revision]);
  if (said === null) return null;
  // What the sentence says already is not said twice.
  const obstacles = said.obstacles
    .map((one) => ({ ...one, isSaid: said.summary.includes(one.message) }))
    .filter(({ isSaid, help }) => !isSaid || help !== null);
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
            {obstacles.map(({ constraint, message, help, isSaid }) => (
              <li key={constraint + message}>
                {!isSaid && message} {help !== null && <strong>{help}</strong>}
              </li>
            ))}
          </ul>
        )}
        {children?.(said)}
      </div>
    </section>
  );
}
