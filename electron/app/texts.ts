import type { Availability } from '../../shared/node.ts';
import type { JobView, NodeView } from '../../shared/view.ts';
import type { Admission } from './farm-follow.ts';

/** The sentences of tray, notifications and questions. */

export type TrayState = 'offline' | 'idle' | 'busy' | 'resting';

export interface TrayStatus {
  readonly state: TrayState;
  readonly text: string;
}

interface Machine {
  /** It belongs to one. */
  readonly hasFarm: boolean;
  /** To its coordinator. */
  readonly isConnected: boolean;
  /** Tasks here. */
  readonly running: number;
  /** As the farm sees it, where this device may look. */
  readonly node: NodeView | undefined;
  /** The owner's own pause: wall clock, ms since 1970; null: until further notice; undefined: none. */
  readonly pausedUntil: number | null | undefined;
}

const RESTING: Readonly<Partial<Record<Availability, string>>> = {
  'owner-active': 'You go first',
  'owner-paused': 'Paused by you',
  'on-battery': 'Rests on battery',
  'outside-schedule': 'Rests at this time of day',
  paused: 'Paused by an administrator',
  draining: 'Takes no new work',
};

/** How this machine is, in a few words; tasks that run go before a rest that keeps others away. */
export function trayStatus({ hasFarm, isConnected, running, node, pausedUntil }: Machine, nowMs: number): TrayStatus {
  if (!hasFarm) return { state: 'offline', text: 'Belongs to no farm yet' };
  if (!isConnected) return { state: 'offline', text: 'Connecting to the farm…' };
  const rest = pausedUntil === undefined ? RESTING[node?.availability ?? 'available'] : pauseText(pausedUntil, nowMs);
  const tasks = running === 1 ? '1 task runs here' : `${running} tasks run here`;
  if (rest !== undefined) return { state: 'resting', text: running === 0 ? rest : `${rest}; ${tasks}` };
  return running === 0 ? { state: 'idle', text: 'Ready for work' } : { state: 'busy', text: tasks };
}

function pauseText(pausedUntil: number | null, nowMs: number): string {
  if (pausedUntil === null) return 'Paused by you';
  const until = new Date(pausedUntil);
  const time = until.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
  return `Paused by you until ${until.getDate() === new Date(nowMs).getDate() ? '' : 'tomorrow '}${time}`;
}

export interface NoticeText {
  readonly title: string;
  readonly body: string;
  /** The page that it opens, as an address of the renderer. */
  readonly page: string;
}

const ENDINGS: Readonly<Record<string, string>> = {
  COMPLETED: 'is complete',
  FAILED: 'failed',
  TIMED_OUT: 'took too long',
  CANCELLED: 'was cancelled',
};

/** One notice for all jobs that ended together. */
export function endNotice(jobs: readonly JobView[]): NoticeText {
  const [job] = jobs;
  if (jobs.length !== 1 || job === undefined) {
    const failed = jobs.filter(({ state }) => state !== 'COMPLETED').length;
    return { title: `${jobs.length} jobs ended`, body: failed === 0 ? 'All are complete.' : `${failed} did not complete.`, page: '#/jobs' };
  }
  const tasks = job.taskCount === 1 ? '1 task' : `${job.taskCount} tasks`;
  const body = job.state === 'COMPLETED' ? `${tasks}.` : (job.reason ?? `${tasks}.`);
  return { title: `“${job.name}” ${ENDINGS[job.state] ?? 'ended'}`, body, page: `#/jobs/${job.id}` };
}

/** What a device says of itself is proven by nothing but its key: the page shows that, and the digits. */
export function pairingNotice({ name, digits }: Pick<Admission, 'name' | 'digits'>): NoticeText {
  const how = digits === null ? 'Look at its key, and decide.' : 'Compare the six digits on both screens, and decide.';
  return { title: `“${name}” asks to join the farm`, body: how, page: '#/settings' };
}

export function updateNotice(version: string, isReady: boolean): NoticeText {
  return isReady
    ? { title: `Lanyard ${version} is ready`, body: 'It comes with the next start of the app.', page: '#/settings' }
    : { title: `Lanyard ${version} is there`, body: 'Install it as you installed this one.', page: '#/settings' };
}

/** @param tasks that run here */
export function quitQuestion(tasks: number): { readonly message: string; readonly detail: string } {
  const [running, stop, end] =
    tasks === 1
      ? ['One task is running', 'the task stops and starts over', 'the task has ended']
      : [`${tasks} tasks are running`, 'the tasks stop and start over', 'the tasks have ended'];
  return {
    message: `${running} on this machine.`,
    detail: `If Lanyard quits now, ${stop} elsewhere, or here when Lanyard runs again. Lanyard can also take no new work and quit once ${end}.`,
  };
}
