import { ChevronLeft, ChevronRight } from 'lucide-react';
import { useState } from 'react';
import type { NodeAttemptView } from '../../../shared/view.ts';
import { hrefOf } from '../../app/router.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { controls, ErrorNote } from '../../ui/controls.tsx';
import { formatCount, formatCpuTime, formatDuration, formatFullTime, formatMemory, formatTime } from '../../ui/format.ts';
import { StateChip } from '../../ui/state.tsx';
import css from './NodePage.module.css';

const PAGE = 12;

/** What ran on a machine and has ended, page by page. @param running what runs there now: the history is read again as that changes */
export function NodeHistory({ node, running }: { readonly node: string; readonly running: string }) {
  const [offset, setOffset] = useState(0);
  const { answer, error } = useAnswer(
    (client) => client.call('listNodeAttempts', { params: { node }, query: { limit: PAGE, offset } }),
    [node, offset],
    [running],
  );
  const total = answer?.total ?? 0;
  return (
    <section className={controls.panel} aria-label="Ran here">
      <div className={controls.panelHead}>
        <h2>Ran here</h2>
        {total > PAGE && (
          <div className={css.pages}>
            <span className={css.soft} role="status">
              {formatCount(offset + 1)}–{formatCount(Math.min(total, offset + PAGE))} of {formatCount(total)}
            </span>
            <Step label="Newer" disabled={offset === 0} onClick={() => setOffset(Math.max(0, offset - PAGE))} />
            <Step label="Older" disabled={offset + PAGE >= total} onClick={() => setOffset(offset + PAGE)} />
          </div>
        )}
      </div>
      {error !== null && <ErrorNote error={error} />}
      {answer !== null && total === 0 && <p className={`${controls.panelBody} ${css.soft}`}>Nothing yet.</p>}
      {answer !== null && total > 0 && <Attempts attempts={answer.attempts} />}
    </section>
  );
}

function Step({
  label,
  disabled,
  onClick,
}: {
  readonly label: 'Newer' | 'Older';
  readonly disabled: boolean;
  readonly onClick: () => void;
}) {
  const Icon = label === 'Newer' ? ChevronLeft : ChevronRight;
  return (
    <button type="button" className={`${controls.quiet} ${controls.iconOnly}`} aria-label={label} disabled={disabled} onClick={onClick}>
      <Icon aria-hidden />
    </button>
  );
}

function Attempts({ attempts }: { readonly attempts: readonly NodeAttemptView[] }) {
  return (
    <div className={css.scroll}>
      <table className={css.table}>
        <thead>
          <tr>
            {['Ended', 'Job', 'Task', 'State', 'Ran for', 'CPU time', 'Peak memory', 'For', ''].map((title) => (
              <th key={title} scope="col">
                {title === '' ? <span className="visually-hidden">Log</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {attempts.map(({ id, task, jobName, owner, state, startedAt, finishedAt, cpuMs, peakRamMb, message }) => {
            const [job, index] = task.split('.').map(Number) as [number, number];
            return (
              <tr key={id}>
                <td className={css.soft} title={finishedAt === null ? undefined : formatFullTime(finishedAt)}>
                  {finishedAt === null ? '' : formatTime(finishedAt)}
                </td>
                <td>
                  <a href={hrefOf({ name: 'job', job, task: null })}>{jobName}</a>
                </td>
                <td>
                  <a href={hrefOf({ name: 'job', job, task: index })}>{task}</a>
                </td>
                <td title={message ?? undefined}>
                  <StateChip state={state} />
                </td>
                <td className={css.figure}>{startedAt === null || finishedAt === null ? '–' : formatDuration(finishedAt - startedAt)}</td>
                <td className={css.figure}>{cpuMs === null ? '–' : formatCpuTime(cpuMs)}</td>
                <td className={css.figure}>{peakRamMb === null ? '–' : formatMemory(peakRamMb)}</td>
                <td className={css.soft}>{owner}</td>
                <td>
                  <a href={hrefOf({ name: 'log', attempt: id })} aria-label={`Log of ${id}`}>
                    Log
                  </a>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
