import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { ErrorValue } from '../../../shared/errors.ts';
import { JOB_FILE, type JobSpec, type JobSpecInput, jobSpecSchema } from '../../../shared/job.ts';
import type { TemplateView } from '../../../shared/template.ts';
import { renderDescription } from '../../../shared/template-render.ts';
import { errorValueOf } from '../../client/http.ts';
import { EMPTY_FORM, type Form, formOf } from './form.ts';
import type { InputFiles } from './input-files.ts';
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
}));

export function useDraft<T>(select: (draft: Draft) => T): T {
  return useStore(draft, select);
}

export function editForm(change: Partial<Form>): void {
  draft.setState(({ form }) => ({ form: { ...form, ...change } }));
}

/** Begins with what another job was asked to do; its files are there already and are not sent again. */
export function repeatJob(spec: JobSpec): void {
  // What it waited for is over, or is no business of another run.
  const { after: _after, afterAny: _afterAny, afterTasks: _afterTasks, inputsFrom: _inputsFrom, ...described } = spec;
  draft.setState({ ...draft.getInitialState(), described, form: formOf(described) });
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
    const described = renderDescription(view.id, view, { preset, values }) as Partial<JobSpecInput>;
    const { input } = draft.getState().described;
    draft.setState({
      template: { ...template, problem: null },
      described: { ...described, ...(input === undefined ? {} : { input }) },
      form: formOf(described),
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
    const described = parseDescription(text);
    draft.setState({ described, form: formOf({ name: input.name.replace(/\.zip$/i, ''), ...described }) });
  } catch (error) {
    draft.setState({ problem: errorValueOf(error) });
  } finally {
    draft.setState({ isReading: false });
  }
}

/** Leaves what is wrong in it to the form, where it can be mended; but it must be an object. */
function parseDescription(text: string): Partial<JobSpecInput> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${JOB_FILE} is not JSON; the form starts empty.`);
  }
  const result = jobSpecSchema.partial().safeParse(value);
  if (result.success) return value as Partial<JobSpecInput>;
  const issue = result.error.issues[0];
  throw new Error(`${JOB_FILE} is not valid: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}. The form starts empty.`);
}
