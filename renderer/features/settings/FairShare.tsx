import { useEffect } from 'react';
import { useAnswer } from '../../store/use-answer.ts';
import { ErrorNote } from '../../ui/controls.tsx';
import { formatCount } from '../../ui/format.ts';
import { Panel } from './Panel.tsx';
import css from './SettingsPage.module.css';

const AGAIN_MS = 10_000;

/** What each owner of jobs has had of the farm lately: whoever has had least, by weight, goes first. */
export function FairShare() {
  const { answer, error, askAgain } = useAnswer((client) => client.call('listOwners'), []);
  useEffect(() => {
    const timer = setInterval(askAgain, AGAIN_MS);
    return () => clearInterval(timer);
  }, [askAgain]);
  if (error !== null) return <ErrorNote error={error} />;
  if (answer === null || answer.owners.length === 0) return null;
  return (
    <Panel title="Fair share">
      <table className={css.table}>
        <thead>
          <tr>
            <th>Owner</th>
            <th>Jobs</th>
            <th>Running</th>
            <th>Core hours lately</th>
            <th>Weight</th>
          </tr>
        </thead>
        <tbody>
          {answer.owners.map(({ owner, jobs, running, maxTasks, coreHours, weight }) => (
            <tr key={owner}>
              <td>{owner}</td>
              <td>{formatCount(jobs)}</td>
              <td>
                {formatCount(running)}
                {maxTasks !== null && <span className={css.soft}> of at most {formatCount(maxTasks)}</span>}
              </td>
              <td>{coreHours.toFixed(coreHours < 10 ? 2 : 0)}</td>
              <td>{weight}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className={css.soft}>
        Among jobs of one priority, whoever has had least by weight goes first. What was had long ago is forgotten.
      </p>
    </Panel>
  );
}
