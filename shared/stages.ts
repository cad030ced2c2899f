import { z } from 'zod';
import { invalid, LanyardError } from './errors.ts';
import { type JobSpec, jobIdSchema, jobSpecSchema } from './job.ts';
import { LIMITS } from './limits.ts';

/**
 * Several jobs in one submission: stages that wait for each other by name (render, then assemble). What stands beside
 * `stages` holds for each stage that does not say otherwise.
 */
const stageNameSchema = z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/, 'expected a letter or _ and then letters, digits, _ and -');
/** A stage of the same submission by its name, or a job that is there already by its number. */
const referencesSchema = z
  .array(z.union([stageNameSchema, jobIdSchema]))
  .max(LIMITS.dependencies)
  .default([]);

const stageSchema = z.looseObject({
  stage: stageNameSchema.describe('what other stages call it'),
  after: referencesSchema.describe('stages (or numbers of jobs) that must be complete first'),
  afterAny: referencesSchema.describe('those that must have ended first, in whatever way'),
  afterTasks: referencesSchema.describe('those with the same split, of which task N must be complete before task N of this one'),
  inputsFrom: referencesSchema.describe('those whose outputs are laid over the input'),
});

/** The body of `POST /api/submissions`, and a `lanyard.json` with stages. Other fields are those of a job. */
export const submissionSchema = z.looseObject({ stages: z.array(stageSchema).min(1).max(LIMITS.stages) });
export type Submission = z.infer<typeof submissionSchema>;
type StageInput = Submission['stages'][number];

const WAITS = ['after', 'afterAny', 'afterTasks', 'inputsFrom'] as const;
type Waits = Readonly<Record<(typeof WAITS)[number], readonly string[]>>;

export interface Stage {
  readonly name: string;
  /** All of it but its references to other stages. */
  readonly spec: JobSpec;
  /** The stages it waits for, by name. */
  readonly waits: Waits;
}

/**
 * Lays the shared fields under each stage and puts the stages into an order in which each comes after those it waits for.
 * @throws LanyardError INVALID for a field that is not valid, a name that is taken twice or unknown, and stages that wait for
 *   each other in a circle, which it names
 */
export function planStages({ stages, ...shared }: Submission): Stage[] {
  const byName = new Map<string, Stage>();
  for (const given of stages) {
    if (byName.has(given.stage)) throw problem(`two stages are called "${given.stage}"`, 'give each stage a name of its own');
    byName.set(given.stage, toStage(given, shared));
  }
  for (const { name, waits } of byName.values())
    for (const other of waitedFor(waits))
      if (!byName.has(other)) throw problem(`stage "${name}" waits for "${other}", and no stage is called so`);
  const order: Stage[] = [];
  const settled = new Set<string>();
  for (const name of byName.keys()) visit(name, [], byName, settled, order);
  return order;
}

/** @returns the stage as a job, once the jobs of the stages it waits for are known */
export function jobOfStage({ spec, waits }: Stage, jobs: ReadonlyMap<string, JobSpec['after'][number]>): JobSpec {
  const numbers = (name: keyof Waits) => [...spec[name], ...waits[name].map((stage) => jobs.get(stage) as JobSpec['after'][number])];
  return {
    ...spec,
    after: numbers('after'),
    afterAny: numbers('afterAny'),
    afterTasks: numbers('afterTasks'),
    inputsFrom: numbers('inputsFrom'),
  };
}

function toStage(given: StageInput, shared: Readonly<Record<string, unknown>>): Stage {
  const { stage, ...own } = given;
  const title = typeof shared.name === 'string' ? `${shared.name}: ${stage}` : stage;
  const merged: Record<string, unknown> = { ...shared, name: title.slice(0, LIMITS.nameLength), ...own };
  const waits: Record<string, string[]> = {};
  for (const name of WAITS) {
    waits[name] = given[name].filter((one) => typeof one === 'string');
    merged[name] = given[name].filter((one) => typeof one === 'number');
  }
  const result = jobSpecSchema.safeParse(merged);
  if (!result.success) throw invalid(result.error, `stage "${stage}"`);
  return { name: stage, spec: result.data, waits: waits as unknown as Waits };
}

/** Depth first; `path` is the way here, so that a circle can be named. */
function visit(name: string, path: readonly string[], stages: ReadonlyMap<string, Stage>, settled: Set<string>, order: Stage[]): void {
  if (settled.has(name)) return;
  if (path.includes(name))
    throw problem(`the stages wait for each other in a circle: ${[...path.slice(path.indexOf(name)), name].join(' waits for ')}`);
  const stage = stages.get(name) as Stage;
  for (const other of waitedFor(stage.waits)) visit(other, [...path, name], stages, settled, order);
  settled.add(name);
  order.push(stage);
}

function waitedFor(waits: Waits): string[] {
  return WAITS.flatMap((name) => waits[name]);
}

function problem(message: string, hint?: string): LanyardError {
  return new LanyardError({ code: 'INVALID', field: 'stages', message, ...(hint === undefined ? {} : { hint }) });
}
