import { useState } from 'react';
import type { AuditEntry } from '../../../shared/trust.ts';
import { useClient } from '../../client/client.ts';
import { toastError } from '../../store/toasts.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { controls, ErrorNote } from '../../ui/controls.tsx';
import { formatFullTime } from '../../ui/format.ts';
import { Panel } from './Panel.tsx';
import css from './SettingsPage.module.css';

const PAGE = 50;

/** Who let whom in, and who did what: written once, never changed. */
export function AuditLog() {
  const client = useClient();
  const { answer, error } = useAnswer((one) => one.call('audit', { query: { limit: PAGE } }), []);
  const [older, setOlder] = useState<readonly AuditEntry[]>([]);
  const [isAll, setAll] = useState(false);
  const entries = [...(answer?.entries ?? []), ...older];
  const readMore = () => {
    const before = entries.at(-1)?.sequence;
    if (before === undefined) return;
    client.call('audit', { query: { limit: PAGE, before } }).then(
      (page) => {
        setOlder((known) => [...known, ...page.entries]);
        setAll(page.entries.length < PAGE);
      },
      (problem: unknown) => toastError('Read the audit log', problem),
    );
  };
  return (
    <Panel title="Audit log">
      {error !== null && <ErrorNote error={error} />}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard */}
      <section className={css.scroll} tabIndex={0} aria-label="Entries">
        <table className={css.table}>
          <thead>
            <tr>
              <th>When</th>
              <th>What</th>
              <th>Who</th>
              <th>Whom</th>
            </tr>
          </thead>
          <tbody>
            {entries.map((entry) => (
              <tr key={entry.sequence}>
                <td className={css.soft}>{formatFullTime(entry.at)}</td>
                <td>
                  {entry.event.replaceAll('-', ' ')} {entry.detail !== undefined && <span className={css.soft}>{entry.detail}</span>}
                </td>
                <td>{entry.actor}</td>
                <td>{entry.target}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {entries.length >= PAGE && !isAll && (
          <button type="button" className={controls.quiet} onClick={readMore}>
            Show older entries
          </button>
        )}
      </section>
    </Panel>
  );
}
