import { ArrowUpToLine, CirclePause, CirclePlay, RotateCcw, SquareX, Trash2 } from 'lucide-react';
import type { LanyardClient } from '../../../shared/lanyard-client.ts';
import type { JobView } from '../../../shared/view.ts';
import { toastDone, toastError } from '../../store/toasts.ts';
import type { Question } from '../../ui/controls.tsx';
import { plural } from '../../ui/format.ts';
import { isLive } from '../../ui/state.tsx';
import { isWaiting } from './queue-place.ts';

/** Something that can be done to a number of jobs. */
export interface JobAction {
  readonly id: 'hold' | 'resume' | 'first' | 'retry' | 'cancel' | 'remove';
  readonly label: string;
  readonly icon: typeof Trash2;
  /** Those of the jobs that it would change. */
  readonly jobs: readonly JobView[];
  readonly run: () => void;
  /** Asked first, where it cannot be taken back. */
  readonly question: Question | null;
}

/** Requests under way at once, so that a thousand chosen jobs do not become a thousand connections. */
const AT_ONCE = 8;

/** The actions for these jobs: only those that change at least one of them. */
export function jobActions(client: LanyardClient, jobs: readonly JobView[]): readonly JobAction[] {
  const waiting = jobs.filter(isLive);
  const held = waiting.filter((job) => job.held);
  const free = waiting.filter((job) => !job.held);
  const failed = jobs.filter((job) => job.counts.FAILED + job.counts.TIMED_OUT + job.counts.CANCELLED > 0);
  const ended = jobs.filter((job) => !isLive(job));
  const cancel = () => each('Cancel', waiting, (job) => client.call('cancelJob', { params: { job: job.id } }), { done: 'Cancelled' });
  const remove = () => each('Remove', ended, (job) => client.call('removeJob', { params: { job: job.id } }), { done: 'Removed' });
  // Several at once would have to be put into an order of their own.
  const queued = jobs.length === 1 ? jobs.filter(isWaiting) : [];
  const actions: readonly JobAction[] = [
    { id: 'hold', label: 'Hold', icon: CirclePause, jobs: free, question: null, run: () => setHeld(client, free, true) },
    { id: 'resume', label: 'Let go on', icon: CirclePlay, jobs: held, question: null, run: () => setHeld(client, held, false) },
    {
      id: 'first',
      label: 'Put first',
      icon: ArrowUpToLine,
      jobs: queued,
      question: null,
      run: () =>
        each('Put first', queued, (job) => client.call('updateJob', { params: { job: job.id }, body: { move: 'first' } }), {
          done: 'First of its owner’s and priority:',
        }),
    },
    {
      id: 'retry',
      label: 'Retry failed',
      icon: RotateCcw,
      jobs: failed,
      question: null,
      run: () => each('Retry', failed, (job) => client.call('retryJob', { params: { job: job.id } }), { done: 'Queued again:' }),
    },
    {
      id: 'cancel',
      label: 'Cancel',
      icon: SquareX,
      jobs: waiting,
      run: cancel,
      question: {
        title: `Cancel ${what(waiting)}?`,
        detail: 'What runs is stopped, and what waits is not started. Outputs of finished tasks stay; the rest can be retried later.',
        verb: 'Cancel',
        run: cancel,
      },
    },
    {
      id: 'remove',
      label: 'Remove',
      icon: Trash2,
      jobs: ended,
      run: remove,
      question: {
        title: `Remove ${what(ended)}?`,
        detail: 'Its logs and outputs are deleted from the coordinator. This cannot be undone; save the outputs first if you need them.',
        verb: 'Remove',
        run: remove,
      },
    },
  ];
  return actions.filter((action) => action.jobs.length > 0);
}

export function setPriority(client: LanyardClient, jobs: readonly JobView[], priority: number): void {
  const before = new Map(jobs.map((job) => [job.id, job.priority]));
  const set = (job: JobView, value: number) => client.call('updateJob', { params: { job: job.id }, body: { priority: value } });
  each('Change the priority of', jobs, (job) => set(job, priority), {
    done: `Priority ${priority}:`,
    undo: () => each('Change the priority of', jobs, (job) => set(job, before.get(job.id) as number), { done: 'Priority as before:' }),
  });
}

function setHeld(client: LanyardClient, jobs: readonly JobView[], held: boolean): void {
  each(held ? 'Hold' : 'Release', jobs, (job) => client.call('updateJob', { params: { job: job.id }, body: { held } }), {
    done: held ? 'On hold:' : 'Goes on:',
    undo: () => setHeld(client, jobs, !held),
  });
}

function what(jobs: readonly JobView[]): string {
  return jobs.length === 1 ? `job ${jobs[0]?.id}` : plural(jobs.length, 'job');
}

/** Does one request a job, a few at once; says in one message what came of it. */
function each(
  verb: string,
  jobs: readonly JobView[],
  request: (job: JobView) => Promise<unknown>,
  said: { readonly done: string; readonly undo?: () => void },
): void {
  const rest = [...jobs];
  let failure: unknown;
  let failures = 0;
  const work = async () => {
    for (let job = rest.shift(); job !== undefined; job = rest.shift())
      await request(job).catch((error: unknown) => {
        failure ??= error;
        failures += 1;
      });
  };
  void Promise.all(Array.from({ length: Math.min(AT_ONCE, jobs.length) }, work)).then(() => {
    if (failures > 0) toastError(failures === jobs.length ? `${verb} ${what(jobs)}` : `${verb} ${failures} of ${what(jobs)}`, failure);
    else toastDone(`${said.done} ${what(jobs)}`, said.undo === undefined ? null : { label: 'Undo', run: said.undo });
  });
}
