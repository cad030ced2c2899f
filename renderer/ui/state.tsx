import {
  Ban,
  Bird,
  CircleCheck,
  CircleDashed,
  CirclePause,
  CirclePlay,
  CircleX,
  Hourglass,
  Inbox,
  PackageOpen,
  TimerOff,
} from 'lucide-react';
import type { TaskCounts, TaskState } from '../../shared/job.ts';
import { TASK_STATES } from '../../shared/job.ts';
import type { JobView } from '../../shared/view.ts';
import css from './controls.module.css';
import { formatCount } from './format.ts';

/** How a state is told: a word, an icon and a colour, never the colour alone. */
export const STATE_LOOKS: Readonly<Record<TaskState, { readonly word: string; readonly colour: string; readonly icon: typeof Inbox }>> = {
  SUBMITTED: { word: 'Submitted', colour: 'var(--state-submitted)', icon: Inbox },
  QUEUED: { word: 'Queued', colour: 'var(--state-queued)', icon: Hourglass },
  ASSIGNED: { word: 'Preparing', colour: 'var(--state-assigned)', icon: PackageOpen },
  RUNNING: { word: 'Running', colour: 'var(--state-running)', icon: CirclePlay },
  COMPLETED: { word: 'Completed', colour: 'var(--state-completed)', icon: CircleCheck },
  FAILED: { word: 'Failed', colour: 'var(--state-failed)', icon: CircleX },
  TIMED_OUT: { word: 'Timed out', colour: 'var(--state-timed-out)', icon: TimerOff },
  CANCELLED: { word: 'Cancelled', colour: 'var(--state-cancelled)', icon: Ban },
};

/** In the order in which a bar of progress shows them. */
const BAR_ORDER: readonly TaskState[] = ['COMPLETED', 'FAILED', 'TIMED_OUT', 'CANCELLED', 'RUNNING', 'ASSIGNED'];

interface StateChipProps {
  readonly state: TaskState;
  readonly held?: boolean;
  /** Of a job whose canary somebody has to approve. */
  readonly waits?: boolean;
}

export function StateChip({ state, held = false, waits = false }: StateChipProps) {
  const isHeld = !waits && held && (state === 'QUEUED' || state === 'SUBMITTED');
  const { word, colour, icon } = STATE_LOOKS[state];
  const Icon = waits ? Bird : isHeld ? CirclePause : state === 'ASSIGNED' ? CircleDashed : icon;
  return (
    <span className={css.chip} data-state={state}>
      <Icon aria-hidden style={{ color: `color-mix(in srgb, ${colour} 82%, var(--text))` }} />
      {waits ? 'To approve' : isHeld ? 'On hold' : word}
    </span>
  );
}

/** Tasks by state, as parts of one bar; what waits is the bar's ground. */
export function CountsBar({ counts, total, label }: { readonly counts: TaskCounts; readonly total: number; readonly label: string }) {
  const ended = endedCount(counts);
  return (
    <span className={css.bar} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={total} aria-valuenow={ended}>
      {BAR_ORDER.filter((state) => counts[state] > 0).map((state) => (
        <i key={state} style={{ width: `${(100 * counts[state]) / total}%`, background: STATE_LOOKS[state].colour }} />
      ))}
    </span>
  );
}

export function endedCount(counts: TaskCounts): number {
  return counts.COMPLETED + counts.FAILED + counts.TIMED_OUT + counts.CANCELLED;
}

/** For example "2 running, 40 queued": what a bar shows, as words. */
export function countsText(counts: TaskCounts): string {
  return TASK_STATES.filter((state) => counts[state] > 0)
    .map((state) => `${formatCount(counts[state])} ${STATE_LOOKS[state].word.toLowerCase()}`)
    .join(', ');
}

/** Whether something of the job can still change by itself. */
export function isLive(job: Pick<JobView, 'state'>): boolean {
  return job.state === 'SUBMITTED' || job.state === 'QUEUED' || job.state === 'ASSIGNED' || job.state === 'RUNNING';
}
