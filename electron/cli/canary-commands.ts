import { LanyardError } from '../../shared/errors.ts';
import type { CanaryView, JobDetail } from '../../shared/view.ts';
import { showJobs } from './change-commands.ts';
import type { Context, Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { durationMs, mebibytes, number } from './job-flags.ts';
import { parseTarget } from './targets.ts';
import { plain } from './text.ts';
import { formatBytes, formatCpuTime, formatDuration, MIB } from './units.ts';

/** Commands about the first tasks of a job, which run before all others to show what they need. */

export const canary: Handler = async (context, [id = '']) => {
  const { job } = parseTarget(id, 1);
  const client = await context.connect();
  const detail = await client.call('getJob', { params: { job }, signal: context.signal });
  if (context.options.json === true) context.terminal.json(detail.canary);
  else show(context, detail);
  return EXIT.ok;
};

interface ApproveOptions {
  readonly cpu?: string;
  readonly ram?: string;
  readonly timeout?: string;
  readonly asAsked?: boolean;
}

export const approveCanary: Handler<ApproveOptions> = async (context, [id = ''], { cpu, ram, timeout, asAsked }) => {
  const { job } = parseTarget(id, 1);
  const given = { cpu: number('cpu', cpu), ramMb: mebibytes('ram', ram), timeoutMs: durationMs('timeout', timeout) };
  const client = await context.connect();
  const { signal } = context;
  const asked = asAsked === true ? (await client.call('getJob', { params: { job }, signal })).canary?.proposal?.asked : undefined;
  const named = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  showJobs(context, [await client.call('approveCanary', { params: { job }, body: { ...asked, ...named }, signal })]);
  return EXIT.ok;
};

function show({ terminal }: Context, { id, canary: found }: JobDetail): void {
  if (found === null)
    throw new LanyardError({ code: 'NOT_FOUND', message: `Job ${id} has no canary.`, hint: '`lanyard submit --canary` gives it one' });
  terminal.line(sentence(id, found));
  const about = found.decision ?? found.proposal;
  if (about === null) return;
  terminal.table(
    [{ title: 'TASK' }, { title: 'RAN', align: 'right' }, { title: 'CPU TIME', align: 'right' }, { title: 'PEAK MEMORY', align: 'right' }],
    about.runs.map((run) => [
      `${id}.${run.index}`,
      formatDuration(run.ranForMs),
      run.cpuMs === null ? '-' : formatCpuTime(run.cpuMs),
      run.peakRamMb === null ? '-' : formatBytes(run.peakRamMb * MIB),
    ]),
  );
  for (const reason of about.reasons) terminal.line(`- ${plain(reason)}`);
  if (found.proposal === null) return;
  terminal.line(`See what came out: \`lanyard outputs ${id} --save FOLDER\``);
  terminal.line(`Go on: \`lanyard approve-canary ${id}\` (--cpu, --ram and --timeout change it); stop: \`lanyard cancel ${id}\``);
}

function sentence(id: number, { tasks, ended, proposal, decision }: CanaryView): string {
  if (decision !== null) {
    const { cpu, ramMb, timeoutMs } = decision.decided;
    const who = decision.by === null ? 'went on by itself' : `was approved by ${plain(decision.by)}`;
    return `Job ${id} ${who}: ${cpu} CPU, ${ramMb} MiB, timeout ${formatDuration(timeoutMs)} for each of its other tasks.`;
  }
  if (proposal !== null) return `The first tasks of job ${id} have ended, and it waits for approval.`;
  if (ended === null) return `Job ${id} has ended before anything was decided.`;
  return `${ended} of the ${tasks.length} first tasks of job ${id} have ended (${tasks.map((index) => `${id}.${index}`).join(', ')}).`;
}
