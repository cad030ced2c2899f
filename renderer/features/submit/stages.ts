import type { JobSpecInput } from '../../../shared/job.ts';
import { planStages, type Submission, submissionSchema } from '../../../shared/stages.ts';
import { inColumns, type Placed } from '../graph/columns.ts';
import { checkForm, type Form, formOf } from './form.ts';

const REFERENCES = ['after', 'afterAny', 'afterTasks', 'inputsFrom'] as const;
const REFERENCE_WORDS: Readonly<Record<(typeof REFERENCES)[number], string>> = {
  after: 'complete',
  afterAny: 'ended',
  afterTasks: 'task by task',
  inputsFrom: 'outputs',
};
type References = Pick<Submission['stages'][number], (typeof REFERENCES)[number]>;

/** One of several jobs that are submitted together and wait for each other by name. */
export interface StageDraft {
  readonly name: string;
  readonly references: References;
  /** As of a single job: what was said of it, and the form that shows the most common part. */
  readonly described: Partial<JobSpecInput>;
  readonly form: Form;
}

/**
 * The stages of a description, in an order in which each comes after those it waits for; what stands beside them is laid under each.
 * @throws LanyardError INVALID as `planStages`
 */
export function readStages(description: unknown): StageDraft[] {
  const submission = submissionSchema.parse(description);
  const { stages, ...shared } = submission;
  const byName = new Map(stages.map((stage) => [stage.stage, stage]));
  return planStages(submission).map(({ name, spec }) => {
    const { stage: _stage, after, afterAny, afterTasks, inputsFrom, ...own } = byName.get(name) as Submission['stages'][number];
    const described = { ...shared, ...own, name: spec.name } as Partial<JobSpecInput>;
    return { name, references: { after, afterAny, afterTasks, inputsFrom }, described, form: formOf(described) };
  });
}

/** The body of `POST /api/submissions`; null while a stage is not valid. @param input the files that came with it */
export function submissionOf(stages: readonly StageDraft[], input: string | undefined): Submission | null {
  const bodies = stages.map(({ name, references, described, form }) => {
    const { spec } = checkForm(form, described);
    return spec === null ? null : { stage: name, ...references, ...spec, ...(input === undefined ? {} : { input }) };
  });
  return bodies.every((body) => body !== null) ? ({ stages: bodies } as Submission) : null;
}

export interface StageGraph {
  readonly places: readonly Placed<string>[];
  readonly edges: readonly { readonly from: string; readonly to: string; readonly label: string }[];
}

/** What waits for what; jobs that are there already are not part of it. */
export function graphOf(stages: readonly StageDraft[]): StageGraph {
  const names = new Set(stages.map(({ name }) => name));
  const edges = stages.flatMap(({ name: to, references }) => {
    const kinds = new Map<string, string[]>();
    for (const kind of REFERENCES)
      for (const from of references[kind])
        if (typeof from === 'string' && names.has(from)) kinds.set(from, [...(kinds.get(from) ?? []), REFERENCE_WORDS[kind]]);
    return [...kinds].map(([from, words]) => ({ from, to, label: words.join(', ') }));
  });
  const order = stages.map(({ name }) => name);
  return { places: inColumns(order, edges), edges };
}
