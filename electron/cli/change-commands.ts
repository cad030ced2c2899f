import { LanyardError } from '../../shared/errors.ts';
import type { JobView } from '../../shared/view.ts';
import type { Client } from '../api/client.ts';
import type { Context, Handler } from './context.ts';
import { removeDevices } from './device-commands.ts';
import { EXIT } from './exit-codes.ts';
import { countsText } from './job-commands.ts';
import { parseTarget, type Target } from './targets.ts';
import { plain } from './text.ts';

/** The commands that change jobs. Several jobs are done one after the other; the first that cannot be stops it. */

export const cancel = forEachJob(2, (client, { job, index }, signal) =>
  index === undefined
    ? client.call('cancelJob', { params: { job }, signal })
    : client.call('cancelTask', { params: { job, index }, signal }),
);

export const retry = forEachJob(1, (client, { job }, signal) => client.call('retryJob', { params: { job }, signal }));

export const hold = forEachJob(1, (client, { job }, signal) => client.call('updateJob', { params: { job }, body: { held: true }, signal }));

export const release = forEachJob(1, (client, { job }, signal) =>
  client.call('updateJob', { params: { job }, body: { held: false }, signal }),
);

export const bump = forEachJob(1, (client, { job }, signal) =>
  client.call('updateJob', { params: { job }, body: { move: 'first' }, signal }),
);

export const move: Handler<{ readonly before?: string; readonly last?: boolean }> = async (context, [id = ''], { before, last }) => {
  const { job } = parseTarget(id, 1);
  if ((before === undefined) === (last === undefined))
    throw new LanyardError({ code: 'INVALID', field: 'before', message: 'expected either --before with a job, or --last' });
  const to = before === undefined ? ('last' as const) : { before: parseTarget(before, 1).job };
  const client = await context.connect();
  showJobs(context, [await client.call('updateJob', { params: { job }, body: { move: to }, signal: context.signal })]);
  return EXIT.ok;
};

export const priority: Handler = async (context, [id = '', text = '']) => {
  const { job } = parseTarget(id, 1);
  if (!/^\d{1,3}$/.test(text) || Number(text) > 100)
    throw new LanyardError({
      code: 'INVALID',
      field: 'PRIORITY',
      message: `the priority is "${text}"; expected a whole number from 0 to 100`,
    });
  const client = await context.connect();
  showJobs(context, [await client.call('updateJob', { params: { job }, body: { priority: Number(text) }, signal: context.signal })]);
  return EXIT.ok;
};

/** Jobs are numbers; everything else is a device. */
export const remove: Handler = async (context, ids) => {
  const jobs = ids.filter((id) => /^\d+$/.test(id));
  if (jobs.length === 0) return removeDevices(context, ids);
  if (jobs.length < ids.length)
    throw new LanyardError({
      code: 'INVALID',
      field: 'ID',
      message: `${jobs.join(', ')} would be jobs, and the rest devices; remove one kind at a time`,
    });
  const targets = ids.map((id) => parseTarget(id, 1));
  const client = await context.connect();
  for (const { job } of targets) {
    await client.call('removeJob', { params: { job }, signal: context.signal });
    if (context.options.json !== true) context.terminal.line(`job ${job} is removed, with its logs and outputs`);
  }
  if (context.options.json === true) context.terminal.json({ ok: true });
  return EXIT.ok;
};

export const backup: Handler = async (context) => {
  const client = await context.connect();
  const answer = await client.call('backup', { signal: context.signal });
  if (context.options.json === true) context.terminal.json(answer);
  else context.terminal.line(plain(answer.path));
  return EXIT.ok;
};

function forEachJob(parts: 1 | 2, change: (client: Client, target: Target, signal: AbortSignal) => Promise<JobView>): Handler {
  return async (context, ids) => {
    const targets = ids.map((id) => parseTarget(id, parts));
    const client = await context.connect();
    const changed: JobView[] = [];
    for (const target of targets) {
      const view = await change(client, target, context.signal);
      changed.push(view);
      if (context.options.json !== true) showJobs(context, [view]);
    }
    if (context.options.json === true) showJobs(context, changed);
    return EXIT.ok;
  };
}

/** As JSON: the job itself when it is one, else a list. */
export function showJobs(context: Context, jobs: readonly JobView[]): void {
  if (context.options.json === true) context.terminal.json(jobs.length === 1 ? jobs[0] : jobs);
  else
    for (const job of jobs)
      context.terminal.line(
        `job ${job.id} (${plain(job.name)}): ${job.state}${job.held ? ', held' : ''}, priority ${job.priority}, ${countsText(job)}`,
      );
}
