import { ScrollText, SquareX, X } from 'lucide-react';
import { useState } from 'react';
import type { AttemptView } from '../../../shared/view.ts';
import { hrefOf } from '../../app/router.ts';
import { useClient } from '../../client/client.ts';
import { useMaySubmit, useNodeName } from '../../store/farm-store.ts';
import { toastDone, toastError } from '../../store/toasts.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { Confirm, controls, ErrorNote, type Question } from '../../ui/controls.tsx';
import { formatCpuTime, formatDuration, formatFullTime, formatMemory, formatTime } from '../../ui/format.ts';
import { isLive, StateChip } from '../../ui/state.tsx';
import css from './TaskPanel.module.css';
import { runningMs, taskName } from './task-text.ts';
import { WhyTask } from './WhyWaiting.tsx';

interface TaskPanelProps {
  readonly job: number;
  readonly index: number;
  /** Changes when the job does: the task is read again. */
  readonly revision: unknown;
  readonly onClose: () => void;
}

/** One task: what it is, and each attempt at it with its log. */
export function TaskPanel({ job, index, revision, onClose }: TaskPanelProps) {
  const { answer: known, error } = useAnswer((farm) => farm.call('getTask', { params: { job, index } }), [job, index], [revision]);
  const task = known?.task.index === index ? known.task : null;
  return (
    <section className={controls.panel} aria-label={`Task ${index}`}>
      <div className={controls.panelHead}>
        <h2>
          Task {index}
          {task !== null && taskName(task) !== '' && <span className={css.soft}> · {taskName(task)}</span>}
        </h2>
        {task !== null && isLive(task) && <CancelTask job={job} index={index} />}
        <button type="button" className={`${controls.quiet} ${controls.iconOnly}`} aria-label="Close the task" onClick={onClose}>
          <X aria-hidden />
        </button>
      </div>
      <div className={css.body}>
        {error !== null && <ErrorNote error={error} />}
        {task !== null && <StateChip state={task.state} />}
        {task !== null && <WhyTask task={task} />}
        {task !== null && known !== null && known.attempts.length === 0 && (
          <p className={css.soft}>It has not been given to a node yet. Its log begins with its first attempt.</p>
        )}
        <ol className={css.attempts}>
          {task !== null && known?.attempts.toReversed().map((attempt) => <Attempt key={attempt.id} attempt={attempt} />)}
        </ol>
      </div>
    </section>
  );
}

function Attempt({ attempt }: { readonly attempt: AttemptView }) {
  const node = useNodeName(attempt.node);
  const runMs = runningMs(attempt, Date.now());
  return (
    <li className={css.attempt}>
      <div className={css.line}>
        <strong>Attempt {attempt.number}</strong>
        <StateChip state={attempt.state} />
        <a className={controls.button} href={hrefOf({ name: 'log', attempt: attempt.id })}>
          <ScrollText aria-hidden /> Log
        </a>
      </div>
      <p className={css.soft}>
        on <a href={hrefOf({ name: 'node', node: attempt.node })}>{node}</a>
        <span title={formatFullTime(attempt.assignedAt)}> at {formatTime(attempt.startedAt ?? attempt.assignedAt)}</span>
        {runMs !== null && ` · ${formatDuration(runMs)}`}
        {attempt.exitCode !== null && ` · exit code ${attempt.exitCode}`}
      </p>
      {(attempt.cpuMs !== null || attempt.peakRamMb !== null) && <p className={css.soft}>{usageText(attempt)}</p>}
      {attempt.message !== null && <p className={css.message}>{attempt.message}</p>}
    </li>
  );
}

function usageText({ cpuMs, peakRamMb }: AttemptView): string {
  const parts = [
    ...(cpuMs === null ? [] : [`${formatCpuTime(cpuMs)} of CPU time`]),
    ...(peakRamMb === null ? [] : [`${formatMemory(peakRamMb)} of memory at its peak`]),
  ];
  return parts.join(' · ');
}

function CancelTask({ job, index }: { readonly job: number; readonly index: number }) {
  const client = useClient();
  const maySubmit = useMaySubmit();
  const [question, setQuestion] = useState<Question | null>(null);
  if (!maySubmit) return null;
  const cancel = () =>
    void client.call('cancelTask', { params: { job, index } }).then(
      () => toastDone(`Cancelled task ${index}`),
      (error: unknown) => toastError(`Cancel task ${index}`, error),
    );
  return (
    <>
      <button
        type="button"
        className={controls.danger}
        onClick={() =>
          setQuestion({
            title: `Cancel task ${index}?`,
            detail: 'It is stopped where it runs. The other tasks of the job go on.',
            verb: 'Cancel',
            run: cancel,
          })
        }
      >
        <SquareX aria-hidden /> Cancel
      </button>
      <Confirm question={question} onClose={() => setQuestion(null)} />
    </>
  );
}
