import { invalid, LanyardError } from '../../shared/errors.ts';
import { type JobSpec, type JobSpecInput, jobSpecSchema } from '../../shared/job.ts';
import { splitTasks } from '../../shared/tasks.ts';
import { parseScalar } from '../../shared/template.ts';
import { DURATION_FORM, MIB, parseDurationMs, parseSizeBytes, SIZE_FORM } from './units.ts';

/** The flags of `lanyard submit` that describe the job, as commander gives them. */
export interface JobFlags {
  readonly name?: string;
  readonly command?: string;
  readonly image?: string;
  readonly host?: boolean;
  readonly workdir?: string;
  readonly output?: readonly string[];
  readonly env?: readonly string[];
  readonly frames?: string;
  readonly chunk?: string;
  readonly count?: string;
  readonly matrix?: readonly string[];
  readonly exclude?: readonly string[];
  readonly cpu?: string;
  readonly ram?: string;
  readonly gpus?: string;
  readonly gpuRam?: string;
  readonly gpuModel?: string;
  readonly disk?: string;
  readonly label?: readonly string[];
  readonly where?: string;
  readonly prefer?: readonly string[];
  readonly zone?: string;
  readonly zones?: string;
  readonly exclusive?: boolean;
  readonly limit?: readonly string[];
  readonly priority?: string;
  readonly stopAfter?: string;
  readonly maxTasks?: string;
  readonly after?: readonly string[];
  readonly afterAny?: readonly string[];
  readonly afterTasks?: readonly string[];
  readonly inputsFrom?: readonly string[];
  readonly timeout?: string;
  readonly retries?: string;
  readonly network?: boolean;
  readonly preemptible?: boolean;
  /** Without a value: true. */
  readonly canary?: string | true;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Lays flags over a job description and checks the whole.
 * @param description what `lanyard.json` says; an empty object without one
 * @param trailing the command after `--`, as a program and its arguments
 * @returns the description to submit, and the number of its tasks
 * @throws LanyardError INVALID naming the flag or field, the value and what was expected
 */
export function jobFromFlags(
  description: Json,
  flags: JobFlags,
  trailing: readonly string[],
): { readonly input: JobSpecInput; readonly spec: JobSpec; readonly taskCount: number } {
  if (flags.command !== undefined && trailing.length > 0)
    throw usage('command', 'a command is given twice: with --command and after --', 'use one of them');
  const input = compact({
    ...description,
    name: flags.name ?? description.name,
    command: flags.command ?? (trailing.length > 0 ? [...trailing] : description.command),
    image: flags.host === true ? null : (flags.image ?? description.image),
    workdir: flags.workdir ?? description.workdir,
    outputs: flags.output ?? description.outputs,
    env: merged(description.env, pairs('env', flags.env)),
    tasks: tasksOf(flags) ?? description.tasks,
    requirements: merged(description.requirements, requirementsOf(flags)),
    priority: wholeNumber('priority', flags.priority) ?? description.priority,
    stopAfterFailures: wholeNumber('stop-after', flags.stopAfter) ?? description.stopAfterFailures,
    maxTasks: wholeNumber('max-tasks', flags.maxTasks) ?? description.maxTasks,
    after: jobs('after', flags.after) ?? description.after,
    afterAny: jobs('after-any', flags.afterAny) ?? description.afterAny,
    afterTasks: jobs('after-tasks', flags.afterTasks) ?? description.afterTasks,
    inputsFrom: jobs('inputs-from', flags.inputsFrom) ?? description.inputsFrom,
    timeoutMs: durationMs('timeout', flags.timeout) ?? description.timeoutMs,
    maxRetries: wholeNumber('retries', flags.retries) ?? description.maxRetries,
    network: flags.network ?? description.network,
    preemptible: flags.preemptible ?? description.preemptible,
    canary: merged(description.canary, canaryOf(flags.canary)),
  });
  if (input.command === undefined)
    throw usage('command', 'the job has no command', 'give one after --, with --command, or in lanyard.json');
  const result = jobSpecSchema.safeParse(input);
  if (!result.success) throw invalid(result.error, 'the job');
  const split = splitTasks(result.data.tasks);
  if (typeof split === 'string') throw usage('tasks', split);
  return { input: input as JobSpecInput, spec: result.data, taskCount: split.count };
}

/** @returns milliseconds; seconds where no unit is written */
export function durationMs(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDurationMs(text, 1_000);
  if (ms === undefined) throw flagError(flag, text, `${DURATION_FORM}; a plain number counts seconds`);
  return ms;
}

/** The split into tasks; undefined when no flag asks for one. */
function tasksOf(flags: JobFlags): unknown {
  const kinds = (['frames', 'count', 'matrix'] as const).filter((kind) => flags[kind] !== undefined);
  if (kinds.length > 1) throw usage('tasks', `--${kinds.join(' and --')} cannot be given together`, 'a job is split in one way');
  if (flags.chunk !== undefined && flags.frames === undefined) throw usage('chunk', '--chunk needs --frames');
  if (flags.exclude !== undefined && flags.matrix === undefined) throw usage('exclude', '--exclude needs --matrix');
  if (flags.frames !== undefined) return compact({ kind: 'frames', frames: flags.frames, chunk: wholeNumber('chunk', flags.chunk) });
  if (flags.count !== undefined) return { kind: 'count', count: wholeNumber('count', flags.count) };
  if (flags.matrix === undefined) return undefined;
  const parameters = Object.fromEntries(
    Object.entries(pairs('matrix', flags.matrix) ?? {}).map(([name, values]) => [name, values.split(',').map(parseScalar)]),
  );
  const exclude = flags.exclude?.map((rule) =>
    Object.fromEntries(Object.entries(pairs('exclude', rule.split(',')) ?? {}).map(([name, value]) => [name, parseScalar(value)])),
  );
  return compact({ kind: 'matrix', parameters, exclude });
}

function canaryOf(flag: JobFlags['canary']): Json | undefined {
  return flag === undefined ? undefined : { approval: flag === true ? 'automatic' : flag };
}

function requirementsOf(flags: JobFlags): Json {
  const limits = pairs('limit', flags.limit, '1');
  return compact({
    cpu: number('cpu', flags.cpu),
    ramMb: mebibytes('ram', flags.ram),
    gpus: wholeNumber('gpus', flags.gpus),
    gpuRamMb: mebibytes('gpu-ram', flags.gpuRam),
    gpuModel: flags.gpuModel,
    diskMb: mebibytes('disk', flags.disk),
    labels: flags.label,
    where: flags.where,
    prefer: flags.prefer,
    zone: flags.zone,
    zones: flags.zones,
    exclusive: flags.exclusive,
    limits: limits && Object.fromEntries(Object.entries(limits).map(([name, value]) => [name, wholeNumber('limit', value)])),
  });
}

/** @param alone the value of a name without `=`; undefined: it must have one */
function pairs(flag: string, list: readonly string[] | undefined, alone?: string): Record<string, string> | undefined {
  if (list === undefined) return undefined;
  const result: Record<string, string> = {};
  for (const pair of list) {
    const at = pair.indexOf('=');
    const name = at < 0 ? pair : pair.slice(0, at);
    const value = at < 0 ? alone : pair.slice(at + 1);
    if (name === '' || value === undefined) throw flagError(flag, pair, 'NAME=VALUE');
    result[name] = value;
  }
  return result;
}

function jobs(flag: string, list: readonly string[] | undefined): number[] | undefined {
  return list
    ?.flatMap((text) => text.split(','))
    .map((text) => {
      if (!/^[1-9]\d{0,14}$/.test(text.trim())) throw flagError(flag, text, 'the number of a job');
      return Number(text);
    });
}

export function number(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text.trim() === '' || !Number.isFinite(Number(text))) throw flagError(flag, text, 'a number');
  return Number(text);
}

function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text.trim())) throw flagError(flag, text, 'a whole number');
  return Number(text);
}

/** @returns MiB, rounded up */
export function mebibytes(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseSizeBytes(text, MIB);
  if (bytes === undefined) throw flagError(flag, text, `${SIZE_FORM}; a plain number counts MiB`);
  return Math.ceil(bytes / MIB);
}

function merged(description: unknown, flags: Json | undefined): unknown {
  if (flags === undefined || Object.keys(flags).length === 0) return description;
  return { ...(description as Json | undefined), ...flags };
}

function compact(object: Json): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

function flagError(flag: string, text: string, expected: string): LanyardError {
  return usage(flag, `--${flag} is "${text}"; expected ${expected}`);
}

function usage(field: string, message: string, hint?: string): LanyardError {
  return new LanyardError({ code: 'INVALID', message, field, ...(hint === undefined ? {} : { hint }) });
}
