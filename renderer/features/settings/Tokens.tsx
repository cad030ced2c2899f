import { KeyRound } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import type { AnswerOfCall } from '../../../shared/lanyard-client.ts';
import type { Role } from '../../../shared/trust.ts';
import { useClient } from '../../client/client.ts';
import { toastDone, toastError } from '../../store/toasts.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { Confirm, controls, ErrorNote, Field, type Question } from '../../ui/controls.tsx';
import { formatFullTime } from '../../ui/format.ts';
import { CopyField } from './Invites.tsx';
import { Panel } from './Panel.tsx';
import { ROLE_WORDS, RoleSelect } from './roles.tsx';
import css from './SettingsPage.module.css';

type Made = AnswerOfCall<'createToken'> & { readonly name: string };

/** Tokens of people, scripts and continuous integration. */
export function Tokens() {
  const client = useClient();
  const { answer, error, askAgain } = useAnswer((one) => one.call('listTokens'), []);
  const [made, setMade] = useState<Made | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const revoke = (id: string, name: string) =>
    void client
      .call('revokeToken', { params: { token: id } })
      .then(
        () => toastDone(`Revoked ${name}`),
        (problem: unknown) => toastError(`Revoke ${name}`, problem),
      )
      .finally(askAgain);
  return (
    <Panel title="Tokens">
      <TokenForm
        onMade={(token) => {
          setMade(token);
          askAgain();
        }}
      />
      {made !== null && <MadeToken made={made} />}
      {error !== null && <ErrorNote error={error} />}
      {answer !== null && answer.tokens.length > 0 && (
        <table className={css.table}>
          <thead>
            <tr>
              <th>Name</th>
              <th>Role</th>
              <th>Until</th>
              <th>Last used</th>
              <th>
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {answer.tokens.map((token) => (
              <tr key={token.id}>
                <td>{token.name}</td>
                <td>{ROLE_WORDS[token.role].word}</td>
                <td className={css.soft}>{token.expiresAt === null ? 'until revoked' : formatFullTime(token.expiresAt)}</td>
                <td className={css.soft}>{token.lastUsedAt === null ? 'never' : formatFullTime(token.lastUsedAt)}</td>
                <td className={css.right}>
                  <button
                    type="button"
                    className={controls.danger}
                    aria-label={`Revoke ${token.name}`}
                    onClick={() =>
                      setQuestion({
                        title: `Revoke ${token.name}?`,
                        detail: 'Whoever uses it is refused from now on. This cannot be undone.',
                        verb: 'Revoke',
                        run: () => revoke(token.id, token.name),
                      })
                    }
                  >
                    Revoke
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </Panel>
  );
}

function TokenForm({ onMade }: { readonly onMade: (made: Made) => void }) {
  const client = useClient();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('submitter');
  const [days, setDays] = useState('90');
  const [problem, setProblem] = useState<string>();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() === '') {
      setProblem('Say who or what it is for.');
      return;
    }
    client.call('createToken', { body: { name, role, days: days === 'never' ? null : Number(days) } }).then(
      (answer) => {
        setName('');
        onMade({ ...answer, name });
      },
      (error: unknown) => toastError('Make a token', error),
    );
  };
  return (
    <form className={css.form} onSubmit={submit}>
      <Field label="A new token for" problem={problem}>
        {(input) => (
          <input
            {...input}
            value={name}
            placeholder="nightly builds"
            onChange={(event) => {
              setName(event.target.value);
              setProblem(undefined);
            }}
          />
        )}
      </Field>
      <RoleSelect label="What its holder may" value={role} onChange={setRole} />
      <select className={controls.input} aria-label="How long it works" value={days} onChange={(event) => setDays(event.target.value)}>
        <option value="7">7 days</option>
        <option value="90">90 days</option>
        <option value="365">a year</option>
        <option value="never">until revoked</option>
      </select>
      <button type="submit" className={controls.button}>
        <KeyRound aria-hidden /> Make a token
      </button>
    </form>
  );
}

function MadeToken({ made }: { readonly made: Made }) {
  return (
    <div className={css.stack} role="status">
      <p>
        <strong>The token for {made.name}, shown this once:</strong>
      </p>
      <CopyField label="Token" text={made.token} />
      {made.connections.map((connection) => (
        <CopyField key={connection} label="For a command line elsewhere (LANYARD_CONNECTION)" text={connection} />
      ))}
    </div>
  );
}
