import { LanyardError } from '../../shared/errors.ts';
import type { AttemptView, TaskView } from '../../shared/view.ts';
import type { Context, Handler } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { parametersText, stateStyle } from './job-commands.ts';
import { parseTarget } from './targets.ts';
import { plain } from './text.ts';
import { formatBytes, formatCpuTime, formatDuration, MIB, timeText } from './units.ts';

/** One task with all its attempts, and what each has used of its machine. */
export const task: Handler = async (context, [id = '']) => {
  const { job, index } = parseTarget(id, 2);
  if (index === undefined)
    throw new LanyardError({
      code: 'INVALID',
      field: 'TASK',
      message: `"${id}" is a job; expected a task such as ${job}.0`,
      hint: '`lanyard tasks` lists its tasks',
    });
  const client = await context.connect();
  const answer = await client.call('getTask', { params: { job, index }, signal: context.signal });
  if (context.options.json === true) {
    context.terminal.json(answer);
    return EXIT.ok;
  }
  const { nodes } = await client.call('listNodes', { signal: context.signal });
  showTask(context, answer.task);
  showAttempts(context, answer.attempts, new Map(nodes.map(({ description }) => [description.id, description.name])));
  return EXIT.ok;
};

function showTask({ terminal }: Context, task: TaskView): void {
  const lines: [string, string][] = [
    ['task', `${task.id}  ${parametersText(task)}`],
    ['state', task.state],
    ...(task.message === null ? [] : [['message', task.message] as [string, string]]),
  ];
  for (const [name, value] of lines) terminal.line(`${terminal.style(name.padEnd(12), 'dim')}${plain(value)}`);
}

function showAttempts({ terminal }: Context, attempts: readonly AttemptView[], names: ReadonlyMap<string, string>): void {
  const now = Date.now();
  terminal.table(
    [
      { title: 'ATTEMPT' },
      { title: 'STATE' },
      { title: 'NODE', flexible: true },
      { title: 'STARTED' },
      { title: 'TOOK', align: 'right' },
      { title: 'CPU TIME', align: 'right' },
      { title: 'PEAK MEMORY', align: 'right' },
      { title: 'EXIT', align: 'right' },
      { title: 'MESSAGE', flexible: true },
    ],
    attempts.map((attempt) => [
      attempt.id,
      { text: attempt.state, style: stateStyle(attempt.state) },
      names.get(attempt.node) ?? attempt.node,
      attempt.startedAt === null ? '-' : timeText(attempt.startedAt),
      attempt.startedAt === null ? '-' : formatDuration((attempt.finishedAt ?? now) - attempt.startedAt),
      attempt.cpuMs === null ? '-' : formatCpuTime(attempt.cpuMs),
      attempt.peakRamMb === null ? '-' : formatBytes(attempt.peakRamMb * MIB),
      attempt.exitCode === null ? '-' : String(attempt.exitCode),
      attempt.message ?? (attempt.reason === 'completed' ? '' : attempt.reason) ?? '',
    ]),
  );
}
