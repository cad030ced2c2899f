import { type JobSpec, type JobSpecInput, jobSpecSchema } from '../../../shared/job.ts';
import { fillCommand, splitTasks } from '../../../shared/tasks.ts';

/** The fields as they are typed. */
export interface Form {
  readonly name: string;
  readonly command: string;
  readonly where: 'default' | 'image' | 'host';
  readonly image: string;
  readonly split: 'single' | 'frames' | 'count' | 'described';
  readonly frames: string;
  readonly chunk: string;
  readonly count: string;
  /** One a line. */
  readonly outputs: string;
  readonly cpu: string;
  readonly ramMb: string;
  readonly gpus: string;
  /** Separated by commas. */
  readonly labels: string;
  readonly priority: string;
  readonly timeoutMinutes: string;
  readonly maxRetries: string;
  readonly canary: 'none' | 'automatic' | 'by-hand';
}

export const EMPTY_FORM: Form = {
  name: '',
  command: '',
  where: 'default',
  image: '',
  split: 'single',
  frames: '1-24',
  chunk: '1',
  count: '10',
  outputs: '',
  cpu: '1',
  ramMb: '512',
  gpus: '0',
  labels: '',
  priority: '50',
  timeoutMinutes: '60',
  maxRetries: '3',
  canary: 'none',
};

/** The form for what a description says. */
export function formOf(described: Partial<JobSpecInput>): Form {
  const { name, command, image, tasks, outputs, requirements, priority, timeoutMs, maxRetries, canary } = described;
  const kind = tasks?.kind ?? 'single';
  return {
    ...EMPTY_FORM,
    name: name ?? '',
    command: command === undefined ? '' : typeof command === 'string' ? command : command.map(quoted).join(' '),
    where: image === null ? 'host' : image === undefined ? 'default' : 'image',
    image: image ?? '',
    split: kind === 'matrix' ? 'described' : kind,
    ...(tasks?.kind === 'frames' ? { frames: tasks.frames, chunk: String(tasks.chunk ?? 1) } : {}),
    ...(tasks?.kind === 'count' ? { count: String(tasks.count) } : {}),
    outputs: (outputs ?? []).join('\n'),
    cpu: String(requirements?.cpu ?? EMPTY_FORM.cpu),
    ramMb: String(requirements?.ramMb ?? EMPTY_FORM.ramMb),
    gpus: String(requirements?.gpus ?? EMPTY_FORM.gpus),
    labels: (requirements?.labels ?? []).join(', '),
    priority: String(priority ?? EMPTY_FORM.priority),
    timeoutMinutes: timeoutMs === undefined ? EMPTY_FORM.timeoutMinutes : String(Number((timeoutMs / 60_000).toFixed(2))),
    maxRetries: String(maxRetries ?? EMPTY_FORM.maxRetries),
    canary: canary === undefined ? 'none' : (canary.approval ?? 'automatic'),
  };
}

/** As a shell reads it back as one word. Words in braces stay bare, so that they are filled in all the same. */
function quoted(word: string): string {
  return /^[\w@%+=:,./{}-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export interface CheckedForm {
  /** What is sent, without the input; null while something is wrong. */
  readonly spec: JobSpecInput | null;
  /** What is wrong, by field. */
  readonly problems: Readonly<Partial<Record<keyof Form, string>>>;
  readonly taskCount: number | null;
  /** The command as it will run for the first and the last task. */
  readonly first: string | null;
  readonly last: string | null;
}

/** Which field a part of the specification stands in. */
const FIELDS: Readonly<Record<string, keyof Form>> = {
  name: 'name',
  command: 'command',
  image: 'image',
  'tasks.frames': 'frames',
  'tasks.chunk': 'chunk',
  'tasks.count': 'count',
  outputs: 'outputs',
  'requirements.cpu': 'cpu',
  'requirements.ramMb': 'ramMb',
  'requirements.gpus': 'gpus',
  'requirements.labels': 'labels',
  priority: 'priority',
  timeoutMs: 'timeoutMinutes',
  maxRetries: 'maxRetries',
};

/** Checks every field with the coordinator's own schema. @param described what the form does not show, kept as it is */
export function checkForm(form: Form, described: Partial<JobSpecInput>): CheckedForm {
  const wanted = specOf(form, described);
  const parsed = jobSpecSchema.safeParse(wanted);
  const problems: Partial<Record<keyof Form, string>> = {};
  if (!parsed.success)
    for (const { path, message } of parsed.error.issues) {
      const field = fieldOf(path.map(String));
      problems[field] ??= field === 'command' && form.command.trim() === '' ? 'Say what each task runs.' : message;
    }
  if (form.where === 'image' && form.image.trim() === '') problems.image = 'Name the image, for example debian:stable-slim.';
  if (!parsed.success) return { spec: null, problems, taskCount: null, first: null, last: null };
  const split = splitTasks(parsed.data.tasks);
  if (typeof split === 'string') {
    problems[form.split === 'count' ? 'count' : 'frames'] = split;
    return { spec: null, problems, taskCount: null, first: null, last: null };
  }
  const show = (index: number) => commandText(fillCommand(parsed.data.command, split.parameters(index)));
  return {
    spec: Object.keys(problems).length === 0 ? wanted : null,
    problems,
    taskCount: split.count,
    first: show(0),
    last: split.count > 1 ? show(split.count - 1) : null,
  };
}

function specOf(form: Form, described: Partial<JobSpecInput>): JobSpecInput {
  const { image: _image, tasks: describedTasks, canary, ...rest } = described;
  const number = (text: string) => (text.trim() === '' ? Number.NaN : Number(text));
  const list = (text: string, separator: RegExp) =>
    text
      .split(separator)
      .map((part) => part.trim())
      .filter(Boolean);
  return {
    ...rest,
    name: form.name.trim() === '' ? 'untitled' : form.name.trim(),
    command: form.command.trim(),
    ...(form.where === 'default' ? {} : { image: form.where === 'host' ? null : form.image.trim() || 'unnamed' }),
    tasks: tasksOf(form, describedTasks, number),
    outputs: list(form.outputs, /\n/),
    requirements: {
      ...rest.requirements,
      cpu: number(form.cpu),
      ramMb: number(form.ramMb),
      gpus: number(form.gpus),
      labels: list(form.labels, /,/),
    },
    priority: number(form.priority),
    timeoutMs: Math.round(number(form.timeoutMinutes) * 60_000),
    maxRetries: number(form.maxRetries),
    ...(form.canary === 'none' ? {} : { canary: { ...canary, approval: form.canary } }),
  };
}

function tasksOf(form: Form, described: JobSpecInput['tasks'], number: (text: string) => number): NonNullable<JobSpecInput['tasks']> {
  switch (form.split) {
    case 'frames':
      return { kind: 'frames', frames: form.frames.trim(), chunk: number(form.chunk) };
    case 'count':
      return { kind: 'count', count: number(form.count) };
    case 'described':
      return described ?? { kind: 'single' };
    case 'single':
      return { kind: 'single' };
  }
}

function fieldOf(path: readonly string[]): keyof Form {
  return FIELDS[path.slice(0, 2).join('.')] ?? FIELDS[path[0] ?? ''] ?? 'command';
}

function commandText(command: JobSpec['command']): string {
  return typeof command === 'string' ? command : command.map(quoted).join(' ');
}
