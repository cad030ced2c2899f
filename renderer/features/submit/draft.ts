import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { ErrorValue } from '../../../shared/errors.ts';
import { JOB_FILE, type JobSpec, type JobSpecInput, jobSpecSchema } from '../../../shared/job.ts';
import { submissionSchema } from '../../../shared/stages.ts';
import type { TemplateView } from '../../../shared/template.ts';
import { renderDescription } from '../../../shared/template-render.ts';
import { errorValueOf } from '../../client/http.ts';
import { EMPTY_FORM, type Form, formOf } from './form.ts';
import type { InputFiles } from './input-files.ts';
import { readStages, type StageDraft } from './stages.ts';
import { readJobText } from './zip.ts';

interface Draft {
  readonly input: InputFiles | null;
  readonly isReading: boolean;
  /** What is wrong with the input or with its description. */
  readonly problem: ErrorValue | null;
  /** What `lanyard.json` said, of which the form shows the most common part. */
  readonly described: Partial<JobSpecInput>;
  readonly form: Form;
  readonly template: Filling | null;
  /** Of a submission of several jobs; null: it is one. The one at `at` is the one that `described` and `form` hold newer. */
  readonly stages: readonly StageDraft[] | null;
  readonly at: number;
}

/** A template that is being filled in. */
interface Filling {
  readonly view: TemplateView;
  readonly preset: string | undefined;
  /** What was typed, by field; others have their defaults. */
  readonly typed: Readonly<Record<string, string>>;
  readonly problem: ErrorValue | null;
}

/** The job that is being written; it stays while one looks at other pages. */
export const draft = createStore<Draft>(() => ({
  input: null,
  isReading: false,
  problem: null,
  described: {},
  form: EMPTY_FORM,
  template: null,
  stages: null,
  at: 0,
}));

export function useDraft<T>(select: (draft: Draft) => T): T {
  return useStore(draft, select);
}

export function editForm(change: Partial<Form>): void {
  draft.setState(({ form }) => ({ form: { ...form, ...change } }));
}

/** The stages with what was typed into the one that is shown. */
export function stagesOf({ stages, at, described, form }: Draft): readonly StageDraft[] | null {
  const current = stages?.[at];
  if (stages === null || current === undefined || (current.form === form && current.described === described)) return stages;
  return stages.with(at, { ...current, described, form });
}

/** Shows another stage in the form. */
export function chooseStage(at: number): void {
  draft.setState((before) => {
    const stages = stagesOf(before);
    const next = stages?.[at];
    return next === undefined ? before : { stages, at, described: next.described, form: next.form };
  });
}

/** What a description, of one job or of stages, makes of the form. @param name for a job that has none */
function described(description: Record<string, unknown>, name: string): Pick<Draft, 'described' | 'form' | 'stages' | 'at'> {
  if ('stages' in description) {
    const stages = readStages({ ...(name === '' ? {} : { name }), ...description });
    const first = stages[0] as StageDraft;
    return { stages, at: 0, described: first.described, form: first.form };
  }
  const job = description as Partial<JobSpecInput>;
  return { stages: null, at: 0, described: job, form: formOf(name === '' ? job : { name, ...job }) };
}

/** Begins with what another job was asked to do; its files are there already and are not sent again. */
export function repeatJob(spec: JobSpec): void {
  // What it waited for is over, or is no business of another run.
  const { after: _after, afterAny: _afterAny, afterTasks: _afterTasks, inputsFrom: _inputsFrom, ...own } = spec;
  draft.setState({ ...draft.getInitialState(), described: own, form: formOf(own) });
}

/** @param view null: without a template again; the form keeps what it made */
export function chooseTemplate(view: TemplateView | null): void {
  if (view === null) draft.setState({ template: null });
  else applyTemplate({ view, preset: undefined, typed: {}, problem: null });
}

/** Takes what was typed into a field of the template, or one of its presets, and makes the job anew. */
export function fillTemplate(change: { readonly preset?: string | undefined; readonly typed?: Readonly<Record<string, string>> }): void {
  const { template } = draft.getState();
  if (template === null) return;
  const preset = 'preset' in change ? change.preset : template.preset;
  applyTemplate({ ...template, preset, typed: { ...template.typed, ...change.typed } });
}

function applyTemplate(template: Filling): void {
  const { view, preset, typed } = template;
  const values = Object.fromEntries(Object.entries(typed).filter(([, text]) => text !== ''));
  try {
    const made = described(renderDescription(view.id, view, { preset, values }), '');
    const before = draft.getState();
    const { input } = before.described;
    // Whether some tasks go ahead is no field of a template: what was chosen while it is filled in stays.
    const isSame = before.template?.view.id === view.id && before.stages === null && made.stages === null;
    draft.setState({
      ...made,
      form: isSame ? { ...made.form, canary: before.form.canary } : made.form,
      template: { ...template, problem: null },
      described: { ...made.described, ...(input === undefined ? {} : { input }) },
    });
  } catch (error) {
    draft.setState({ template: { ...template, problem: errorValueOf(error) } });
  }
}

export function clearDraft(): void {
  draft.setState(draft.getInitialState());
}

export function dropInput(): void {
  draft.setState(({ described: { input: _input, ...described } }) => ({ input: null, problem: null, described }));
}

/** Takes files as the input, and what their description says into the form. */
export async function takeInput(reading: Promise<InputFiles>): Promise<void> {
  draft.setState({ isReading: true, problem: null });
  try {
    const input = await reading;
    draft.setState(({ form }) => ({ input, form: { ...form, name: form.name === '' ? input.name.replace(/\.zip$/i, '') : form.name } }));
    const text = await readJobText(input);
    if (text === null) return;
    draft.setState(described(parseDescription(text), input.name.replace(/\.zip$/i, '')));
  } catch (error) {
    draft.setState({ problem: errorValueOf(error) });
  } finally {
    draft.setState({ isReading: false });
  }
}

/** Leaves what is wrong in it to the form, where it can be mended; but it must be an object. */
function parseDescription(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${JOB_FILE} is not JSON; the form starts empty.`);
  }
  if (typeof value === 'object' && value !== null && 'stages' in value) {
    const result = submissionSchema.safeParse(value);
    if (!result.success) throw notValid(result.error.issues[0]);
    return result.data;
  }
  const result = jobSpecSchema.partial().safeParse(value);
  if (!result.success) throw notValid(result.error.issues[0]);
  return value as Record<string, unknown>;
}

function notValid(issue: { readonly path: readonly PropertyKey[]; readonly message: string } | undefined): Error {
  return new Error(`${JOB_FILE} is not valid: ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}. The form starts empty.`);
}
