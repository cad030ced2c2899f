import { isTerminal, type JobState } from '../../shared/job.ts';
import type { Explanation, JobDetail, JobView, TaskView } from '../../shared/view.ts';
import type { Context, Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { chooseNode, parseTarget } from './targets.ts';
import type { Style } from './terminal.ts';
import { plain } from './text.ts';
import { formatDuration, timeText } from './units.ts';

export interface ListOptions {
  readonly state?: string;
  readonly limit?: string;
  readonly offset?: string;
}

export const jobs: Handler<ListOptions & { readonly owner?: string; readonly search?: string; readonly order?: string }> = async (
  context,
  _operands,
  options,
) => {
  const client = await context.connect();
  const answer = await client.call('listJobs', { query: options, signal: context.signal });
  const { terminal } = context;
  if (context.options.json === true) terminal.json(answer);
  else {
    const now = Date.now();
    terminal.table(
      [
        { title: 'JOB', align: 'right' },
        { title: 'NAME', flexible: true },
        { title: 'OWNER', flexible: true },
        { title: 'STATE' },
        { title: 'DONE', align: 'right' },
        { title: 'PRIORITY', align: 'right' },
        { title: 'SUBMITTED', align: 'right' },
        { title: 'TOOK', align: 'right' },
      ],
      answer.jobs.map((job) => [
        String(job.id),
        job.name,
        job.owner,
        { text: stateText(job), style: stateStyle(job.state) },
        `${job.counts.COMPLETED}/${job.taskCount}`,
        String(job.priority),
        `${formatDuration(now - job.submittedAt)} ago`,
        took(job, now),
      ]),
    );
    moreNote(context, answer.jobs.length, answer.total, 'jobs');
  }
  return EXIT.ok;
};

export const job: Handler = async (context, [id = '']) => {
  const client = await context.connect();
  const detail = await client.call('getJob', { params: { job: parseTarget(id, 1).job }, signal: context.signal });
  if (context.options.json === true) context.terminal.json(detail);
  else
    for (const [name, value] of jobLines(detail)) context.terminal.line(`${context.terminal.style(name.padEnd(12), 'dim')}${plain(value)}`);
  return EXIT.ok;
};

export const tasks: Handler<ListOptions> = async (context, [id = ''], options) => {
  const client = await context.connect();
  const answer = await client.call('listTasks', { params: { job: parseTarget(id, 1).job }, query: options, signal: context.signal });
  if (context.options.json === true) context.terminal.json(answer);
  else {
    const now = Date.now();
    const { nodes } = await client.call('listNodes', { signal: context.signal });
    const names = new Map<string, string>(nodes.map(({ description: { id, name } }) => [id, name]));
    context.terminal.table(
      [
        { title: 'TASK' },
        { title: 'STATE' },
        { title: 'ATTEMPT', align: 'right' },
        { title: 'NODE', flexible: true },
        { title: 'EXIT', align: 'right' },
        { title: 'TOOK', align: 'right' },
        { title: 'PARAMETERS', flexible: true },
        { title: 'MESSAGE', flexible: true },
      ],
      answer.tasks.map((task) => [
        task.id,
        { text: task.state, style: stateStyle(task.state) },
        String(task.attempt),
        task.node === null ? '-' : (names.get(task.node) ?? task.node),
        task.exitCode === null ? '-' : String(task.exitCode),
        took(task, now),
        parametersText(task),
        task.message ?? (task.reason === 'completed' ? '' : task.reason) ?? phaseText(task),
      ]),
    );
    moreNote(context, answer.tasks.length, answer.total, 'tasks');
  }
  return EXIT.ok;
};

export const explain: Handler = async (context, [id = '']) => {
  const client = await context.connect();
  const { terminal, signal } = context;
  if (!/^\d+(\.\d+)?$/.test(id)) {
    const { nodes } = await client.call('listNodes', { signal });
    const about = await client.call('explainNode', { params: { node: chooseNode(nodes, id).description.id }, signal });
    if (context.options.json === true) terminal.json(about);
    else showReasons(context, about);
    return EXIT.ok;
  }
  const { job, index } = parseTarget(id, 2);
  const answer =
    index === undefined
      ? await client.call('explainJob', { params: { job }, signal })
      : await client.call('explainTask', { params: { job, index }, signal });
  if (context.options.json === true) {
    terminal.json(answer);
    return EXIT.ok;
  }
  showReasons(context, answer);
  if (answer.ahead !== null) terminal.line(`${answer.ahead} ${answer.ahead === 1 ? 'task stands' : 'tasks stand'} before it`);
  if (answer.evidence !== null) {
    terminal.line(`The log of ${answer.evidence.attempt}, which failed on ${plain(answer.evidence.node)}, ends with:`);
    for (const line of answer.evidence.log.split('\n')) terminal.line(`  ${plain(line)}`);
  }
  return EXIT.ok;
};

function showReasons({ terminal }: Context, { summary, obstacles }: Pick<Explanation, 'summary' | 'obstacles'>): void {
  terminal.line(plain(summary));
  for (const obstacle of obstacles) {
    terminal.line(`- ${plain(obstacle.message)}`);
    if (obstacle.help !== null) terminal.line(`  ${terminal.style('help:', 'dim')} ${plain(obstacle.help)}`);
  }
}

function stateText({ state, held, canaryPhase }: JobView): string {
  if (canaryPhase === 'waiting') return `${state} (to approve)`;
  return held ? `${state} (held)` : state;
}

export function stateStyle(state: JobState): Style | undefined {
  const styles: Partial<Record<JobState, Style>> = {
    ASSIGNED: 'cyan',
    RUNNING: 'cyan',
    COMPLETED: 'green',
    FAILED: 'red',
    TIMED_OUT: 'red',
    CANCELLED: 'yellow',
  };
  return styles[state];
}

/** For example `8 of 24 done, 2 running, 1 failed`. */
export function countsText(job: Pick<JobView, 'counts' | 'taskCount'>): string {
  const { COMPLETED, RUNNING, ASSIGNED, FAILED, TIMED_OUT, CANCELLED } = job.counts;
  const others = [
    [RUNNING + ASSIGNED, 'running'],
    [FAILED, 'failed'],
    [TIMED_OUT, 'timed out'],
    [CANCELLED, 'cancelled'],
  ] as const;
  return [`${COMPLETED} of ${job.taskCount} done`, ...others.flatMap(([count, what]) => (count > 0 ? [`${count} ${what}`] : []))].join(
    ', ',
  );
}

function jobLines(job: JobDetail): [string, string][] {
  const { spec } = job;
  const lines: [string, string | undefined][] = [
    ['job', `${job.id}  ${job.name}`],
    ['owner', job.owner],
    ['state', stateText(job)],
    ['reason', job.reason ?? undefined],
    ['tasks', countsText(job)],
    ['retries', String(job.retries)],
    ['priority', String(job.priority)],
    [
      'command',
      typeof spec.command === 'string'
        ? spec.command
        : spec.command.map((part) => (/^[\w./:={}@%+,-]+$/.test(part) ? part : JSON.stringify(part))).join(' '),
    ],
    ['image', spec.image === null ? 'none (host executor)' : (spec.image ?? "the farm's default")],
    ['needs', needsText(spec.requirements)],
    ['outputs', spec.outputs.length === 0 ? undefined : spec.outputs.join(', ')],
    ['canary', canaryText(job)],
    ['after', listText(spec.after)],
    ['after end', listText(spec.afterAny)],
    ['after tasks', listText(spec.afterTasks)],
    ['inputs from', listText(spec.inputsFrom)],
    ['submitted', timeText(job.submittedAt)],
    ['started', job.startedAt === null ? undefined : timeText(job.startedAt)],
    ['finished', job.finishedAt === null ? undefined : timeText(job.finishedAt)],
    ['done in', job.eta === null ? undefined : etaText(job.eta, Date.now())],
    ['took', job.startedAt === null ? undefined : took(job, Date.now())],
  ];
  return lines.filter((line): line is [string, string] => line[1] !== undefined);
}

/** For example `3 min 05 s to 5 min 10 s`. */
export function etaText({ earliest, latest }: NonNullable<JobView['eta']>, now: number): string {
  return `${formatDuration(earliest - now)} to ${formatDuration(latest - now)}`;
}

function canaryText({ id, canary, canaryPhase }: JobDetail): string | undefined {
  if (canary === null) return undefined;
  if (canaryPhase === 'waiting') return `waits for approval: lanyard canary ${id}`;
  if (canaryPhase === 'running') return `${canary.ended} of ${canary.tasks.length} first tasks have ended`;
  return canary.decision === null ? canary.approval : `decided: lanyard canary ${id}`;
}

function listText(jobs: readonly number[]): string | undefined {
  return jobs.length === 0 ? undefined : jobs.join(', ');
}

function needsText(requirements: JobDetail['spec']['requirements']): string {
  const { cpu, ramMb, gpus, gpuRamMb, gpuModel, diskMb, labels, where, zone, zones, exclusive, limits } = requirements;
  return [
    `${cpu} CPU`,
    `${ramMb} MiB`,
    ...(gpus > 0 ? [`${gpus} GPU${gpuModel === undefined ? '' : ` (${gpuModel})`}${gpuRamMb > 0 ? ` of ${gpuRamMb} MiB` : ''}`] : []),
    ...(diskMb > 0 ? [`${diskMb} MiB of disk`] : []),
    ...labels,
    ...(where === undefined ? [] : [where]),
    ...(zone === undefined ? [] : [`zone ${zone}`]),
    ...(zones === undefined ? [] : [`zones ${zones}`]),
    ...(exclusive === true ? ['a node for itself'] : []),
    ...Object.entries(limits).map(([name, count]) => `${count} of ${name}`),
  ].join(', ');
}

/** For example `frame=12 size=small`. */
export function parametersText(task: TaskView): string {
  return Object.entries(task.parameters)
    .filter(([name]) => name !== 'index' && !(name.startsWith('chunk') && task.parameters.chunkStart === task.parameters.chunkEnd))
    .map(([name, value]) => `${name.replace(/^param\./, '')}=${value}`)
    .join(' ');
}

function phaseText(task: TaskView): string {
  if (task.phase === null || isTerminal(task.state)) return '';
  const { phase, done, total } = task.phase;
  return total > 0 ? `${phase} ${Math.floor((100 * done) / total)} %` : phase;
}

function took(from: { readonly startedAt: number | null; readonly finishedAt: number | null }, now: number): string {
  return from.startedAt === null ? '-' : formatDuration((from.finishedAt ?? now) - from.startedAt);
}

function moreNote(context: Context, shown: number, total: number, what: string): void {
  if (shown < total) context.terminal.note(`${shown} of ${total} ${what}; see more with --limit and --offset`);
}
