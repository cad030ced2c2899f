import { KeyRound } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import type { ErrorValue } from '../../shared/errors.ts';
import { controls, ErrorNote, Field } from '../ui/controls.tsx';
import logo from './lanyard.svg';
import css from './Welcome.module.css';

interface WelcomeProps {
  /** Why the token that this tab had is not accepted. */
  readonly refused: ErrorValue | null;
  readonly onConnect: (token: string) => void;
}

/** The way into a farm from a browser: a token. */
export function Welcome({ refused, onConnect }: WelcomeProps) {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState<string>();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    // A whole link may be pasted as well as its token.
    const token = /(?:#token=)?([A-Za-z0-9_-]+)$/.exec(text.trim())?.[1];
    if (token === undefined || token.length < 8) setProblem('That is no token; expected a text like lyd_…, or the link that holds it.');
    else onConnect(token);
  };
  return (
    <main className={css.page}>
      <form className={css.card} onSubmit={submit}>
        <img src={logo} alt="" width={44} height={44} />
        <h1>Open this farm</h1>
        <p className={css.lead}>
          This is the screen of a Lanyard coordinator at <strong>{location.host}</strong>. It shows its farm to whoever holds a token.
        </p>
        {refused !== null && <ErrorNote error={refused} />}
        <Field label="Token or link" problem={problem}>
          {(input) => (
            <input
              {...input}
              type="password"
              autoComplete="off"
              // biome-ignore lint/a11y/noAutofocus: the only thing to do on this page
              autoFocus
              value={text}
              onChange={(event) => {
                setText(event.target.value);
                setProblem(undefined);
              }}
            />
          )}
        </Field>
        <button type="submit" className={controls.primary}>
          <KeyRound aria-hidden /> Open the farm
        </button>
        <p className={controls.help}>
          On the coordinator’s own machine, <code>lanyard dashboard</code> prints a link that opens this page with a token. The token stays
          in this tab and is gone when it closes.
        </p>
      </form>
    </main>
  );
}
