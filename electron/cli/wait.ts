import { isTerminal } from '../../shared/job.ts';
import type { JobView } from '../../shared/view.ts';
import type { Client } from '../api/client.ts';
import type { Context } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { countsText, etaText } from './job-commands.ts';
import { plain, shortId } from './text.ts';
import { formatDuration } from './units.ts';

/**
 * Waits until a job has ended, showing a bar on a terminal and else a line whenever something changed.
 * @param timeoutMs undefined: for as long as it takes
 * @returns the job as it ended; undefined when the time was over first
 */
export async function waitForJob(
  context: Context,
  client: Client,
  job: number,
  timeoutMs: number | undefined,
): Promise<JobView | undefined> {
  const { terminal } = context;
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const signal = timeout === undefined ? context.signal : AbortSignal.any([context.signal, timeout]);
  const beganAt = performance.now();
  let latest: JobView | undefined;
  let lastLine = '';
  const show = () => {
    if (latest === undefined) return;
    terminal.progress(progressText(latest, performance.now() - beganAt));
    const line = `job ${latest.id}: ${latest.state}, ${countsText(latest)}${approvalText(latest)}`;
    if (!terminal.isInteractive && line !== lastLine) terminal.note(line);
    lastLine = line;
  };
  // The bar's clock goes on while nothing happens.
  const ticking = terminal.isInteractive ? setInterval(show, 1_000) : undefined;
  try {
    for await (const event of client.watch(signal)) {
      const seen = event.jobs.find((one) => one.id === job);
      if (event.type === 'delta' && seen === undefined && !event.removedJobs.includes(job)) continue;
      latest = seen ?? (await client.call('getJob', { params: { job }, signal }));
      show();
      if (isTerminal(latest.state)) return latest;
    }
    return undefined;
  } catch (error) {
    if (timeout?.aborted === true && !context.signal.aborted) return undefined;
    throw error;
  } finally {
    clearInterval(ticking);
    terminal.progress(undefined);
  }
}

/** Says how a job ended, with the first failures, and gives the exit code for it. */
export async function reportEnd(context: Context, client: Client, job: JobView): Promise<ExitCode> {
  const { terminal } = context;
  const tookMs = (job.finishedAt ?? job.submittedAt) - job.submittedAt;
  terminal.note(`job ${job.id} (${plain(job.name)}): ${job.state} after ${formatDuration(tookMs)}, ${countsText(job)}`);
  if (job.state === 'COMPLETED') return EXIT.ok;
  if (job.reason !== null) terminal.note(plain(job.reason));
  const query = { state: ['FAILED', 'TIMED_OUT'], limit: 3 };
  const { tasks, total } = await client.call('listTasks', { params: { job: job.id }, query, signal: context.signal });
  for (const task of tasks) {
    const exit = task.exitCode === null ? '' : `, exit code ${task.exitCode}`;
    terminal.note(
      `  task ${task.id} on ${plain(task.node === null ? 'no node' : shortId(task.node))}: ${plain(task.message ?? task.reason ?? task.state)}${exit}; see \`lanyard logs ${task.id}\``,
    );
  }
  if (total > tasks.length) terminal.note(`  and ${total - tasks.length} more; see \`lanyard tasks ${job.id} --state FAILED,TIMED_OUT\``);
  return EXIT.jobFailed;
}

const BAR_COLUMNS = 24;

/** One line: a bar of the tasks that have ended, figures, and what is left once the farm can tell. */
export function progressText(job: JobView, elapsedMs: number, now = Date.now()): string {
  const { COMPLETED, FAILED, TIMED_OUT, CANCELLED } = job.counts;
  const ended = COMPLETED + FAILED + TIMED_OUT + CANCELLED;
  const filled = Math.floor((BAR_COLUMNS * ended) / job.taskCount);
  const left = job.eta === null ? '' : `, done in ${etaText(job.eta, now)}`;
  return `job ${job.id} ${job.state} [${'#'.repeat(filled)}${'.'.repeat(BAR_COLUMNS - filled)}] ${countsText(job)}, ${formatDuration(elapsedMs)}${left}${approvalText(job)}`;
}

/** Nothing more happens before somebody has looked. */
function approvalText({ id, canaryPhase }: JobView): string {
  return canaryPhase === 'waiting' ? `, waits for approval (lanyard canary ${id})` : '';
}
