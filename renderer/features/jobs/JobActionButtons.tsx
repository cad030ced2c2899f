import { useState } from 'react';
import type { JobView } from '../../../shared/view.ts';
import { useClient } from '../../client/client.ts';
import { Confirm, controls, type Question } from '../../ui/controls.tsx';
import css from './JobActionButtons.module.css';
import { jobActions, setPriority } from './job-actions.ts';
import { MoveButton } from './MoveButton.tsx';
import { isWaiting } from './queue-place.ts';

const PRIORITIES = [100, 75, 50, 25, 0] as const;
const PRIORITY_WORDS: Readonly<Record<number, string>> = { 100: 'highest', 75: 'high', 50: 'normal', 25: 'low', 0: 'lowest' };

/** What can be done to these jobs, as buttons; what destroys asks first. */
export function JobActionButtons({ jobs, onDone }: { readonly jobs: readonly JobView[]; readonly onDone?: () => void }) {
  const client = useClient();
  const [question, setQuestion] = useState<Question | null>(null);
  const shared = jobs.every((job) => job.priority === jobs[0]?.priority) ? jobs[0]?.priority : undefined;
  // Several at once would have to be put into an order of their own.
  const [only] = jobs.length === 1 ? jobs.filter(isWaiting) : [];
  return (
    <>
      <label className={css.priority}>
        <span>Priority</span>
        <select className={controls.input} value={shared ?? ''} onChange={(event) => setPriority(client, jobs, Number(event.target.value))}>
          {(shared === undefined || !(PRIORITIES as readonly number[]).includes(shared)) && (
            <option value={shared ?? ''}>{shared ?? 'mixed'}</option>
          )}
          {PRIORITIES.map((priority) => (
            <option key={priority} value={priority}>
              {priority} {PRIORITY_WORDS[priority]}
            </option>
          ))}
        </select>
      </label>
      {only !== undefined && <MoveButton job={only} />}
      {jobActions(client, jobs).map((action) => (
        <button
          key={action.id}
          type="button"
          className={action.id === 'cancel' || action.id === 'remove' ? controls.danger : controls.button}
          onClick={() => {
            if (action.question === null) {
              action.run();
              return;
            }
            setQuestion({
              ...action.question,
              run: () => {
                action.run();
                onDone?.();
              },
            });
          }}
        >
          <action.icon aria-hidden />
          {action.label}
          {jobs.length > 1 && action.jobs.length !== jobs.length ? ` (${action.jobs.length})` : ''}
        </button>
      ))}
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </>
  );
}
