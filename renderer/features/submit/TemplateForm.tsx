import type { TemplateField, TemplateView } from '../../../shared/template.ts';
import { useAnswer } from '../../store/use-answer.ts';
import { controls, Field } from '../../ui/controls.tsx';
import { CanaryField, maySendAhead } from './CanaryField.tsx';
import { chooseTemplate, fillTemplate, useDraft } from './draft.ts';
import css from './SubmitPage.module.css';

/** A job from a template: its fields, each checked as it is typed; what comes of them stands in the form below. */
export function TemplateForm({ taskCount }: { readonly taskCount: number | null }) {
  const { answer } = useAnswer((client) => client.call('listTemplates'), []);
  const filling = useDraft((draft) => draft.template);
  const form = useDraft((draft) => draft.form);
  const isOneJob = useDraft((draft) => draft.stages === null);
  if (answer === null || answer.templates.length === 0) return null;
  return (
    <section className={`${controls.panel} ${css.fields}`} aria-label="Template">
      <div className={css.split}>
        <h2>From a template</h2>
        <select
          className={controls.input}
          aria-label="Template"
          value={filling?.view.id ?? ''}
          onChange={(event) => chooseTemplate(answer.templates.find(({ id }) => id === event.target.value) ?? null)}
        >
          <option value="">none</option>
          {answer.templates.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
        {filling !== null && filling.view.presets.length > 0 && <Presets view={filling.view} preset={filling.preset} />}
      </div>
      {filling !== null && filling.view.description !== '' && <p className={css.soft}>{filling.view.description}</p>}
      {filling !== null && (
        <div className={css.row}>
          {filling.view.fields.map((field) => (
            <TemplateInput
              key={field.name}
              field={field}
              typed={filling.typed[field.name]}
              problem={filling.problem?.field === field.name ? filling.problem.message : undefined}
            />
          ))}
          {isOneJob && maySendAhead(taskCount) && <CanaryField form={form} />}
        </div>
      )}
      {filling?.problem != null && !filling.view.fields.some(({ name }) => name === filling.problem?.field) && (
        <p className={controls.problem}>{filling.problem.message}</p>
      )}
    </section>
  );
}

function Presets({ view, preset }: { readonly view: TemplateView; readonly preset: string | undefined }) {
  return (
    <select
      className={controls.input}
      aria-label="Preset"
      value={preset ?? ''}
      onChange={(event) => fillTemplate({ preset: event.target.value === '' ? undefined : event.target.value })}
    >
      <option value="">as the template says</option>
      {view.presets.map(({ name, label }) => (
        <option key={name} value={name}>
          {label}
        </option>
      ))}
    </select>
  );
}

interface TemplateInputProps {
  readonly field: TemplateField;
  /** Undefined while the default stands. */
  readonly typed: string | undefined;
  readonly problem: string | undefined;
}

function TemplateInput({ field, typed, problem }: TemplateInputProps) {
  const set = (value: string) => fillTemplate({ typed: { [field.name]: value } });
  const unit = field.type === 'number' && field.unit !== '' ? `, ${field.unit}` : '';
  // What was not typed yet is no mistake; that it is needed is said.
  const needed = problem !== undefined && typed === undefined ? 'This one is needed.' : undefined;
  const help = [needed, field.help === '' ? undefined : field.help].filter((text) => text !== undefined).join(' ');
  return (
    <Field
      label={`${field.label}${unit}${field.optional ? ' (may stay empty)' : ''}`}
      problem={typed === undefined ? undefined : problem}
      {...(help === '' ? {} : { help })}
    >
      {(input) => {
        if (field.type === 'boolean')
          return (
            <select {...input} value={typed ?? String(field.default)} onChange={(event) => set(event.target.value)}>
              <option value="true">yes</option>
              <option value="false">no</option>
            </select>
          );
        if (field.type === 'choice')
          return (
            <select {...input} value={typed ?? field.default ?? ''} onChange={(event) => set(event.target.value)}>
              {field.default === undefined && <option value="" />}
              {field.options.map(({ value, label }) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          );
        return <input {...input} value={typed ?? ''} placeholder={defaultText(field)} onChange={(event) => set(event.target.value)} />;
      }}
    </Field>
  );
}

/** The default as one would type it. */
function defaultText(field: TemplateField): string {
  if (field.default === undefined) return '';
  if (field.type === 'list') return field.default.join(', ');
  if (field.type === 'matrix')
    return Object.entries(field.default)
      .map(([name, values]) => `${name}=${values.join(',')}`)
      .join(' ');
  return String(field.default);
}
