import type { LanyardClient } from '../../shared/lanyard-client.ts';
import type { JobView } from '../../shared/view.ts';
import { preferences } from './preferences.ts';

/** More jobs that end together than this are told of as one. */
const APART = 3;

const WORDS: Readonly<Partial<Record<JobView['state'], string>>> = {
  COMPLETED: 'is complete',
  FAILED: 'failed',
  TIMED_OUT: 'ran out of time',
  CANCELLED: 'was cancelled',
};

/** Tells of jobs that have just ended, by the browser's own notifications, where the person wants that and the job does. */
export function notifyOfEnds(client: LanyardClient, ended: readonly JobView[]): void {
  if (!mayNotify()) return;
  if (ended.length > APART) {
    const failed = ended.filter(({ state }) => state !== 'COMPLETED').length;
    show(`${ended.length} jobs have ended`, failed === 0 ? 'All are complete.' : `${failed} of them did not complete.`, '#/jobs');
    return;
  }
  for (const job of ended) void tell(client, job);
}

/** Tells of jobs that go on only when somebody has looked at their first tasks. */
export function notifyOfCanaries(waiting: readonly JobView[]): void {
  if (!mayNotify()) return;
  for (const { id, name } of waiting.slice(0, APART))
    show(`${name} waits for approval`, 'Its first tasks have ended: look at what came out of them.', `#/jobs/${id}`);
}

function mayNotify(): boolean {
  return preferences.getState().notify && typeof Notification !== 'undefined' && Notification.permission === 'granted';
}

async function tell(client: LanyardClient, { id, name, state, reason }: JobView): Promise<void> {
  // A job that is gone already is told of as any other.
  const notify = await client.call('getJob', { params: { job: id } }).then(
    ({ spec }) => spec.notify,
    () => 'end',
  );
  if (notify === 'none' || (notify === 'failure' && state === 'COMPLETED')) return;
  show(`${name} ${WORDS[state] ?? 'has ended'}`, reason ?? `Job ${id}`, `#/jobs/${id}`);
}

function show(title: string, body: string, place: string): void {
  const notification = new Notification(title, { body, tag: place });
  notification.addEventListener('click', () => {
    window.focus();
    location.hash = place;
    notification.close();
  });
}
