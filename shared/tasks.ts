import type { JobSpec, TaskPlan } from './job.ts';
import { LIMITS } from './limits.ts';

/**
 * Splits a job into tasks without ever listing them: a task's parameters are computed from its index.
 * Ranges are written as render programs write them: `1-240`, `1-240x2` (every second), `1,5,9-12`.
 */

/** A run of frames from `first` to `last` (included) in steps of `step`. */
export interface FrameRun {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

export type ParameterValue = string | number | boolean;
export type TaskParameters = Readonly<Record<string, ParameterValue>>;

/** A job's split, ready to compute any task's parameters in O(log runs) or O(parameters). */
export interface TaskSplit {
  readonly count: number;
  /** @param index from 0 to count-1 */
  parameters(index: number): TaskParameters;
}

const RUN = /^(-?\d{1,9})(?:-(-?\d{1,9})(?:x(\d{1,9}))?)?$/;

/** @returns the runs of a frame range, or a sentence that says what is wrong with it. */
export function parseFrames(text: string): readonly FrameRun[] | string {
  const runs: FrameRun[] = [];
  for (const part of text.split(',')) {
    const match = RUN.exec(part.trim());
    if (match === null) return `"${part.trim()}" is not a frame range; expected forms like 1-240, 1-240x2 or 1,5,9-12`;
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    const step = match[3] === undefined ? 1 : Number(match[3]);
    if (step < 1) return `"${part.trim()}" has step ${step}; expected 1 or more`;
    if (last < first) return `"${part.trim()}" runs backwards; expected the smaller frame first`;
    runs.push({ first, last: first + Math.floor((last - first) / step) * step, step });
  }
  return runs;
}

function runLength(run: FrameRun): number {
  return (run.last - run.first) / run.step + 1;
}

/** @returns the split of `plan`, or a sentence that says what is wrong with it. */
export function splitTasks(plan: TaskPlan): TaskSplit | string {
  const split = splitPlan(plan);
  if (typeof split === 'string') return split;
  if (split.count < 1) return 'the job has no tasks; expected at least one';
  if (split.count > LIMITS.tasksPerJob) return `the job has ${split.count} tasks; at most ${LIMITS.tasksPerJob} are allowed`;
  return split;
}

function splitPlan(plan: TaskPlan): TaskSplit | string {
  switch (plan.kind) {
    case 'single':
      return { count: 1, parameters: (index) => ({ index }) };
    case 'count':
      return { count: plan.count, parameters: (index) => ({ index }) };
    case 'frames':
      return splitFrames(plan.frames, plan.chunk);
    case 'matrix':
      return splitMatrix(plan.parameters, plan.exclude);
  }
}

/** Chunks never reach across runs, so that every chunk has one step. */
function splitFrames(text: string, chunk: number): TaskSplit | string {
  const runs = parseFrames(text);
  if (typeof runs === 'string') return runs;
  const starts: number[] = [];
  let count = 0;
  for (const run of runs) {
    starts.push(count);
    count += Math.ceil(runLength(run) / chunk);
  }
  return {
    count,
    parameters(index) {
      const which = lastAtMost(starts, index);
      const run = runs[which] as FrameRun;
      const chunkStart = run.first + (index - (starts[which] as number)) * chunk * run.step;
      const chunkEnd = Math.min(chunkStart + (chunk - 1) * run.step, run.last);
      return { index, frame: chunkStart, chunkStart, chunkEnd, chunkStep: run.step };
    },
  };
}

/** @returns the position of the last element that is at most `value` (the list ascends). */
function lastAtMost(list: readonly number[], value: number): number {
  let low = 0;
  let high = list.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((list[middle] as number) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

type Matrix = Extract<TaskPlan, { kind: 'matrix' }>;

/** The last parameter varies fastest, as in nested loops. */
function splitMatrix(parameters: Matrix['parameters'], exclude: Matrix['exclude']): TaskSplit | string {
  const names = Object.keys(parameters);
  if (names.length === 0) return 'the matrix has no parameters; expected at least one';
  if (names.length > LIMITS.parametersPerJob)
    return `the matrix has ${names.length} parameters; at most ${LIMITS.parametersPerJob} are allowed`;
  for (const rule of exclude)
    for (const name of Object.keys(rule)) if (!names.includes(name)) return `exclude names "${name}", which is no parameter of the matrix`;
  const total = names.reduce((product, name) => product * (parameters[name] as ParameterValue[]).length, 1);
  const combination = (ordinal: number): Record<string, ParameterValue> => {
    const values: Record<string, ParameterValue> = {};
    let block = total;
    for (const name of names) {
      const list = parameters[name] as ParameterValue[];
      block /= list.length;
      values[name] = list[Math.floor(ordinal / block) % list.length] as ParameterValue;
    }
    return values;
  };
  const withPrefix = (index: number, ordinal: number): TaskParameters => {
    const result: Record<string, ParameterValue> = { index };
    for (const [name, value] of Object.entries(combination(ordinal))) result[`param.${name}`] = value;
    return result;
  };
  if (exclude.length === 0) return { count: total, parameters: (index) => withPrefix(index, index) };
  if (total > LIMITS.matrixWithExcludes)
    return `the matrix has ${total} combinations; with exclusions at most ${LIMITS.matrixWithExcludes} are allowed`;
  const kept: number[] = [];
  for (let ordinal = 0; ordinal < total; ordinal++) {
    const values = combination(ordinal);
    if (!exclude.some((rule) => Object.entries(rule).every(([name, value]) => values[name] === value))) kept.push(ordinal);
  }
  return { count: kept.length, parameters: (index) => withPrefix(index, kept[index] as number) };
}

const PLACEHOLDER = /\{([A-Za-z][A-Za-z0-9_.]*)(?::0?(\d{1,2}))?\}/g;

/**
 * Fills `{frame}`, `{chunkStart}`, `{param.NAME}` and so on; `{frame:4}` pads a number with zeros.
 * Words in braces that are no parameter of the task stay as they are: shells and programs use braces too.
 */
export function fillTemplate(template: string, parameters: TaskParameters): string {
  return template.replace(PLACEHOLDER, (whole, name: string, width: string | undefined) => {
    const value = parameters[name];
    if (value === undefined) return whole;
    return width === undefined ? String(value) : String(value).padStart(Number(width), '0');
  });
}

/** @returns the command of one task, its parameters filled in. */
export function fillCommand(command: JobSpec['command'], parameters: TaskParameters): string | string[] {
  return typeof command === 'string' ? fillTemplate(command, parameters) : command.map((part) => fillTemplate(part, parameters));
}

/** The same parameters as environment variables: `LANYARD_FRAME`, `LANYARD_CHUNK_START`, `LANYARD_PARAM_NAME`. */
export function parameterEnvironment(parameters: TaskParameters): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(parameters)) {
    const key = name.startsWith('param.') ? `PARAM_${name.slice('param.'.length)}` : name.replace(/[A-Z]/g, (letter) => `_${letter}`);
    env[`LANYARD_${key.toUpperCase()}`] = String(value);
  }
  return env;
}
